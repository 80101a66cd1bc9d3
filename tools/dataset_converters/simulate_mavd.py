"""Simulate drives with 8-channel sound, pictures and labels in MAVD's layout on disk."""

import argparse
import os

# One thread a process: the pool already fills the processor. Set before numpy is imported.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmav.simulation import PRESETS, make_config, simulate_dataset  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument('out', help='folder of the data set; an interrupted run into it is continued')
    parser.add_argument(
        '--preset', choices=sorted(PRESETS), default='default', help='where other options start from'
    )
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='number of processes')
    parser.add_argument('--seed', type=int, help='seed of everything')
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
    parser.add_argument('--min-box-height', type=float, help='pixels; smaller boxes are not labelled')
    parser.add_argument('--static-share', type=float, help='share of drives whose ego stands')
    parser.add_argument(
        '--snr', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='signal-to-noise ratio in dB'
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
        '--audio-layout', choices=('frame', 'drive'), help='files a picture, or one recording a drive'
    )
    parser.add_argument(
        '--modalities', nargs='+', choices=('rgb', 'thermal', 'depth'), help='pictures to write'
    )
    parser.add_argument('--jpeg-quality', type=int, help='1..100')
    parser.add_argument('--quiet', action='store_true', default=False, help='no progress bar')
    return parser.parse_args()


def main() -> None:
    """Simulate what the command line asks for."""
    options = vars(parse_args())
    out, preset = options.pop('out'), options.pop('preset')
    workers, quiet = options.pop('workers'), options.pop('quiet')
    overrides = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    try:
        config = make_config(preset, **overrides)
        simulate_dataset(out, config, workers=workers, progress=not quiet)
    except (ValueError, FileExistsError, RuntimeError) as error:
        raise SystemExit(f'simulate_mavd: {error}') from error
    except KeyboardInterrupt:
        raise SystemExit('simulate_mavd: interrupted; the same command goes on where it stopped') from None


if __name__ == '__main__':
    main()
