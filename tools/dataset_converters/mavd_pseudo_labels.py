"""Label camera frames with visual teachers: one fused COCO file from any MMDetection detectors.

Example:
    python tools/dataset_converters/mavd_pseudo_labels.py data/mavd/annotations/pseudo_train.json \
        --teacher rgb configs/rgb.py rgb.pth --teacher thermal configs/thermal.py thermal.pth \
        --data-root data/mavd --split-file train.txt

A stopped run carries on where it was when started again with the same arguments.
"""

import argparse
import hashlib
import inspect
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures.bbox import get_box_tensor
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_dist_info
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.ops import clip_boxes_to_image
from tqdm import tqdm

import mmav  # noqa: F401  registers what configs name
from mmav.utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from mmav.utils.claims import refuse_other_parameters
from mmav.utils.files import write_json
from mmav.utils.pseudo_labels import (
    build_coco,
    count_agreement,
    count_boxes,
    format_statistics,
    fuse_predictions,
    map_labels,
    merge_labels,
)
from mmav.utils.result_shards import ResultShards

FRAME_KEYS = ('drive', 'frame_id', 'timestamp', 'time_of_day', 'motion', 'condition')


@dataclass
class Teacher:
    """A detector with the frames as its own test pipeline reads them."""

    modality: str
    model: nn.Module
    dataset: Dataset
    classes: Sequence[str]
    identity: dict

    def file_name(self, info: Mapping) -> str:
        """File name of a frame as annotation files have it: relative to the pictures' folder."""
        root = self.dataset.data_prefix.get('img') or self.dataset.data_root or ''
        path = info['img_path']
        return path[len(root) :].lstrip('/') if path.startswith(root) else path

    @torch.no_grad()
    def predict(self, batch: Mapping, targets: Sequence[str], class_map: Mapping) -> list:
        """Boxes of a batch of frames on the CPU, in pixels of the frame, and the frames' (height, width)."""
        results = []
        for sample in self.model.test_step(batch):
            found = sample.pred_instances
            boxes = clip_boxes_to_image(get_box_tensor(found.bboxes).float(), sample.ori_shape[:2])
            boxes = (
                boxes.mul(100).round().div(100)
            )  # as written, so that no later rounding undercuts min_size
            found = InstanceData(bboxes=boxes, scores=found.scores.float(), labels=found.labels).cpu()
            results.append((map_labels(found, self.classes, targets, class_map), tuple(sample.ori_shape[:2])))
        return results


