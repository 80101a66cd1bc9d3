"""Detect vehicles in recordings of a microphone array.

    python tools/detect.py recording.wav config.py checkpoint.pth --out-dir detections
    python tools/detect.py recording.wav config.py checkpoint.pth --rig rig.json --allow-other-rig

The first writes ``detections/predictions.json`` and an image of each second, ``detections/pictures/*.jpg``;
the second takes recordings of another array than that of the training, through the same acoustic images.
Boxes are in pixels of the cropped camera image.
"""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmav.apis import AudioDetInferencer
from mmav.apis.command_line import add_model_arguments, build_inferencer
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors


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
    add_model_arguments(parser, detector=True)
    parser.add_output('--out-dir', help='folder for predictions.json and pictures/*.jpg')
    parser.add_argument('--images', nargs='+', help='camera image to draw on: one, or one for each recording')
    parser.add_argument('--stride', type=float, default=1.0, help='seconds between windows of a recording')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score that is printed and drawn')
    return parser.parse_args()


@one_line_errors()
def main() -> None:
    """Detect, print and save."""
    args = parse_args()
    images = args.images
    if images is not None and len(images) == 1:
        images = images[0]
    results = build_inferencer(AudioDetInferencer, args)(
        args.inputs if len(args.inputs) > 1 else args.inputs[0],
        args.batch_size,
        stride=args.stride,
        images=images,
        pred_score_thr=args.score_thr,
        out_dir=args.out_dir,
    )
    for prediction in results['predictions']:
        print(f'{prediction["input"]} at {prediction["start"]:.2f} s')
        for box, score, name in zip(prediction['bboxes'], prediction['scores'], prediction['classes']):
            if score >= args.score_thr:
                x1, y1, x2, y2 = (round(value) for value in box)
                print(f'  {name} {score:.2f}: ({x1}, {y1}) - ({x2}, {y2})')


if __name__ == '__main__':
    main()
