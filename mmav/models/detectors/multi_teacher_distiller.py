"""An audio student supervised by visual detectors: MM-DistillNet, Rivera Valverde et al., CVPR 2021.

Shapes: B samples of a batch; H, W size of the network's input, the same for all modalities.
"""

import copy
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.utils.misc import reweight_loss_dict
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.config import ConfigDict
from mmengine.model import BaseDataPreprocessor, ModuleDict
from mmengine.structures import InstanceData
from torch import Tensor

from mmav.pseudo_labels.pseudo_labels import fuse_predictions
from mmav.pseudo_labels.visual_teachers import count_classes

from ..utils.feature_taps import check_tap, select_levels, tap_features
from ..utils.frozen_module import HiddenSubmodules
from ..utils.frozen_teachers import FrozenTeachers

Inputs = Tensor | dict[str, Tensor]


@dataclass(frozen=True)
class Alignment:
    """Which features a distillation loss compares.

    Attributes:
        student_tap: Submodule of the student.
        levels: Positions in its output.
        teacher_taps: Submodule by modality.
        teacher_levels: Positions by modality.
        weight: Factor of the loss.
    """

    student_tap: str
    levels: Sequence[int]
    teacher_taps: Mapping[str, str]
    teacher_levels: Mapping[str, Sequence[int]]
    weight: float


