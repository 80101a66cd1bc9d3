"""Simulate features of videos with events that sound, show, or both, in the published layout of LLP.

    python tools/dataset_converters/simulate_llp.py data/llp_simulated --workers 2

An interrupted run carries on when called again. See docs/data.md.
"""

import argparse
import os

# One thread a process: the pool already fills the processor. Set before numpy is imported.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmav.simulation.llp_dataset import simulate_llp  # noqa: E402
from mmav.simulation.llp_videos import LLP_PRESETS, make_llp_config  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument('out', help='folder of the data set; an interrupted run into it is continued')
    parser.add_argument(
        '--preset', choices=sorted(LLP_PRESETS), default='default', help='where other options start from'
    )
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='number of processes')
    parser.add_argument('--seed', type=int, help='seed of everything')
    parser.add_argument('--videos', type=int, nargs=4, metavar=('TRAIN', 'VAL', 'TEST', 'PRETRAIN'))
    parser.add_argument('--num-classes', type=int, help="the first of LLP's 25 classes")
    parser.add_argument(
        '--events', type=int, nargs=2, metavar=('FEWEST', 'MOST'), help='events of different classes'
    )
    parser.add_argument('--audio-only', type=float, help='share of events that are heard and not seen')
    parser.add_argument('--visual-only', type=float, help='share of events that are seen and not heard')
    parser.add_argument('--frames-per-second', type=int, help='rows of res152 in a second; published: 8')
    for name in ('audio', 'visual', 'visual-st'):
        parser.add_argument(f'--{name}-channels', type=int, help=f'width of the {name} features')
    parser.add_argument('--likeness', type=float, help="cosine of two classes' directions")
    parser.add_argument('--variation', type=float, help='how much a class differs between videos')
    parser.add_argument('--noise', type=float, help='of every second; an event has strength 1')
    parser.add_argument('--quiet', action='store_true', default=False, help='no progress bar')
    return parser.parse_args()


def main() -> None:
    """Simulate what the command line asks for."""
    options = vars(parse_args())
    out, preset = options.pop('out'), options.pop('preset')
    workers, quiet = options.pop('workers'), options.pop('quiet')
    overrides = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    try:
        simulate_llp(out, make_llp_config(preset, **overrides), workers=workers, progress=not quiet)
    except (ValueError, FileExistsError) as error:
        raise SystemExit(f'simulate_llp: {error}') from error
    except KeyboardInterrupt:
        raise SystemExit('simulate_llp: interrupted; the same command goes on where it stopped') from None


if __name__ == '__main__':
    main()
