"""Find out what happens in videos and when, to be heard, seen, or both.

    python tools/parse_video.py configs/avvp/han_llp.py han.pth --videos dog.mp4 --out-dir parsed
    python tools/parse_video.py configs/avvp/han_llp.py han.pth --out-dir parsed \
        --features audio=feats/vggish/x.npy visual=feats/res152/x.npy visual_st=feats/r2plus1d_18/x.npy

writes ``parsed/predictions.json`` and an image of each timeline, ``parsed/timelines/*.png``.
"""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmav.apis import VideoParsingInferencer
from mmav.apis.command_line import build_inferencer, make_segment_parser, parse_segment_args
from mmav.utils.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_segment_parser(
        __doc__,
        features="by the names of the model's inputs",
        networks='vggish, resnet152 and r2plus1d_18',
    )
    parser.add_argument('--threshold', type=float, default=0.5, help='least probability; default: 0.5')
    return parse_segment_args(parser)


@one_line_errors()
def main() -> None:
    """Parse, print and save."""
    args = parse_args()
    inferencer = build_inferencer(VideoParsingInferencer, args)
    sources = [*args.features, *args.videos]
    results = inferencer(sources, args.batch_size, threshold=args.threshold, out_dir=args.out_dir)
    for prediction in results['predictions']:
        print(f'{prediction["input"]}, {prediction["duration"]:g} s')
        for event in prediction['events']:
            span = f'{event["onset"]:g}..{event["offset"]:g} s'
            print(f'  {event["modality"]:12}  {event["label"]:24}  {span:12}  {event["score"]:.2f}')


if __name__ == '__main__':
    main()
