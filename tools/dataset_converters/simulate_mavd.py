"""Simulate drives with 8-channel sound, images and labels in MAVD's layout on disk."""

import os

# One thread a process: the pool already fills the processor. Set before numpy is imported.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmav.simulation.command_line import make_simulator_parser, run_simulator  # noqa: E402
from mmav.simulation.drives.config import PRESETS  # noqa: E402
from mmav.simulation.drives.dataset import simulate_dataset  # noqa: E402


def main() -> None:
    """Simulate what the command line asks for."""
    aliases = dict(drives=['--drives-per-split'], frames_per_drive=['--frames'])
    parser = make_simulator_parser(__doc__, PRESETS, aliases=aliases)
    run_simulator(parser, PRESETS, simulate_dataset, (ValueError, OSError, RuntimeError))


if __name__ == '__main__':
    main()
