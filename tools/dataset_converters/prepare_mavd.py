"""Make a prepared store: images resized to the network's size and sound, in large memory-mapped files.

    python tools/dataset_converters/prepare_mavd.py data/mavd data/mavd_576 --scale 576 576 --workers 8

Then give ``prepared='data/mavd_576'`` to MAVDDataset; the pipeline stays. An interrupted run carries on when
called again. See docs/data.md.
"""

import argparse

from tool_server import start_server

start_server(serial=(None, 0, 1))

from mmengine.config import DictAction
from mmengine.fileio import join_path

import mmav  # noqa: F401  (registers everything)
from mmav.datasets.stores.prepared_store import PreparedStore
from mmav.datasets.stores.prepared_store_writer import StoreWriter
from mmav.utils.command_line import ToolParser
from mmav.utils.config_text import read_config_file
from mmav.utils.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.add_argument('data_root', help='root of the data set')
    parser.add_output('out', help='folder of the store')
    parser.add_argument(
        '--splits', nargs='+', default=['train', 'val', 'test'], help='annotations/<split>.json'
    )
    parser.add_argument('--ann-files', nargs='+', help='COCO files instead of --splits')
    parser.add_argument(
        '--split-files', nargs='+', help='lists of <drive>/<id>, without labels, instead of --splits'
    )
    parser.add_argument(
        '--scale', nargs=2, type=int, default=[576, 576], metavar=('W', 'H'), help='network size'
    )
    parser.add_argument('--mode', choices=['stretch', 'letterbox'], default='stretch')
    parser.add_argument('--interpolation', choices=['bilinear', 'nearest', 'area'], default='bilinear')
    parser.add_argument(
        '--modalities', nargs='*', default=['rgb', 'thermal', 'depth'], help='none: sound alone'
    )
    parser.add_argument(
        '--audio',
        choices=['int16', 'float32', 'log_mel', 'acoustic_image', 'spectrogram', 'none'],
        default='int16',
    )
    parser.add_argument(
        '--log-mel', nargs='+', action=DictAction, help='of LogMelSpectrogram, for --audio log_mel'
    )
    parser.add_argument(
        '--acoustic-image',
        nargs='+',
        action=DictAction,
        help="of AcousticImage, for --audio acoustic_image; the rig is the data set's rig.json",
    )
    parser.add_argument(
        '--config',
        help='take log_mel or acoustic_image, as --audio says, from the data preprocessor of this config; '
        'options above go before',
    )
    parser.add_argument(
        '--load-audio', nargs='+', action=DictAction, help='of LoadMultichannelAudio, key=value'
    )
    parser.add_argument(
        '--dataset', nargs='+', action=DictAction, help='of MAVDDataset: crop, audio_layout, ...'
    )
    parser.add_argument('--shard-size', type=int, default=1024, help='frames of a file')
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument(
        '--on-error', choices=['raise', 'skip'], default='raise', help='frames that cannot be read'
    )
    parser.add_argument('--verify', action='store_true', help='compare the finished store with its checksums')
    return parser.parse_args()


def sound_of_config(path: str, kind: str) -> dict:
    """Arguments of a config's layer 'log_mel' or 'acoustic_image' but the rig, which is the data set's."""
    options = read_config_file(path).model.data_preprocessor.get(kind)
    if options is None:
        raise SystemExit(f'prepare_mavd: the data preprocessor of {path} has no {kind}')
    return {key: value for key, value in options.to_dict().items() if key not in ('type', 'rig')}


def main() -> None:
    """Write the store, or carry on."""
    args = parse_args()
    given = dict(log_mel=args.log_mel, acoustic_image=args.acoustic_image)
    if args.config is not None:
        if args.audio not in given:
            raise SystemExit(f'prepare_mavd: --config goes with --audio {" or ".join(given)}')
        given[args.audio] = sound_of_config(args.config, args.audio) | (given[args.audio] or {})
    common = dict(args.dataset or {}, data_root=args.data_root)
    if args.split_files:
        sources = [dict(common, split_file=name) for name in args.split_files]
    else:
        ann_files = args.ann_files or [join_path('annotations', f'{split}.json') for split in args.splits]
        sources = [dict(common, ann_file=name) for name in ann_files]
    writer = StoreWriter(
        args.out,
        sources,
        resize=dict(scale=args.scale, mode=args.mode, interpolation=args.interpolation),
        modalities=args.modalities,
        audio=args.audio,
        load_audio=args.load_audio,
        log_mel=given['log_mel'],
        acoustic_image=given['acoustic_image'],
        shard_size=args.shard_size,
        on_error=args.on_error,
    )
    writer.write(args.workers)
    store = PreparedStore(args.out)
    if args.verify:
        store.verify()
    print(
        f'{args.out}: {len(store)} frames' + (f', {len(store.failures)} unreadable' if store.failures else '')
    )


if __name__ == '__main__':
    with one_line_errors(resumable=True):
        main()
