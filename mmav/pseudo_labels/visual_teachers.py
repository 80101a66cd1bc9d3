"""Visual teachers: trained detectors of one modality each, with the frames as they read them."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import nn

from mmav.structures.rig_comparison import check_same_rig, rig_of_metainfo, rig_of_model
from mmav.utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from mmav.utils.config_parts import class_of, common_dataset, dataset_metainfo, dataset_of
from mmav.utils.config_text import read_config_file
from mmav.utils.run_parameters import hash_json, hash_weights

from .pseudo_labels import as_label_boxes, map_labels

FRAME_KEYS = ('drive', 'frame_id', 'timestamp', 'time_of_day', 'motion', 'condition')


@dataclass
class Teacher:
    """A detector with the frames as its own test pipeline reads them.

    Attributes:
        modality: 'rgb', 'thermal', 'depth'.
        model: The detector, in evaluation mode on its device.
        dataset: The frames to label.
        classes: Class names of its labels.
        identity: All that its boxes depend on, as json can hold it: hashes of model, pipeline and weights.
    """

    modality: str
    model: BaseModel
    dataset: BaseDataset
    classes: Sequence[str]
    identity: dict

    def file_name(self, info: Mapping) -> str:
        """File name of a frame as annotation files have it: relative to the images' folder."""
        root = self.dataset.data_prefix.get('img') or self.dataset.data_root or ''
        path = info['img_path']
        return path[len(root) :].lstrip('/') if path.startswith(root) else path

    @torch.no_grad()
    def predict(self, batch: Mapping, targets: Sequence[str], class_map: Mapping) -> list:
        """Boxes of a batch of frames on the CPU, in pixels of the frame, and the frames' (height, width)."""
        results = []
        for sample in self.model.test_step(batch):
            found = as_label_boxes(sample.pred_instances, sample.ori_shape).cpu()
            results.append((map_labels(found, self.classes, targets, class_map), tuple(sample.ori_shape[:2])))
        return results


_LISTS = ('split_file', 'indices', 'filter_cfg', 'ann_file')  # which frames a data set has


def _needed(dataset: ConfigDict) -> dict:
    """What frames to label are read by: all but where they are, and which."""
    settings = {key: dataset.get(key) for key in ('pipeline', 'crop', 'data_prefix')}
    return dict(settings, type=class_of(dataset, DATASETS), classes=dataset_metainfo(dataset).get('classes'))


def build_frames(
    cfg: Config, data_root: str, ann_file: str | None = None, split_file: str | None = None
) -> BaseDataset:
    """Build a config's test data set on all frames to label, labeled or not.

    They are the images of a COCO json, or the lines ``<drive>/<id>`` of a split list. ValueError if the
    config's data set cannot list them, or wraps several that read frames differently.
    """
    source = f'{cfg.filename}: test_dataloader.dataset'
    settings = dict(common_dataset(dataset_of(cfg), _needed, source))
    for key in _LISTS:
        settings.pop(key, None)
    settings.update(data_root=data_root, test_mode=True)
    if ann_file:
        settings['ann_file'] = ann_file
    else:
        data_class = class_of(settings, DATASETS)
        if data_class is None or 'split_file' not in inspect.signature(data_class).parameters:
            raise ValueError(
                f'{cfg.filename}: {getattr(data_class, "__name__", settings["type"])} takes no split list; '
                'give a config with MAVDDataset, or the frames as --ann-file'
            )
        settings.update(ann_file='', split_file=split_file)
    try:
        return DATASETS.build(settings)
    except ValueError as error:
        raise ValueError(
            f'{cfg.filename}: its data set cannot list the frames of {ann_file or split_file}, '
            f'or there are none: {error}'
        ) from error


def check_data_rig(dataset: BaseDataset, model: nn.Module, config: str) -> None:
    """ValueError, which names the fields, unless a model makes acoustic images with the rig of the data."""
    rig = rig_of_metainfo(getattr(dataset, 'metainfo', None))
    remedy = 'Give model.data_preprocessor.acoustic_image the rig of the data to hear with that'
    check_same_rig(rig, {f'model of {config}': rig_of_model(model)}, 'data', remedy)


def count_classes(detector: nn.Module) -> set[int]:
    """Numbers of classes that a detector's box heads tell apart; empty if they do not say."""
    return {
        module.num_classes
        for name, module in detector.named_modules()
        if 'bbox_head' in name.split('.') and isinstance(getattr(module, 'num_classes', None), int)
    }


def find_classes(meta: Mapping, dataset: BaseDataset, model: nn.Module, source: str) -> Sequence[str]:
    """Class names of a teacher: those of its checkpoint's ``meta`` (MMDetection 3 or 2), else its config's.

    Raises:
        ValueError: If they are not as many as the classes that its head tells apart.
    """
    dataset_meta = {key.lower(): value for key, value in (meta.get('dataset_meta') or {}).items()}
    classes = dataset_meta.get('classes') or meta.get('CLASSES') or dataset.metainfo['classes']
    counts = count_classes(model)
    if counts and len(classes) not in counts:
        raise ValueError(
            f'{source}: its model tells {sorted(counts)} classes apart, but the names at hand are '
            f'{list(classes)[:10]}: '
            'name them in its config, test_dataloader.dataset.metainfo=dict(classes=...)'
        )
    return classes


def build_teacher(
    modality: str,
    config: str,
    checkpoint: str,
    data_root: str,
    ann_file: str | None = None,
    split_file: str | None = None,
    device: str = 'cpu',
    cfg_options: Mapping | None = None,
) -> Teacher:
    """Build a teacher from its config and load its checkpoint, strictly; frames as in :func:`build_frames`.

    Raises:
        RuntimeError: If the weights do not fit.
        ValueError: If its data set cannot list the frames, or its classes are not known.
    """
    cfg = read_config_file(config)
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = build_frames(cfg, data_root, ann_file, split_file)
    model = revert_sync_batchnorm(MODELS.build(cfg.model))
    content = read_checkpoint(checkpoint)
    state_dict = select_state_dict(content, source=checkpoint)
    load_strict(model, state_dict, source=checkpoint)
    check_data_rig(dataset, model, config)
    classes = find_classes(content.get('meta') or {}, dataset, model, source=checkpoint)
    identity = dict(
        modality=modality,
        model=hash_json(cfg.model.to_dict()),
        pipeline=hash_json(common_dataset(dataset_of(cfg), _needed, config).to_dict().get('pipeline')),
        weights=hash_weights(state_dict),
        classes=list(classes),
    )
    return Teacher(modality, model.to(device).eval(), dataset, classes, identity)


def list_frames(teachers: Sequence[Teacher]) -> list[dict]:
    """List the frames as COCO image entries, without size: ``file_name`` and what else is known of each.

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
    """Class names of the labels: the human labels' (COCO), else the map's, else the teachers'.

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
