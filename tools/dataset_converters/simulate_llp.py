"""Simulate features of videos with events that sound, show, or both, in the published layout of LLP.

    python tools/dataset_converters/simulate_llp.py data/llp_simulated --workers 2

An interrupted run carries on when called again. See docs/data.md.
"""

from tool_server import start_server

start_server(threads=1)  # the pool already fills the processor

from mmav.simulation.command_line import make_simulator_parser, run_simulator
from mmav.simulation.videos.llp_dataset import simulate_llp
from mmav.simulation.videos.llp_videos import LLP_PRESETS


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, LLP_PRESETS)
    run_simulator(parser, LLP_PRESETS, simulate_llp)


if __name__ == '__main__':
    main()
