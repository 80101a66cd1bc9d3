"""Simulate clips of things that sound in the published layout of VGG-Sound and VGG-SS.

    python tools/dataset_converters/simulate_clips.py data/clips --clips 1000 100 200 400 --workers 2

An interrupted run carries on when called again. See docs/data.md.
"""

import os

# One thread a process: the pool already fills the processor. Set before numpy is imported.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'

from mmav.simulation.clips.clips import CLIP_PRESETS, KINDS, make_clip_config  # noqa: E402
from mmav.simulation.clips.clips_dataset import simulate_clips  # noqa: E402
from mmav.simulation.command_line import make_simulator_parser, run_simulator  # noqa: E402
from mmav.utils.errors import one_line_errors  # noqa: E402


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, CLIP_PRESETS)
    parser.add_argument('--clips', type=int, nargs=4, metavar=('TRAIN', 'VAL', 'TEST', 'TEACHERS'))
    parser.add_argument('--kinds', nargs='+', choices=KINDS, help='kinds of things, at least three')
    parser.add_argument(
        '--picture', type=int, nargs=2, metavar=('LOW', 'HIGH'), help='sides of images in pixels'
    )
    parser.add_argument(
        '--area', type=float, nargs=2, metavar=('LOW', 'HIGH'), help="share of an image in one thing's box"
    )
    parser.add_argument('--two-share', type=float, help='share of clips that show two things')
    parser.add_argument('--several-share', type=float, help='share of those in which both sound')
    parser.add_argument('--offscreen-share', type=float, help='share of clips that do not show what sounds')
    parser.add_argument(
        '--colour-spread', type=float, help="standard deviation of a kind's hue, turns of the color circle"
    )
    parser.add_argument('--clutter', type=int, help='most random shapes in the background')
    parser.add_argument(
        '--snr', type=float, nargs=2, metavar=('LOW', 'HIGH'), help='signal-to-noise ratio in dB'
    )
    parser.add_argument('--sample-rate', type=int, help='hertz')
    parser.add_argument('--duration', type=float, help='seconds of sound')
    parser.add_argument('--audio-ext', choices=('wav', 'flac'))
    parser.add_argument('--jpeg-quality', type=int, help='1..100')
    run_simulator(parser, make_clip_config, simulate_clips, 'simulate_clips')


if __name__ == '__main__':
    with one_line_errors():
        main()
