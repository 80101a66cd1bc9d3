"""Find out which audio-visual events happen in videos and when; or which pictures belong to a sound.

    python tools/localize_events.py configs/dmin/dmin_ave.py dmin.pth --videos dog.mp4 --out-dir found
    python tools/localize_events.py configs/dmin/dmin_ave.py dmin.pth --out-dir found \
        --features visual=x_vgg19.npy audio=x_vggish.npy
    python tools/localize_events.py configs/dmin/dcmr_ave_a2v.py dcmr.pth --videos dog.mp4 --query 2 5 \
        --out-dir found

writes ``found/predictions.json`` and a picture of each timeline, ``found/timelines/*.png``.
"""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmengine.config import Config, DictAction

from mmav.apis import EventInferencer, SegmentFeatureExtractor
from mmav.apis.segment_feature_extractor import AVE_FEATURES


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of DMIN or DCMR')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--videos', nargs='+', default=[], metavar='VIDEO', help='videos with sound')
    parser.add_argument(
        '--features',
        nargs='+',
        action='append',
        default=[],
        metavar='NAME=FILE',
        help='npy files of one video, visual=FILE audio=FILE; may be given several times',
    )
    parser.add_argument(
        '--query', nargs=2, type=float, metavar=('ONSET', 'OFFSET'), help='seconds that DCMR is asked for'
    )
    parser.add_argument('--out-dir', required=True, help='folder for what is found')
    parser.add_argument(
        '--feature-weights',
        nargs='+',
        default=[],
        metavar='NETWORK=FILE',
        help='local weights of vgg19 and vggish; default: downloaded',
    )
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
    """Find, print and save."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    inferencer = EventInferencer(cfg, args.checkpoint, args.device)
    if args.videos and args.feature_weights:
        weights = dict(text.split('=', 1) for text in args.feature_weights)
        inferencer.extractor = SegmentFeatureExtractor(AVE_FEATURES, weights, device=inferencer.device)
    sources = [dict(text.split('=', 1) for text in texts) for texts in args.features]
    sources += [dict(video=video) for video in args.videos]
    for source in sources:
        source.setdefault('name', source.get('video', source.get('audio', 'features')))
        if args.query is not None:
            source['query'] = args.query
    for prediction in inferencer(sources, args.out_dir):
        print(f'{prediction["input"]}, {prediction["duration"]:g} s')
        if 'answer' in prediction:
            query, answer = prediction['query'], prediction['answer']
            print(
                f'  {query["modality"]} of {query["onset"]:g}..{query["offset"]:g} s: '
                f'{answer["modality"]} of {answer["onset"]:g}..{answer["offset"]:g} s  {answer["score"]:.2f}'
            )
        for event in prediction.get('events', []):
            span = f'{event["onset"]:g}..{event["offset"]:g} s'
            print(f'  {event["label"]:30}  {span:12}  {event["score"]:.2f}')


if __name__ == '__main__':
    main()
