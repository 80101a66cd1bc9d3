"""Simulate drives with 8-channel sound, images and labels in MAVD's layout on disk."""

import os

# One thread a process: the pool already fills the processor. Set before numpy is imported.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmav.simulation import PRESETS, make_config, simulate_dataset  # noqa: E402
from mmav.simulation.command_line import make_simulator_parser, run_simulator  # noqa: E402
from mmav.utils.errors import one_line_errors  # noqa: E402


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, PRESETS)
    parser.add_argument(
        '--drives-per-split',
        type=int,
        nargs=3,
        dest='drives',
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='numbers of drives',
    )
    parser.add_argument(
        '--frames-per-drive', '--frames', type=int, dest='frames_per_drive', help='pictures a drive'
    )
    parser.add_argument(
        '--frame-interval', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='seconds between pictures'
    )
    parser.add_argument(
        '--vehicles', type=int, nargs=2, metavar=('FEWEST', 'MOST'), help='sounding vehicles a drive'
    )
    parser.add_argument(
        '--distance', type=float, nargs=2, metavar=('NEAR', 'FAR'), help='labelled distances in metres'
    )
    parser.add_argument(
        '--margin', type=float, help='seconds of sound before the first and after the last image (>= 0.5)'
    )
    parser.add_argument('--min-box-height', type=float, help='pixels; smaller boxes are not labelled')
    parser.add_argument('--static-share', type=float, help='share of drives whose ego stands')
    parser.add_argument(
        '--snr', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='signal-to-noise ratio in dB'
    )
    parser.add_argument(
        '--snr-reference',
        choices=('loudest', 'quietest'),
        help='vehicle in view whose mean power the ratio refers to',
    )
    parser.add_argument('--wind', type=float, help='greatest share of wind in the noise, 0..1')
    parser.add_argument(
        '--ego-engine', type=float, help="greatest share of the ego's engine in the noise, 0..1"
    )
    parser.add_argument(
        '--unseen-share', type=float, help='share of drives with a vehicle that is heard but not seen'
    )
    parser.add_argument(
        '--microphones', choices=('omni', 'cardioid', 'shadow'), help="the microphones' directivity"
    )
    parser.add_argument('--array-radius', type=float, help='metres')
    parser.add_argument('--ground-reflection', type=float, help='coefficient of the ground, 0 = off')
    parser.add_argument(
        '--facade-reflection', type=float, help='coefficient of a facade beside the road, 0 = off'
    )
    parser.add_argument(
        '--gain-mismatch', type=float, help="standard deviation of the microphones' gains in dB"
    )
    parser.add_argument(
        '--delay-mismatch', type=float, help="standard deviation of the microphones' delays in us"
    )
    parser.add_argument('--full-scale', type=float, help='sound pressure in Pa of digital full scale')
    parser.add_argument(
        '--audio-layout', choices=('frame', 'drive'), help='files an image, or one recording a drive'
    )
    parser.add_argument(
        '--modalities', nargs='+', choices=('rgb', 'thermal', 'depth'), help='pictures to write'
    )
    parser.add_argument('--jpeg-quality', type=int, help='1..100')
    run_simulator(
        parser, make_config, simulate_dataset, 'simulate_mavd', (ValueError, FileExistsError, RuntimeError)
    )


if __name__ == '__main__':
    with one_line_errors():
        main()
