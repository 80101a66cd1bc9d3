"""Simulate features of videos with events that sound, show, or both, in the published layout of LLP.

    python tools/dataset_converters/simulate_llp.py data/llp_simulated --workers 2

An interrupted run carries on when called again. See docs/data.md.
"""

import os

# One thread a process: the pool already fills the processor. Set before numpy is imported.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmav.simulation.command_line import make_simulator_parser, run_simulator  # noqa: E402
from mmav.simulation.videos.llp_dataset import simulate_llp  # noqa: E402
from mmav.simulation.videos.llp_videos import LLP_PRESETS  # noqa: E402


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, LLP_PRESETS)
    run_simulator(parser, LLP_PRESETS, simulate_llp)


if __name__ == '__main__':
    main()
