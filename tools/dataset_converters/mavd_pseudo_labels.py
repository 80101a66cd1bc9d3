"""Label camera frames with visual teachers: one fused COCO file from any MMDetection detectors.

Example:
    python tools/dataset_converters/mavd_pseudo_labels.py data/mavd/annotations/pseudo_train.json \
        --teacher rgb configs/rgb.py rgb.pth --teacher thermal configs/thermal.py thermal.pth \
        --data-root data/mavd --split-file train.txt

Four processes share the frames: ``torchrun --nproc_per_node 4 tools/... --launcher pytorch``. A stopped run
carries on where it was when started again with the same arguments, by any number of processes.
"""

import argparse
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from mmengine.config import DictAction
from mmengine.dist import barrier, broadcast_object_list, get_dist_info
from tqdm import tqdm

import mmav  # noqa: F401  registers what configs name
from mmav.engine import close_launcher, join_launcher
from mmav.media.coco_file import read_coco
from mmav.pseudo_labels.labeling import LabelRules, cut_batches, label_batches, write_shards
from mmav.pseudo_labels.pseudo_labels import build_coco, count_boxes, format_statistics, merge_labels
from mmav.pseudo_labels.visual_teachers import Teacher, build_teacher, choose_classes, list_frames
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors
from mmav.utils.fileio import AtomicLocalBackend, remove_folder, write_json
from mmav.utils.locks import file_lock
from mmav.utils.readers import read_json
from mmav.utils.run_parameters import ResultShards, hash_json, refuse_other_parameters

# The first to finish waits for the last one, however slow its machine.
PATIENCE = timedelta(days=7)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_output('out', folder=False, type=Path, help='COCO json to write')
    parser.add_argument(
        '--teacher',
        nargs=3,
        action='append',
        required=True,
        metavar=('MODALITY', 'CONFIG', 'CHECKPOINT'),
        help='a detector; once for each modality',
    )
    parser.add_argument('--data-root', required=True, help='root of the data set')
    frames = parser.add_mutually_exclusive_group(required=True)
    frames.add_argument('--split-file', help='list of the frames to label, lines <drive>/<id>')
    frames.add_argument('--ann-file', help='COCO json whose images are the frames to label')
    parser.add_argument('--keep-ann-file', help='COCO json of human labels, which win and are merged in')
    parser.add_argument('--score-thr', type=float, default=0.3, help='least score of a box')
    parser.add_argument('--nms-iou', type=float, default=0.5, help='IoU above which the weaker box goes')
    parser.add_argument('--min-size', type=float, default=1.0, help='least width and height, pixels')
    parser.add_argument('--drop-empty', action='store_true', help='leave out frames without any box')
    parser.add_argument(
        '--class-map',
        nargs='+',
        default=[],
        metavar='TEACHER=LABEL',
        help='class of a teacher and of the labels; other classes are left out',
    )
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--num-workers', type=int, default=2, help='loading processes of each teacher')
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help="where teachers compute; 'cuda' with a launcher: each process takes its own GPU",
    )
    parser.add_argument('--shard-frames', type=int, default=256, help='frames between two savings')
    parser.add_argument('--overwrite', action='store_true', help='begin anew, whatever is there')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='changes to all configs')
    parser.add_launcher()
    args = parser.parse_args(argv)
    if any(pair.count('=') != 1 for pair in args.class_map):
        parser.error('--class-map takes pairs like car=vehicle')
    args.class_map = dict(pair.split('=') for pair in args.class_map)
    modalities = [modality for modality, _, _ in args.teacher]
    if len(set(modalities)) < len(modalities):
        parser.error(f'--teacher names a modality twice: {modalities}')
    if args.min_size < 1:
        parser.error('--min-size must be at least 1 pixel: data sets refuse smaller boxes')
    if args.batch_size < 1 or args.shard_frames < 1:
        parser.error('--batch-size and --shard-frames must be at least 1')
    return args


