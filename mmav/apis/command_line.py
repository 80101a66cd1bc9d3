"""The command line that the tools share which run an inferencer."""

import argparse
from typing import Any, TypeVar

from mmav.utils.command_line import ToolParser, read_config

from .audio_det_inferencer import AudioDetInferencer
from .base_inferencer import AudioVisualInferencer

Inferencer = TypeVar('Inferencer', bound=AudioVisualInferencer)
_DETECTOR_OPTIONS = ('stripped', 'rig', 'allow_other_rig')
ONNX = '.onnx'


def add_model_arguments(
    parser: ToolParser,
    config: str = 'config file',
    detector: bool = False,
    batches: bool = True,
    onnx: bool = True,
) -> None:
    """Add the options of :func:`build_inferencer`, and ``--batch-size``.

    Args:
        parser: Receives them.
        config: Help on the config.
        detector: Whether to add those of ``AudioDetInferencer``. Defaults to False.
        batches: Whether to add ``--batch-size``. Defaults to True.
        onnx: Whether an ONNX file of a detector may stand for config and checkpoint. Defaults to True.
    """
    if detector and onnx:
        parser.add_config(help=f'{config}, or instead of both a file of export_onnx.py', whole_models=ONNX)
    else:
        parser.add_config(help=config)
    if batches:
        parser.add_argument('--batch-size', type=int, default=8, help='default: 8')
    parser.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU where there is one')
    if detector:
        parser.add_argument(
            '--stripped', action='store_true', help='the checkpoint lacks the visual branch of the config'
        )
        parser.add_argument('--rig', help='rig.json of the recordings; default: the rig of the model')
        parser.add_argument(
            '--allow-other-rig',
            action='store_true',
            help='warn where rigs differ, and make acoustic images with --rig',
        )


def build_inferencer(kind: type[Inferencer], args: argparse.Namespace, **options: Any) -> Inferencer:
    """The inferencer that the command line asks for.

    Args:
        kind: Its class.
        args: With the options of :func:`add_model_arguments` or :func:`make_segment_parser`.
        **options: Further arguments of the class.

    Raises:
        ValueError: Config, checkpoint and options cannot be used or do not fit each other.
        OSError: A file cannot be read.
    """
    options |= {key: value for key, value in vars(args).items() if key in _DETECTOR_OPTIONS}
    if args.config.endswith(ONNX) and issubclass(kind, AudioDetInferencer):
        return _onnx_inferencer(args, options)
    try:
        inferencer = kind(read_config(args), args.checkpoint, args.device, **options)
    except RuntimeError as error:  # parameters that do not fit
        raise ValueError(str(error)) from error
    if getattr(args, 'feature_weights', None) and args.videos:
        inferencer.use_extractor(args.feature_weights)
    return inferencer


def _onnx_inferencer(args: argparse.Namespace, options: dict[str, Any]) -> Any:
    try:
        from .onnx_det_inferencer import OnnxDetInferencer
    except ImportError as error:  # an optional package
        raise ValueError(f'{args.config}: {error}') from error
    unused = [
        name
        for name, given in (
            ('--stripped', options.pop('stripped')),
            ('--cfg-options', args.cfg_options),
            ('--device', args.device not in (None, 'cpu')),
        )
        if given
    ]
    if unused:
        raise ValueError(f'{args.config}: {", ".join(unused)} cannot be used with a file of export_onnx.py')
    return OnnxDetInferencer(args.config, **options)


def make_segment_parser(
    description: str, features: str, networks: str, config: str = 'config file'
) -> ToolParser:
    """A parser with the options of inferencers of videos in segments.

    Args:
        description: The tool's documentation.
        features: Help on the files of features of a video.
        networks: Names of the networks that make features of videos.
        config: Help on the config.
    """
    parser = ToolParser(description)
    add_model_arguments(parser, config)
    parser.add_argument('--videos', nargs='+', default=[], metavar='VIDEO', help='videos with sound')
    parser.add_argument(
        '--features',
        nargs='+',
        action='append',
        default=[],
        metavar='NAME=FILE',
        help=f'npy files of one video, {features}; may be given several times',
    )
    parser.add_output('--out-dir', required=True, help='folder for what is found')
    parser.add_argument(
        '--feature-weights',
        nargs='+',
        default=[],
        metavar='NETWORK=FILE',
        help=f'local weights of {networks}; default: downloaded',
    )
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
