"""The command line that tools share which go through videos, or their features, second by second."""

import argparse

from mmengine.config import Config, DictAction

from .segment_inferencer import SegmentInferencer


def make_segment_parser(
    description: str, features: str, networks: str, config: str = 'config file'
) -> argparse.ArgumentParser:
    """A parser with the options of :func:`build_segment_inferencer`.

    Args:
        description: The tool's documentation.
        features: Help on the files of features of a video.
        networks: Names of the networks that make features of videos.
        config: Help on the config.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help=config)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--videos', nargs='+', default=[], metavar='VIDEO', help='videos with sound')
    parser.add_argument(
        '--features',
        nargs='+',
        action='append',
        default=[],
        metavar='NAME=FILE',
        help=f'npy files of one video, {features}; may be given several times',
    )
    parser.add_argument('--out-dir', required=True, help='folder for what is found')
    parser.add_argument(
        '--feature-weights',
        nargs='+',
        default=[],
        metavar='NETWORK=FILE',
        help=f'local weights of {networks}; default: downloaded',
    )
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU where there is one')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings of the config')
    return parser


def parse_segment_args(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; ``features`` become dicts with a name each, ``feature_weights`` one dict.

    Args:
        parser: Of :func:`make_segment_parser`, to which options may have been added.

    Returns:
        The options.
    """
    args = parser.parse_args()
    if not args.videos and not args.features:
        parser.error('give --videos or --features')
    for text in [*args.feature_weights, *(text for texts in args.features for text in texts)]:
        if '=' not in text:
            parser.error(f'{text!r} is no NAME=FILE')
    args.feature_weights = dict(text.split('=', 1) for text in args.feature_weights)
    args.features = [dict(text.split('=', 1) for text in texts) for texts in args.features]
    for files in args.features:
        files.setdefault('name', files.get('audio', 'features'))
    return args


def build_segment_inferencer(kind: type[SegmentInferencer], args: argparse.Namespace) -> SegmentInferencer:
    """The inferencer that the command line asks for.

    Args:
        kind: Its class.
        args: Of :func:`parse_segment_args`.
    """
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    inferencer = kind(cfg, args.checkpoint, args.device)
    if args.videos and args.feature_weights:
        inferencer.use_extractor(args.feature_weights)
    return inferencer