@MODELS.register_module()
class MultiTeacherDistiller(HiddenSubmodules, BaseDetector):
    """Trains a student of one modality by frozen teachers of others; detects by the student alone.

    The student learns the teachers' boxes (``pseudo_labels``) or those of the data set, and features like
    theirs (``distill_losses``), eq. (3): delta x detection losses + omega x distillation loss.

    The student's parameters are ``student.*``. The teachers are no part of ``parameters()``: no optimizer
    and no wrapper sees them. They are in the state dict, as ``teachers.<modality>.*``, only if
    ``save_teachers``; otherwise a resumed run reads their own checkpoints again. Prediction needs neither
    them nor their checkpoints. ``tools/model_converters/strip_visual.py`` takes the student out.

    Inputs are a dict by modality, each (B, channels, H, W), as ``AudioVisualDataPreprocessor`` gives them.
    Prediction takes the student's modality from it, or that tensor itself, and reads nothing else.

    Args:
        student: Config of any detector; its ``data_preprocessor`` is not used.
        teachers: By modality, see :class:`FrozenTeachers`. Their checkpoints are read when training starts;
            a checkpoint of None is an error then, and not before.
        distill_losses: By a name of your own (it is logged as ``loss_<name>``) a dict of ``loss``: config of
            a loss that takes the student's features [levels] and the teachers' [teachers][levels] and returns
            a scalar; ``student_tap``, ``teacher_tap``: submodules whose outputs these are ('neck', 'backbone'
            or any other; the teachers' may be a dict by modality; default 'neck'); ``levels``: positions in
            the student's output; ``teacher_levels``: in the teachers', a tuple or a dict of them by modality
            (default: the same); ``weight``: omega of eq. (3), default 1.
        pseudo_labels: None to learn the boxes of the data set. A dict to learn those of the teachers:
            ``score_thr``, ``nms_iou``, ``min_size`` of
            :func:`mmav.pseudo_labels.pseudo_labels.fuse_predictions`, and ``classes``, the class names of the
            student, where a teacher has others.
        detection_weight: delta of eq. (3). Defaults to 1.
        student_modality: What the student reads. Defaults to 'audio'.
        save_teachers: Whether the teachers are in checkpoints. Defaults to False.
        allow_untrained_teachers: Whether to train without the teachers' weights: for benchmarks and
            tests. Defaults to False.
        data_preprocessor: Config of the data preprocessor, with ``modality=None``.
        init_cfg: Initialization config; parts of the student are ``student.backbone`` and so on.

    Raises:
        ValueError: If an option is unknown, nothing is asked of the teachers, a tap does not exist, or the
            teachers' classes or normalization do not fit.
    """

    data_preprocessor: BaseDataPreprocessor
    teachers: FrozenTeachers

    def __init__(
        self,
        student: ConfigType,
        teachers: dict[str, ConfigType],
        distill_losses: dict[str, ConfigType] | None = None,
        pseudo_labels: OptConfigType = None,
        detection_weight: float = 1.0,
        student_modality: str = 'audio',
        save_teachers: bool = False,
        allow_untrained_teachers: bool = False,
        data_preprocessor: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if not distill_losses and pseudo_labels is None:
            raise ValueError(
                'MultiTeacherDistiller: neither distill_losses nor pseudo_labels: the teachers have no work; '
                'train the student alone'
            )
        if getattr(self.data_preprocessor, 'modality', None) is not None:
            raise ValueError(
                'MultiTeacherDistiller needs all modalities: set data_preprocessor.modality=None, '
                f'not {self.data_preprocessor.modality!r}'
            )
        # A copy: mmdet writes train_cfg and test_cfg into the config it is given.
        self.student = MODELS.build(ConfigDict(copy.deepcopy(student), data_preprocessor=None))
        self.hide('teachers', FrozenTeachers(teachers, self.data_preprocessor, allow_untrained_teachers))
        self.pseudo_labels = None if pseudo_labels is None else dict(pseudo_labels)
        if self.pseudo_labels is not None:
            self.teachers.map_classes(self.pseudo_labels.pop('classes', None), count_classes(self.student))
            nothing = InstanceData(
                bboxes=torch.zeros(0, 4), scores=torch.zeros(0), labels=torch.zeros(0).long()
            )
            fuse_predictions(dict(none=nothing), **self.pseudo_labels)  # wrong options show at once
        self.alignments = {name: self._alignment(name, cfg) for name, cfg in (distill_losses or {}).items()}
        self.distill_losses = ModuleDict(
            {name: MODELS.build(cfg['loss']) for name, cfg in (distill_losses or {}).items()}
        )
        self.detection_weight = detection_weight
        self.student_modality = student_modality
        self.save_teachers = save_teachers

    def _alignment(self, name: str, cfg: ConfigType) -> Alignment:
        where = f'distill_losses.{name}'
        unknown = set(cfg) - {'loss', 'student_tap', 'teacher_tap', 'levels', 'teacher_levels', 'weight'}
        if unknown or 'loss' not in cfg or 'levels' not in cfg:
            raise ValueError(
                f'{where} needs loss and levels and may have student_tap, teacher_tap, teacher_levels and '
                f'weight; it has {sorted(cfg)}'
            )
        levels = tuple(cfg['levels'])
        teacher_levels = self._by_modality(f'{where}.teacher_levels', cfg.get('teacher_levels', levels))
        for modality, chosen in {'student': levels, **teacher_levels}.items():
            if len(chosen) != len(levels) or not levels or min(chosen) < 0:
                raise ValueError(
                    f'{where}: levels are positions from 0, one of each teacher for each of the student; '
                    f'{modality} has {tuple(chosen)}, the student {levels}'
                )
        alignment = Alignment(
            student_tap=cfg.get('student_tap', 'neck'),
            levels=levels,
            teacher_taps=self._by_modality(f'{where}.teacher_tap', cfg.get('teacher_tap', 'neck')),
            teacher_levels=teacher_levels,
            weight=cfg.get('weight', 1.0),
        )
        check_tap(self.student, alignment.student_tap, 'student')
        for modality, tap in alignment.teacher_taps.items():
            check_tap(self.teachers[modality], tap, f'teachers.{modality}')
        return alignment

    def _by_modality(self, where: str, value: object) -> dict:
        if not isinstance(value, Mapping):
            return {modality: value for modality in self.teachers}
        if set(value) != set(self.teachers):
            raise ValueError(f'{where} names {sorted(value)}, the teachers are {sorted(self.teachers)}')
        return dict(value)

    def init_weights(self) -> None:
        """Initialize the student and read the teachers' checkpoints."""
        super().init_weights()
        self.teachers.load()

    def loss(self, batch_inputs: dict[str, Tensor], batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Compute all losses, eq. (3).

        Args:
            batch_inputs: The student's and every teacher's modality.
            batch_data_samples: Data samples, with ground truth unless ``pseudo_labels`` are made here.

        Returns:
            The student's own losses times ``detection_weight``, ``loss_<name>`` of each distillation
            loss times its weight and, with ``pseudo_labels``, ``pseudo_labels_per_frame``.

        Raises:
            KeyError: If a modality is missing.
            ValueError: If a teacher has no weights.
        """
        self._require_inputs(batch_inputs)
        self.teachers.require_weights()
        taps = {
            modality: [alignment.teacher_taps[modality] for alignment in self.alignments.values()]
            for modality in self.teachers
        }
        teacher_features, predictions = self.teachers(
            batch_inputs, batch_data_samples, taps, predict=self.pseudo_labels is not None
        )
        others = {}
        if self.pseudo_labels is not None:
            batch_data_samples = self.label(predictions, batch_data_samples)
            counts = [float(len(sample.gt_instances)) for sample in batch_data_samples]
            others['pseudo_labels_per_frame'] = batch_inputs[self.student_modality].new_tensor(counts).mean()

        student_taps = [alignment.student_tap for alignment in self.alignments.values()]
        with tap_features(self.student, student_taps) as student_features:
            losses = dict(self.student.loss(batch_inputs[self.student_modality], batch_data_samples))
        losses = reweight_loss_dict(losses, self.detection_weight)
        for name, alignment in self.alignments.items():
            others[f'loss_{name}'] = alignment.weight * self.distill_losses[name](
                select_levels(student_features, alignment.student_tap, alignment.levels, 'student'),
                [
                    select_levels(
                        teacher_features[modality],
                        alignment.teacher_taps[modality],
                        alignment.teacher_levels[modality],
                        f'teachers.{modality}',
                    )
                    for modality in self.teachers
                ],
            )
        taken = sorted(set(losses) & set(others))
        if taken:
            raise ValueError(f'the student logs {taken} too: give the distillation losses other names')
        return {**losses, **others}

    def label(self, predictions: dict[str, list[InstanceData]], samples: SampleList) -> SampleList:
        """Fuse the teachers' boxes into ground truth, as ``mavd_pseudo_labels.py`` does off line.

        Args:
            predictions: Boxes of each sample by modality, in pixels of the original image.
            samples: Data samples with ``scale_factor`` and ``img_shape``; not changed.

        Returns:
            New samples with ``gt_instances`` in pixels of the network's input.
        """
        labeled = []
        for number, sample in enumerate(samples):
            fused = fuse_predictions(
                {modality: found[number] for modality, found in predictions.items()},
                **(self.pseudo_labels or {}),
            )
            height, width = sample.img_shape[:2]
            boxes = fused.bboxes * fused.bboxes.new_tensor(sample.scale_factor).repeat(2)
            boxes = boxes.clamp(min=0).minimum(boxes.new_tensor([width, height] * 2))
            truth = InstanceData(bboxes=boxes, labels=fused.labels)
            labeled.append(DetDataSample(metainfo=sample.metainfo, gt_instances=truth))
        return labeled

    def predict(
        self, batch_inputs: Inputs, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Predict boxes by the student, of its modality (B, channels, H, W), or of a dict that holds it."""
        return self.student.predict(self._student_inputs(batch_inputs), batch_data_samples, rescale)

    def extract_feat(self, batch_inputs: Inputs) -> tuple[Tensor, ...]:
        """Compute the student's features."""
        return self.student.extract_feat(self._student_inputs(batch_inputs))

    def _forward(self, batch_inputs: Inputs, batch_data_samples: SampleList | None = None) -> tuple:
        """Raw outputs of the student."""
        return self.student._forward(self._student_inputs(batch_inputs), batch_data_samples)

    def _student_inputs(self, batch_inputs: Inputs) -> Tensor:
        if isinstance(batch_inputs, Tensor):
            return batch_inputs
        if self.student_modality not in batch_inputs:
            raise KeyError(
                f'MultiTeacherDistiller: the student reads {self.student_modality!r}, the inputs hold only '
                f'{sorted(batch_inputs)}'
            )
        return batch_inputs[self.student_modality]

    def _require_inputs(self, batch_inputs: Inputs) -> None:
        given: Container[str] = () if isinstance(batch_inputs, Tensor) else batch_inputs
        missing = [name for name in (self.student_modality, *self.teachers) if name not in given]
        if missing:
            raise KeyError(
                f'MultiTeacherDistiller: training needs {missing}; add them to the training pipeline '
                '(LoadMultichannelAudio, LoadVisualModalities) or train without these teachers'
            )

    # what nn.Module would do for the teachers if they were a submodule

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.save_teachers:
            self.teachers.state_dict(
                destination=destination, prefix=f'{prefix}teachers.', keep_vars=keep_vars
            )

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        start = f'{prefix}teachers.'
        others = {name: value for name, value in state_dict.items() if not name.startswith(start)}
        super()._load_from_state_dict(
            others, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        saved = {name[len(start) :]: value for name, value in state_dict.items() if name.startswith(start)}
        missing, unexpected = self.teachers.load_saved(saved) if self.save_teachers else ([], list(saved))
        missing_keys.extend(start + name for name in missing)
        if strict:
            unexpected_keys.extend(start + name for name in unexpected)
