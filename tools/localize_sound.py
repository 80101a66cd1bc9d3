"""Find the pixels that make the sound.

    python tools/localize_sound.py config.py checkpoint.pth --pair dog.jpg dog.wav --out-dir found
    python tools/localize_sound.py config.py checkpoint.pth --videos dog.mp4 --out-dir found

writes ``found/predictions.json`` and, of each pair, ``pictures/*.jpg`` (the map over the image) and
``maps/*.npy`` or, of each video, ``videos/*.mp4`` with its sound.
"""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmav.apis import SoundLocalizationInferencer
from mmav.apis.command_line import add_model_arguments, build_inferencer
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser('Localize sounds in images and videos')
    add_model_arguments(parser)
    parser.add_argument(
        '--pair',
        nargs=2,
        action='append',
        default=[],
        metavar=('IMAGE', 'AUDIO'),
        help='an image and a file with its audio, of which the middle is taken; may be given several times',
    )
    parser.add_argument('--videos', nargs='+', default=[], metavar='VIDEO', help='videos with sound')
    parser.add_output('--out-dir', required=True, help='folder for what is found')
    parser.add_argument('--fps', type=float, default=10.0, help='images of a video a second; default: 10')
    parser.add_argument('--alpha', type=float, default=0.5, help="weight of the maps' colors; default: 0.5")
    parser.add_argument(
        '--range',
        nargs=2,
        type=float,
        metavar=('LOW', 'HIGH'),
        help="values of the ends of the colors; default: each map's own minimum and maximum",
    )
    args = parser.parse_args()
    if not args.pair and not args.videos:
        parser.error('give --pair or --videos')
    return args


@one_line_errors()
def main() -> None:
    """Localize, print and save."""
    args = parse_args()
    results = build_inferencer(SoundLocalizationInferencer, args)(
        [*(dict(image=image, audio=audio) for image, audio in args.pair), *args.videos],
        args.batch_size,
        fps=args.fps,
        alpha=args.alpha,
        value_range=args.range,
        out_dir=args.out_dir,
    )
    for prediction in results['predictions']:
        time = '' if prediction['time'] is None else f' at {prediction["time"]:.2f} s'
        x, y = prediction['peak']
        print(f'{prediction["input"]}{time}: {prediction["maximum"]:.3f} at ({x:.0f}, {y:.0f})')


if __name__ == '__main__':
    main()
