"""Simulate features of videos with an audio-visual event each, in the published layout of AVE.

    python tools/dataset_converters/simulate_ave.py data/ave_simulated

An interrupted run carries on when called again. See docs/data.md.
"""

from mmav.simulation.command_line import make_simulator_parser, run_simulator
from mmav.simulation.videos.ave_dataset import simulate_ave
from mmav.simulation.videos.ave_videos import AVE_PRESETS, make_ave_config
from mmav.utils.errors import one_line_errors


def main() -> None:
    """Simulate what the command line asks for."""
    parser = make_simulator_parser(__doc__, AVE_PRESETS, workers=False)
    parser.add_argument('--videos', type=int, nargs=4, metavar=('TRAIN', 'VAL', 'TEST', 'BACKGROUND'))
    parser.add_argument('--num-classes', type=int, help="the first of AVE's 28 categories")
    parser.add_argument('--num-segments', type=int, help='seconds of a video')
    parser.add_argument('--grid', type=int, help='rows and columns of the maps of features; published: 7')
    parser.add_argument('--visual-channels', type=int, help='published: 512')
    parser.add_argument('--audio-channels', type=int, help='published: 128')
    parser.add_argument('--dtype', choices=('float32', 'float64'), help='of the files of features')
    parser.add_argument('--whole', type=float, help='share of events that last all the time')
    parser.add_argument('--goes-on', type=float, help='how often sound or image alone outlasts an event')
    parser.add_argument('--other-sound', type=float, help='share of videos in which another thing is heard')
    parser.add_argument('--silent-things', type=int, help='most things in the image that make no sound')
    parser.add_argument('--synchrony', type=float, help='how far sound and image rise and fall together')
    parser.add_argument('--likeness', type=float, help="cosine of two categories' directions")
    parser.add_argument('--variation', type=float, help='how much a category differs between videos')
    parser.add_argument('--noise', type=float, help='of every second; an event has a strength of about 1')
    run_simulator(parser, make_ave_config, simulate_ave, 'simulate_ave')


if __name__ == '__main__':
    with one_line_errors():
        main()
