"""Simulate clips of things that sound in the published layout of VGG-Sound and VGG-SS.

    python tools/dataset_converters/simulate_clips.py data/clips --clips 1000 100 200 400 --workers 2

An interrupted run carries on when called again. See docs/data.md.
"""

from tool_server import start_server

start_server(threads=1)  # the pool already fills the processor

from mmav.simulation.clips.clips import CLIP_PRESETS
from mmav.simulation.clips.clips_dataset import simulate_clips
from mmav.simulation.command_line import make_simulator_parser, run_simulator


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, CLIP_PRESETS)
    run_simulator(parser, CLIP_PRESETS, simulate_clips)


if __name__ == '__main__':
    main()
