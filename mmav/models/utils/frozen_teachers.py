"""Trained detectors of one modality each that label and give features, and are never trained.

Shapes: B samples of a batch; H, W size of the network's input; N boxes of a sample.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample, SampleList
from mmdet.utils import ConfigType
from mmengine.logging import print_log
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmav.pseudo_labels.pseudo_labels import as_label_boxes, map_labels
from mmav.pseudo_labels.visual_teachers import count_classes
from mmav.utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from mmav.utils.config_text import read_config_file

from .feature_taps import tap_features
from .frozen_module import FrozenModule, build_frozen
from .normalization import image_normalization

OPTIONS = {'config', 'model', 'checkpoint', 'classes', 'class_map'}

Features = dict[str, tuple[Tensor, ...]]


class FrozenTeachers(FrozenModule, nn.ModuleDict):
    """Teachers by modality: in evaluation mode whatever is asked, without gradients.

    Args:
        teachers: By modality ``dict(model=, checkpoint=)`` or ``dict(config=, checkpoint=)``: the detector's
            config, or the path of a config file with it under ``model``; and its checkpoint or None.
            Where a teacher tells other classes apart than the student: ``classes``, the names of its
            classes, and ``class_map``, its class to the student's (missing: names stay; classes that the
            map leaves out are not taken).
        data_preprocessor: What prepares the teachers' inputs. A teacher whose config has a
            ``data_preprocessor`` must have been trained on images normalized alike.
        allow_untrained: Whether teachers may do their work without weights. Defaults to False.

    Raises:
        ValueError: If there is no teacher, an option is unknown, or a teacher's images are normalized in
            another way.
    """

    def __init__(
        self,
        teachers: Mapping[str, ConfigType],
        data_preprocessor: BaseDataPreprocessor | None = None,
        allow_untrained: bool = False,
    ) -> None:
        super().__init__()
        self.allow_untrained = allow_untrained
        if not teachers:
            raise ValueError('there is no teacher: teachers=dict(rgb=dict(model=..., checkpoint=...))')
        self.checkpoints: dict[str, str | None] = {}
        self.classes: dict[str, Sequence[str] | None] = {}
        self.class_maps: dict[str, Mapping[str, str]] = {}
        self.ready: dict[str, bool] = {}
        self.targets: Sequence[str] | None = None
        for modality, options in teachers.items():
            where = f'teachers.{modality}'
            unknown = set(options) - OPTIONS
            if unknown:
                raise ValueError(
                    f'{where} has unknown options {sorted(unknown)}; known are {sorted(OPTIONS)}'
                )
            if (options.get('model') is None) == (options.get('config') is None):
                raise ValueError(f'{where}: give either model=dict(...) or config=PATH')
            model = options.get('model')
            if model is None:
                model = read_config_file(options['config']).model
            self[modality] = build_frozen(model)
            _check_normalization(where, modality, model, self[modality], data_preprocessor)
            self.checkpoints[modality] = options.get('checkpoint')
            self.classes[modality] = options.get('classes')
            self.class_maps[modality] = options.get('class_map') or {}
            self.ready[modality] = False
        self.freeze()

    def load(self, again: bool = True) -> None:
        """Read the checkpoints that were given, each strictly, and once more ``again``.

        Raises:
            RuntimeError: If a checkpoint does not fit; the message lists names and shapes.
        """
        for modality, path in self.checkpoints.items():
            if path is None or (self.ready[modality] and not again):
                continue
            state_dict = select_state_dict(read_checkpoint(path), source=path)
            load_strict(self[modality], state_dict, source=f'{path} (model.teachers.{modality}.checkpoint)')
            self.ready[modality] = True
            print_log(f'teacher {modality}: loaded {path}', logger='current')

    def load_saved(self, state_dict: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
        """Take weights ``<modality>.*`` of a distiller's state dict; return names missing and unexpected."""
        missing, unexpected = self.load_state_dict(state_dict, strict=False)
        for modality in self.ready:
            whole = not any(name.startswith(f'{modality}.') for name in missing)
            self.ready[modality] = self.ready[modality] or whole
        return list(missing), list(unexpected)

    def require_weights(self) -> None:
        """Load what is not loaded yet; ValueError if a teacher has no weights."""
        self.load(again=False)
        lacking = [modality for modality, ready in self.ready.items() if not ready]
        if lacking and not self.allow_untrained:
            options = ' '.join(f'model.teachers.{modality}.checkpoint=FILE' for modality in lacking)
            raise ValueError(
                f'training needs the weights of the teachers {lacking}: --cfg-options {options} '
                '(prediction does not need them)'
            )

    def map_classes(self, targets: Sequence[str] | None, num_classes: set[int]) -> None:
        """ValueError unless the teachers' labels can become the student's.

        ``targets`` are the student's class names, None where all tell the same classes apart; ``num_classes``
        those of the student's heads.
        """
        self.targets = targets
        for modality, teacher in self.items():
            where, names, class_map = (
                f'teachers.{modality}',
                self.classes[modality],
                self.class_maps[modality],
            )
            own = count_classes(teacher)
            if names is None:
                if class_map or (own and num_classes and own != num_classes):
                    raise ValueError(
                        f'{where} tells {sorted(own)} classes apart, the student {sorted(num_classes)}: '
                        f'name them, {where}.classes and pseudo_labels.classes, and give {where}.class_map'
                    )
                continue
            if targets is None:
                raise ValueError(f"{where} has classes, so pseudo_labels.classes must name the student's")
            if own and len(names) not in own:
                raise ValueError(f'{where}.classes names {len(names)} classes, its head has {sorted(own)}')
            wanted = class_map if class_map else {name: name for name in names}
            unfit = sorted(
                name for name, target in wanted.items() if name not in names or target not in targets
            )
            if unfit:
                raise ValueError(
                    f'{where}: {unfit} are no classes of the teacher or have none among {list(targets)}: '
                    f'set {where}.class_map=dict(<its class>=<label>)'
                )

    @torch.no_grad()
    def forward(
        self,
        inputs: Mapping[str, Tensor],
        samples: SampleList,
        taps: Mapping[str, Iterable[str]],
        predict: bool,
    ) -> tuple[dict[str, Features], dict[str, list[InstanceData]]]:
        """Run every teacher once.

        Args:
            inputs: Images by modality, (B, channels, H, W).
            samples: Data samples with the metainfo of the inputs; not changed.
            taps: By modality, names of the submodules whose output is wanted.
            predict: Whether boxes are wanted; without, no head is run.

        Returns:
            Outputs of the taps by modality, see :func:`tap_features`; and, by modality, the boxes of
            each sample in pixels of the original image (empty without ``predict``).
        """
        features: dict[str, Features] = {}
        predictions: dict[str, list[InstanceData]] = {}
        teacher: BaseDetector
        for modality, teacher in self.items():
            with tap_features(teacher, taps.get(modality, ())) as features[modality]:
                if predict:
                    # under autocast as the student, but mmcv's NMS takes no half precision on a CPU
                    full = inputs[modality].device.type == 'cpu'
                    copies = [DetDataSample(metainfo=sample.metainfo) for sample in samples]
                    with torch.autocast('cpu', enabled=False) if full else nullcontext():
                        results = teacher.predict(inputs[modality], copies, rescale=True)
                    predictions[modality] = [self._as_labels(modality, result) for result in results]
                else:
                    teacher.extract_feat(inputs[modality])
        return features, predictions

    def _as_labels(self, modality: str, result: DetDataSample) -> InstanceData:
        boxes = as_label_boxes(result.pred_instances, result.ori_shape)
        names = self.classes[modality]
        if names is None:
            return boxes
        assert self.targets is not None  # or map_classes would have refused the names
        return map_labels(boxes, names, self.targets, self.class_maps[modality])


def _check_normalization(
    where: str,
    modality: str,
    model: ConfigType,
    teacher: BaseDetector,
    data_preprocessor: BaseDataPreprocessor | None,
) -> None:
    if model.get('data_preprocessor') is None or data_preprocessor is None:
        return
    trained, given = (
        image_normalization(preprocessor, modality)
        for preprocessor in (teacher.data_preprocessor, data_preprocessor)
    )
    if trained is not None and given is not None and trained != given:
        raise ValueError(
            f'{where} was trained on images with (mean, std, bgr_to_rgb) {trained}, but the distiller '
            f"gives it {given}: set data_preprocessor.modalities.{modality} to the teacher's"
        )
