"""Simulate features of videos with an audio-visual event each, in the published layout of AVE.

    python tools/dataset_converters/simulate_ave.py data/ave_simulated

An interrupted run carries on when called again. See docs/data.md.
"""

from mmav.simulation.command_line import make_simulator_parser, run_simulator
from mmav.simulation.videos.ave_dataset import simulate_ave
from mmav.simulation.videos.ave_videos import AVE_PRESETS


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, AVE_PRESETS, workers=False)
    run_simulator(parser, AVE_PRESETS, simulate_ave)


if __name__ == '__main__':
    main()
