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
from mmav.utils.command_line import ToolParser, read_config


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_config()
    parser.add_argument(
        '--pair',
        nargs=2,
        action='append',
        default=[],
        metavar=('PICTURE', 'SOUND'),
        help='an image and a file with its sound, of which the middle is heard; may be given several times',
    )
    parser.add_argument('--videos', nargs='+', default=[], metavar='VIDEO', help='videos with sound')
    parser.add_argument('--out-dir', required=True, help='folder for what is found')
    parser.add_argument('--fps', type=float, default=10.0, help='pictures of a video a second; default: 10')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--alpha', type=float, default=0.5, help="weight of the maps' colors; default: 0.5")
    parser.add_argument(
        '--range',
        nargs=2,
        type=float,
        metavar=('LOW', 'HIGH'),
        help="values of the ends of the colors; default: each map's own minimum and maximum",
    )
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU where there is one')
    args = parser.parse_args()
    if not args.pair and not args.videos:
        parser.error('give --pair or --videos')
    return args


def main() -> None:
    """Localize, print and save."""
    args = parse_args()
    cfg = read_config(args)
    inferencer = SoundLocalizationInferencer(cfg, args.checkpoint, args.device)
    results = inferencer(
        [*(dict(image=image, audio=audio) for image, audio in args.pair), *args.videos],
        batch_size=args.batch_size,
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
