"""Find out which audio-visual events happen in videos and when; or which images belong to a sound.

    python tools/localize_events.py configs/dmin/dmin_ave.py dmin.pth --videos dog.mp4 --out-dir found
    python tools/localize_events.py configs/dmin/dmin_ave.py dmin.pth --out-dir found \
        --features visual=x_vgg19.npy audio=x_vggish.npy
    python tools/localize_events.py configs/dmin/dcmr_ave_a2v.py dcmr.pth --videos dog.mp4 --query 2 5 \
        --out-dir found

writes ``found/predictions.json`` and an image of each timeline, ``found/timelines/*.png``.
"""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmav.apis import EventInferencer
from mmav.apis.command_line import build_inferencer, make_segment_parser, parse_segment_args
from mmav.utils.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_segment_parser(
        __doc__, 'visual=FILE audio=FILE', 'vgg19 and vggish', config='config file of DMIN or DCMR'
    )
    parser.add_argument(
        '--query', nargs=2, type=float, metavar=('ONSET', 'OFFSET'), help='seconds that DCMR is asked for'
    )
    return parse_segment_args(parser)


@one_line_errors()
def main() -> None:
    """Find, print and save."""
    args = parse_args()
    inferencer = build_inferencer(EventInferencer, args)
    sources = [*args.features, *(dict(video=video, name=video) for video in args.videos)]
    if args.query is not None:
        sources = [dict(source, query=args.query) for source in sources]
    results = inferencer(sources, args.batch_size, out_dir=args.out_dir)
    for prediction in results['predictions']:
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
