"""Find out what happens in videos and when, to be heard, seen, or both.

    python tools/parse_video.py configs/avvp/han_llp.py han.pth --videos dog.mp4 --out-dir parsed
    python tools/parse_video.py configs/avvp/han_llp.py han.pth --out-dir parsed \
        --features audio=feats/vggish/x.npy visual=feats/res152/x.npy visual_st=feats/r2plus1d_18/x.npy

writes ``parsed/predictions.json`` and a picture of each timeline, ``parsed/timelines/*.png``.
"""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmengine.config import Config, DictAction

from mmav.apis import SegmentFeatureExtractor, VideoParsingInferencer
from mmav.apis.segment_feature_extractor import LLP_FEATURES


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--videos', nargs='+', default=[], metavar='VIDEO', help='videos with sound')
    parser.add_argument(
        '--features',
        nargs='+',
        action='append',
        default=[],
        metavar='NAME=FILE',
        help="npy files of one video, by the names of the model's inputs; may be given several times",
    )
    parser.add_argument('--out-dir', required=True, help='folder for what is found')
    parser.add_argument(
        '--feature-weights',
        nargs='+',
        default=[],
        metavar='NETWORK=FILE',
        help='local weights of vggish, resnet152 and r2plus1d_18; default: downloaded',
    )
    parser.add_argument('--threshold', type=float, default=0.5, help='least probability; default: 0.5')
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU where there is one')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings of the config')
    args = parser.parse_args()
    if not args.videos and not args.features:
        parser.error('give --videos or --features')
    for text in [*args.feature_weights, *(text for texts in args.features for text in texts)]:
        if '=' not in text:
            parser.error(f'{text!r} is no NAME=FILE')
    return args


def main() -> None:
    """Parse, print and save."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    inferencer = VideoParsingInferencer(cfg, args.checkpoint, args.device)
    if args.videos and args.feature_weights:
        inferencer.extractor = SegmentFeatureExtractor(
            {key: LLP_FEATURES[key] for key in inferencer.channels},
            dict(text.split('=', 1) for text in args.feature_weights),
            device=inferencer.device,
        )
    features = [dict(text.split('=', 1) for text in texts) for texts in args.features]
    for sources in features:
        sources.setdefault('name', sources.get('audio', 'features'))
    for prediction in inferencer([*features, *args.videos], args.threshold, args.out_dir):
        print(f'{prediction["input"]}, {prediction["duration"]:g} s')
        for event in prediction['events']:
            span = f'{event["onset"]:g}..{event["offset"]:g} s'
            print(f'  {event["modality"]:12}  {event["label"]:24}  {span:12}  {event["score"]:.2f}')


if __name__ == '__main__':
    main()