def main(argv: Sequence[str] | None = None) -> dict:
    """Label this process's share of the frames; the first one writes the COCO json. Return the statistics.

    Raises:
        OutputInUseError: If another run writes the file.
        ValueError: If what is there was made with other parameters.
        RuntimeError: If shards of other processes cannot be seen.
    """
    args = parse_args(argv)
    join_launcher(args.launcher, args.device, PATIENCE)
    human = read_coco(args.keep_ann_file) if args.keep_ann_file else None
    frames = dict(data_root=args.data_root, ann_file=args.ann_file, split_file=args.split_file)
    teachers = [
        build_teacher(*teacher, **frames, device=args.device, cfg_options=args.cfg_options)
        for teacher in args.teacher
    ]
    images = list_frames(teachers)
    classes = choose_classes(teachers, args.class_map, human)
    rules = LabelRules(args.score_thr, args.nms_iou, args.min_size, args.class_map)
    parameters = dict(
        teachers=[teacher.identity for teacher in teachers],
        frames=hash_json(images),
        human_labels=hash_json(human),
        drop_empty=args.drop_empty,
        **rules.parameters(),
    )
    with file_lock(args.out, 'pseudo labels', joint=True):
        return label(args, teachers, images, classes, rules, human, parameters)


def label(
    args: argparse.Namespace,
    teachers: Sequence[Teacher],
    images: Sequence[dict],
    classes: Sequence[str],
    rules: LabelRules,
    human: dict | None,
    parameters: dict,
) -> dict:
    """Label this process's share of the frames; the first one writes the COCO json. Return the statistics."""
    rank, world_size = get_dist_info()
    modalities = [teacher.modality for teacher in teachers]
    folder = args.out.with_name(f'{args.out.name}.parts')
    if rank == 0:
        AtomicLocalBackend.remove_leftovers(args.out.parent, args.out.name)
        if args.overwrite or args.out.exists():  # killed between the writing of the file and this
            remove_folder(folder)
        if args.overwrite:
            args.out.unlink(missing_ok=True)
    whole = [args.out.exists()]  # the first process's view counts: folders on a network lag
    broadcast_object_list(whole)
    if whole[0]:
        info = read_json(str(args.out)).get('info', {})
        refuse_other_parameters(
            info.get('parameters', {}), parameters, f'{args.out} was written with other parameters'
        )
        if rank == 0:
            print(f'{args.out} is whole already\n{format_statistics(info["statistics"])}')
        return info['statistics']

    labeled = {image['file_name'] for image in human['images']} if human else set()
    todo = [i for i, image in enumerate(images) if image['file_name'] not in labeled]
    work = [None]
    if rank == 0:  # looks what is done before anybody adds to it
        work = [cut_batches(todo, ResultShards(folder, parameters).read(), args.batch_size)]
    broadcast_object_list(work)
    shards = ResultShards(folder, parameters)
    batches = work[0][rank::world_size]
    name = 'pseudo labels' if world_size == 1 else f'pseudo labels, process 1 of {world_size}'
    total = sum(map(len, batches))
    with tqdm(total=total, desc=name, unit='frame', disable=rank > 0) as progress:
        results = label_batches(teachers, images, batches, classes, rules, args.num_workers)
        write_shards(results, shards, args.shard_frames, progress)
    barrier()

    answer = [None]
    if rank == 0:
        done = shards.read()
        if list(done) != todo:
            raise RuntimeError(
                f'{folder} lacks {len(set(todo) - set(done))} of {len(todo)} frames: all processes must '
                'write into one folder. Start again to label the rest'
            )
        statistics = dict(count_boxes(list(done.values()), modalities), human_frames=len(labeled))
        info = dict(
            description='pseudo labels of visual teachers', parameters=parameters, statistics=statistics
        )
        coco = build_coco(list(done.values()), classes, modalities, not args.drop_empty, info)
        write_json(args.out, merge_labels(human, coco) if human else coco)
        shards.remove()
        print(f'{args.out}\n{format_statistics(statistics)}')
        answer = [statistics]
    broadcast_object_list(answer)
    return answer[0]


if __name__ == '__main__':
    with one_line_errors():
        main()
        close_launcher()
