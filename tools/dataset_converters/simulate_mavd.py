"""Simulate drives with 8-channel sound, images and labels in MAVD's layout on disk."""

from tool_server import start_server

start_server(threads=1)  # the pool already fills the processor

from mmav.simulation.command_line import make_simulator_parser, run_simulator
from mmav.simulation.drives.config import PRESETS
from mmav.simulation.drives.dataset import simulate_dataset


def main() -> None:
    """Simulate what the command line asks for."""
    aliases = dict(drives=['--drives-per-split'], frames_per_drive=['--frames'])
    parser = make_simulator_parser(__doc__, PRESETS, aliases=aliases)
    run_simulator(parser, PRESETS, simulate_dataset, (ValueError, OSError, RuntimeError))


if __name__ == '__main__':
    main()