def hash_weights(state_dict: Mapping[str, Tensor]) -> str:
    """SHA-256 of names and values, whatever else the checkpoint holds."""
    digest = hashlib.sha256()
    for name, value in state_dict.items():
        digest.update(name.encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def hash_json(content: object) -> str:
    """SHA-256 of something json can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def build_frames(cfg: Config, args: argparse.Namespace) -> Dataset:
    """Build the config's test data set on the frames to label.

    Raises:
        ValueError: If the config's data set cannot list them.
    """
    settings = dict(cfg.test_dataloader.dataset)
    if 'dataset' in settings or 'datasets' in settings:
        raise ValueError(
            f'{cfg.filename}: test_dataloader.dataset ({settings["type"]}) wraps others; '
            'give a config that tests on a single data set'
        )
    for key in ('split_file', 'indices', 'filter_cfg', 'ann_file'):
        settings.pop(key, None)
    settings.update(data_root=args.data_root, test_mode=True)
    if args.ann_file:
        settings['ann_file'] = args.ann_file
    else:
        data_class = DATASETS.get(settings['type'])
        if data_class is None or 'split_file' not in inspect.signature(data_class).parameters:
            raise ValueError(
                f'{cfg.filename}: {settings["type"]} takes no split list; '
                'give a config with MAVDDataset, or the frames as --ann-file'
            )
        settings.update(ann_file='', split_file=args.split_file)
    try:
        return DATASETS.build(settings)
    except ValueError as error:
        raise ValueError(
            f'{cfg.filename}: its data set cannot list the frames of {args.ann_file or args.split_file}, '
            f'or there are none: {error}'
        ) from error


def find_classes(meta: Mapping, dataset: Dataset, model: nn.Module, source: str) -> Sequence[str]:
    """Class names of a teacher: its checkpoint's, of MMDetection 3 or 2, else those of its config's data.

    Raises:
        ValueError: If they are not as many as the classes that its head tells apart.
    """
    dataset_meta = {key.lower(): value for key, value in (meta.get('dataset_meta') or {}).items()}
    classes = dataset_meta.get('classes') or meta.get('CLASSES') or dataset.metainfo['classes']
    counts = {
        module.num_classes
        for name, module in model.named_modules()
        if 'bbox_head' in name.split('.') and isinstance(getattr(module, 'num_classes', None), int)
    }
    if counts and len(classes) not in counts:
        raise ValueError(
            f'{source}: its model tells {sorted(counts)} classes apart, but the names at hand are '
            f'{list(classes)[:10]}: '
            'name them in its config, test_dataloader.dataset.metainfo=dict(classes=...)'
        )
    return classes


def build_teacher(modality: str, config: str, checkpoint: str, args: argparse.Namespace) -> Teacher:
    """Build a teacher from its config and load its checkpoint, strictly."""
    cfg = Config.fromfile(config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = build_frames(cfg, args)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    content = read_checkpoint(checkpoint)
    state_dict = select_state_dict(content, source=checkpoint)
    load_strict(model, state_dict, source=checkpoint)
    classes = find_classes(content.get('meta') or {}, dataset, model, source=checkpoint)
    identity = dict(
        modality=modality,
        model=hash_json(cfg.model.to_dict()),
        pipeline=hash_json(cfg.test_dataloader.dataset.to_dict().get('pipeline')),
        weights=hash_weights(state_dict),
        classes=list(classes),
    )
    return Teacher(modality, model.to(args.device).eval(), dataset, classes, identity)


def list_frames(teachers: Sequence[Teacher]) -> list[dict]:
    """List the frames as COCO image entries, without size.

    Raises:
        ValueError: If there are none, one comes twice, or the teachers' data sets list different ones.
    """
    lists = []
    for teacher in teachers:
        infos = (teacher.dataset.get_data_info(i) for i in range(len(teacher.dataset)))
        lists.append(
            [
                dict(
                    file_name=teacher.file_name(info),
                    **{k: info[k] for k in FRAME_KEYS if info.get(k) is not None},
                )
                for info in infos
            ]
        )
    names = [[frame['file_name'] for frame in frames] for frames in lists]
    if not names[0]:
        raise ValueError('there is no frame to label: check --data-root and the list of frames')
    if len(set(names[0])) < len(names[0]):
        raise ValueError('the list of frames names a frame twice')
    for teacher, other in zip(teachers, names):
        if other != names[0]:
            raise ValueError(
                f'the data sets of teachers {teachers[0].modality} ({len(names[0])} frames) and '
                f'{teacher.modality} ({len(other)} frames) list different frames: '
                'filters in their configs must agree'
            )
    return lists[0]


def choose_classes(teachers: Sequence[Teacher], class_map: Mapping, human: Mapping | None) -> list[str]:
    """Class names of the labels: the human labels', else the map's, else the teachers'.

    Raises:
        ValueError: If a teacher's classes do not fit.
    """
    targets = [category['name'] for category in human['categories']] if human else []
    targets = targets or list(dict.fromkeys(class_map.values())) or list(teachers[0].classes)
    for teacher in teachers:
        names = class_map.keys() & set(teacher.classes) if class_map else set(teacher.classes)
        unfit = sorted(name for name in names if class_map.get(name, name) not in targets)
        if unfit or not names:
            raise ValueError(
                f'teacher {teacher.modality} has classes {list(teacher.classes)[:10]}, the labels {targets}: '
                'name the pairs with --class-map, as in --class-map car=vehicle truck=vehicle'
            )
    return targets


def label_frames(
    teachers: Sequence[Teacher],
    images: Sequence[Mapping],
    indices: Sequence[int],
    classes: Sequence[str],
    args: argparse.Namespace,
) -> Iterable[tuple[int, dict]]:
    """Label frames, one after the other.

    Args:
        teachers: The teachers.
        images: COCO image entries of all frames.
        indices: Positions of the frames to label.
        classes: Class names of the labels.
        args: Batch size, workers, thresholds.

    Yields:
        Position and labels of each frame, as :func:`build_coco` takes them, with ``agreement``.

    Raises:
        ValueError: If the teachers see frames of different sizes.
    """
    loaders = [
        DataLoader(
            Subset(teacher.dataset, indices),
            batch_size=args.batch_size,
            num_workers=args.num_workers,
            collate_fn=pseudo_collate,
        )
        for teacher in teachers
    ]
    positions = iter(indices)
    limits = dict(score_thr=args.score_thr, min_size=args.min_size)
    for batches in zip(*loaders):
        results = [t.predict(batch, classes, args.class_map) for t, batch in zip(teachers, batches)]
        for found in zip(*results):
            index = next(positions)
            sizes = {t.modality: size for t, (_, size) in zip(teachers, found)}
            if len(set(sizes.values())) > 1:
                raise ValueError(
                    f'{images[index]["file_name"]}: the teachers see frames of different (height, width), '
                    f'{sizes}: their pipelines must crop alike'
                )
            predictions = {t.modality: boxes for t, (boxes, _) in zip(teachers, found)}
            fused = fuse_predictions(predictions, nms_iou=args.nms_iou, **limits)
            height, width = found[0][1]
            yield (
                index,
                dict(
                    image=dict(images[index], height=height, width=width),
                    bboxes=[[round(v, 2) for v in box] for box in fused.bboxes.tolist()],
                    scores=[round(score, 4) for score in fused.scores.tolist()],
                    labels=fused.labels.tolist(),
                    modality_ids=fused.modality_ids.tolist(),
                    agreement=count_agreement(predictions, **limits).tolist(),
                ),
            )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path, help='COCO json to write')
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
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--shard-frames', type=int, default=256, help='frames between two savings')
    parser.add_argument('--overwrite', action='store_true', help='begin anew, whatever is there')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='changes to all configs')
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
    """Label the frames, write the COCO json and return the statistics."""
    args = parse_args(argv)
    human = json.loads(Path(args.keep_ann_file).read_text()) if args.keep_ann_file else None
    teachers = [build_teacher(*teacher, args) for teacher in args.teacher]
    modalities = [teacher.modality for teacher in teachers]
    images = list_frames(teachers)
    classes = choose_classes(teachers, args.class_map, human)
    parameters = dict(
        teachers=[teacher.identity for teacher in teachers],
        frames=hash_json(images),
        human_labels=hash_json(human),
        **{
            key: getattr(args, key) for key in ('score_thr', 'nms_iou', 'min_size', 'class_map', 'drop_empty')
        },
    )
    folder = args.out.with_name(f'{args.out.name}.parts')
    if args.overwrite:
        shutil.rmtree(folder, ignore_errors=True)
        args.out.unlink(missing_ok=True)
    elif args.out.exists():
        info = json.loads(args.out.read_text()).get('info', {})
        refuse_other_parameters(
            info.get('parameters', {}), parameters, f'{args.out} was written with other parameters'
        )
        print(f'{args.out} is whole already\n{format_statistics(info["statistics"])}')
        return info['statistics']
    args.out.parent.mkdir(parents=True, exist_ok=True)

    shards = ResultShards(folder, parameters)
    labelled = {image['file_name'] for image in human['images']} if human else set()
    todo = [i for i, image in enumerate(images) if image['file_name'] not in labelled]
    done = shards.read()
    # one process today; by position, so that shards stay good whatever the number of processes
    rank, world_size = get_dist_info()
    indices = [i for i in todo if i not in done and i % world_size == rank]
    with tqdm(total=len(todo), initial=len(done), desc='pseudo labels', unit='frame') as progress:
        fresh: dict[int, dict] = {}
        for index, frame in label_frames(teachers, images, indices, classes, args) if indices else ():
            fresh[index] = frame
            progress.update()
            if len(fresh) == args.shard_frames:
                shards.write(fresh)
                fresh = {}
        shards.write(fresh)

    frames = list(shards.read().values())
    statistics = dict(count_boxes(frames, modalities), human_frames=len(labelled))
    info = dict(description='pseudo labels of visual teachers', parameters=parameters, statistics=statistics)
    coco = build_coco(frames, classes, modalities, not args.drop_empty, info)
    write_json(args.out, merge_labels(human, coco) if human else coco)
    shards.remove()
    print(f'{args.out}\n{format_statistics(statistics)}')
    return statistics


if __name__ == '__main__':
    main()
