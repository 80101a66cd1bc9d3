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
from mmav.simulation.videos.llp_videos import LLP_PRESETS, make_llp_config  # noqa: E402
from mmav.utils.errors import one_line_errors  # noqa: E402


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, LLP_PRESETS)
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
    run_simulator(parser, make_llp_config, simulate_llp, 'simulate_llp')


if __name__ == '__main__':
    with one_line_errors():
        main()
