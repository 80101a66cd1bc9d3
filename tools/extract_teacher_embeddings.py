"""Store once what the teachers of a sound localizer say of every clip, so that training needs no teacher.

    python tools/extract_teacher_embeddings.py configs/avc/avc_r18_flickr10k.py data/flickr/teachers \
        --cfg-options teachers.visual.checkpoint=detr.pth teachers.audio.checkpoint=Cnn14.pth

Of the config it takes ``teachers`` (or ``model.teachers``), ``model.data_preprocessor``, and the clips of
``teacher_dataset`` (or ``train_dataloader.dataset``), read by ``teacher_pipeline``: whole images, without
augmentation. ``LoadTeacherEmbeddings(store=...)`` reads the store. Four processes share the clips:
``torchrun --nproc_per_node 4 tools/... --launcher pytorch``. A stopped run carries on when started again, by
any number of processes, and writes the same bytes.
"""

import argparse
from collections.abc import Sequence
from datetime import timedelta

import mmav  # noqa: F401  (first: it registers what configs name)

# isort: split
import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.dist import barrier, broadcast_object_list, get_dist_info
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from tqdm import tqdm

from mmav.datasets.stores.embedding_store import EmbeddingStore
from mmav.datasets.stores.embedding_store_writer import DTYPES, EmbeddingWriter
from mmav.engine import close_launcher, join_launcher
from mmav.utils.command_line import ToolParser, read_config
from mmav.utils.config_parts import dataset_of, inner_datasets
from mmav.utils.errors import one_line_errors
from mmav.utils.joined_datasets import build_joined
from mmav.utils.locks import folder_lock
from mmav.utils.run_parameters import hash_json

# The first to finish waits for the last one, however slow its machine.
PATIENCE = timedelta(days=7)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_config(checkpoint=False)
    parser.add_output('out', help='folder of the store')
    parser.add_argument('--dtype', choices=DTYPES, default='float32', help='float16 takes half the space')
    parser.add_argument('--shard-size', type=int, default=512, help='clips of a shard')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--num-workers', type=int, default=2, help='loading processes')
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help="where the teachers compute; 'cuda' with a launcher: each process takes its own GPU",
    )
    parser.add_argument(
        '--on-error', choices=['raise', 'skip'], default='raise', help='clips that cannot be read'
    )
    parser.add_argument('--verify', action='store_true', help='compare the finished store with its checksums')
    parser.add_launcher()
    args = parser.parse_args(argv)
    if args.batch_size < 1 or args.shard_size < 1:
        parser.error('--batch-size and --shard-size must be at least 1')
    return args


def build_dataset(cfg: Config) -> tuple[BaseDataset, list]:
    """Build the data set of the clips; return the config of its pipeline, too.

    ValueError if the config does not tell how clips are read for teachers.
    """
    configs = inner_datasets(cfg.get('teacher_dataset') or dataset_of(cfg, 'train'))
    pipeline = cfg.get('teacher_pipeline') or cfg.get('teacher_dataset', {}).get('pipeline')
    if not pipeline:
        raise ValueError(
            f'{cfg.filename} has no teacher_pipeline, which reads whole images for the teachers: add '
            '_base_/models/avc_teachers.py to its _base_'
        )
    for settings in configs:
        settings.update(pipeline=pipeline, test_mode=True)  # a clip that cannot be read is never replaced
    return build_joined(configs), pipeline


def build_writer(cfg: Config, args: argparse.Namespace) -> EmbeddingWriter:
    """Build the teachers, with their weights, and what writes for them.

    ValueError if there are no teachers, or they need images of another kind.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    teachers_cfg = cfg.get('teachers') or cfg.model.get('teachers')
    if teachers_cfg is None:
        raise ValueError(f'{cfg.filename} has no teachers: add _base_/models/avc_teachers.py to its _base_')
    dataset, pipeline = build_dataset(cfg)
    teachers = MODELS.build(teachers_cfg)
    teachers.init_weights()
    data_preprocessor = MODELS.build(cfg.model.data_preprocessor)
    teachers.check_images(data_preprocessor)
    settings = dict(
        pipeline=hash_json(ConfigDict(steps=pipeline).to_dict()),
        data_preprocessor=hash_json(cfg.model.data_preprocessor.to_dict()),
    )
    return EmbeddingWriter(
        args.out,
        dataset,
        teachers.to(args.device),
        data_preprocessor.to(args.device),
        settings,
        dtype=args.dtype,
        shard_size=args.shard_size,
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        on_error=args.on_error,
    )


def main(argv: Sequence[str] | None = None) -> EmbeddingStore | None:
    """Write this process's share of the shards; the first process finishes the store and returns it.

    Raises:
        OutputInUseError: If another run writes the folder.
        FileExistsError: If the folder holds something else.
        RuntimeError: If shards of other processes cannot be seen.
    """
    args = parse_args(argv)
    join_launcher(args.launcher, args.device, PATIENCE)
    MMLogger.get_instance('extract_teacher_embeddings', log_level='WARNING')  # not a line for every parameter
    cfg = read_config(args)
    writer = build_writer(cfg, args)
    with folder_lock(args.out, 'embedding', joint=True):
        return embed(writer, args)


def embed(writer: EmbeddingWriter, args: argparse.Namespace) -> EmbeddingStore | None:
    """Write this process's share of the shards; the first process finishes the store and returns it."""
    rank, world_size = get_dist_info()
    work = [None]
    if rank == 0:  # looks what is done before anybody adds to it
        writer.record_settings()
        work = [writer.unfinished()]
    broadcast_object_list(work)
    numbers = work[0][rank::world_size]
    name = 'embeddings' if world_size == 1 else f'embeddings, process 1 of {world_size}'
    total = sum(len(writer.rows(number)) for number in numbers)
    with tqdm(total=total, desc=name, unit='clip', disable=rank > 0) as progress:
        writer.write(numbers, progress)
    barrier()
    store = None
    if rank == 0:
        store = writer.finish()
        if args.verify:
            store.verify()
        unreadable = f', {len(store.failures)} unreadable' if store.failures else ''
        print(f'{args.out}: {len(store)} clips{unreadable}; {", ".join(store.array_names)}')
    barrier()
    return store


if __name__ == '__main__':
    with one_line_errors(resumable=True):
        main()
    close_launcher()
