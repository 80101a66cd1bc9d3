"""Detect vehicles in recordings of a microphone array.

    python tools/detect.py recording.wav config.py checkpoint.pth --out-dir detections
    python tools/detect.py recording.wav config.py checkpoint.pth --rig rig.json --allow-other-rig

The first writes ``detections/predictions.json`` and an image of each second; the second hears another array
than that of the training through the same acoustic images. Boxes are in pixels of the cropped camera image.
"""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split

from mmav.apis import AudioDetInferencer
from mmav.utils.command_line import ToolParser, read_config
from mmav.utils.errors import SampleError


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='sound file with a channel for each microphone, or folder of such files or of MAVD files; '
        'or 8 one-channel files in the order of the microphones',
    )
    parser.add_config()
    parser.add_argument('--out-dir', help='folder for predictions.json and the pictures')
    parser.add_argument('--images', nargs='+', help='camera image to draw on: one, or one for each recording')
    parser.add_argument('--stride', type=float, default=1.0, help='seconds between windows of a recording')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score that is printed and drawn')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_detector()
    return parser.parse_args()


def main() -> None:
    """Detect, print and save."""
    args = parse_args()
    cfg = read_config(args)
    rigs = dict(rig=args.rig, allow_other_rig=args.allow_other_rig)
    try:
        inferencer = AudioDetInferencer(cfg, args.checkpoint, args.device, args.stripped, **rigs)
    except ValueError as error:
        raise SystemExit(f'detect: {error}') from error
    images = args.images
    if images is not None and len(images) == 1:
        images = images[0]
    try:
        results = inferencer(
            args.inputs if len(args.inputs) > 1 else args.inputs[0],
            batch_size=args.batch_size,
            stride=args.stride,
            images=images,
            pred_score_thr=args.score_thr,
            out_dir=args.out_dir,
        )
    except SampleError as error:
        raise SystemExit(f'detect: {error}') from error
    for prediction in results['predictions']:
        print(f'{prediction["input"]} at {prediction["start"]:.2f} s')
        for box, score, name in zip(prediction['bboxes'], prediction['scores'], prediction['classes']):
            if score >= args.score_thr:
                x1, y1, x2, y2 = (round(value) for value in box)
                print(f'  {name} {score:.2f}: ({x1}, {y1}) - ({x2}, {y2})')


if __name__ == '__main__':
    main()
