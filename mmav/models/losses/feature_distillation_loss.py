"""What every loss between a student's and its teachers' feature maps shares: the walk over levels and
teachers, the resizing to a common size, single precision.

Shapes: B samples, C channels, H and W height and width of a level's map.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmav.utils.checks import check_choice, check_range
from mmav.utils.precision import full_precision_dtype


def resize_to_smallest(maps: Sequence[Tensor], limit: int | None = None) -> list[Tensor]:
    """Bring maps (B, C_i, H_i, W_i) to the smallest height and width (at most ``limit``) by averaging.

    Those that already have the size stay as they came.
    """
    sizes = [tuple(m.shape[-2:]) for m in maps]
    size = tuple(min(sides) if limit is None else min(*sides, limit) for sides in zip(*sizes, strict=True))
    return [m if s == size else F.adaptive_avg_pool2d(m, size) for m, s in zip(maps, sizes, strict=True)]


class FeatureDistillationLoss(nn.Module, ABC):
    """Base of the losses that pull a student's features towards its teachers'.

    A subclass gives :meth:`pair_loss`, the loss of one level with one teacher. Levels are summed, as in
    eq. (2) of MM-DistillNet. Teachers are targets: no gradient flows into them. Everything is computed
    outside autocast in single precision (double, where the student's features are).

    Args:
        loss_weight: Factor of the result. Defaults to 1.0.
        multi_teacher: How several teachers become one loss. 'loss_mean': the mean of the losses with
            each teacher. 'feature_mean': the loss with the mean of the teachers' features, which must
            have equal channels. With one teacher they are the same. Defaults to 'loss_mean'.

    Raises:
        ValueError: If ``loss_weight`` is negative or ``multi_teacher`` is none of ``multi_teacher_choices``.
    """

    multi_teacher_choices: tuple[str, ...] = ('loss_mean', 'feature_mean')

    def __init__(self, loss_weight: float = 1.0, multi_teacher: str = 'loss_mean') -> None:
        super().__init__()
        check_range(self._name, 'loss_weight', loss_weight, 0)
        check_choice(self._name, 'multi_teacher', multi_teacher, self.multi_teacher_choices)
        self.loss_weight = loss_weight
        self.multi_teacher = multi_teacher

    @property
    def _name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def pair_loss(self, student: Tensor, teacher: Tensor, level: int, teacher_index: int) -> Tensor:
        """The loss, not weighted, of one level with one teacher: a scalar, the mean over the batch.

        Of (B, C_s, H_s, W_s) and (B, C_t, H_t, W_t), B > 0. ``level`` and ``teacher_index`` are their places
        in the lists; 0 for the mean of the teachers' features.
        """

    def level_loss(self, student: Tensor, teachers: Sequence[Tensor], level: int) -> Tensor:
        """The loss, not weighted, of a level with all teachers; ValueError if channels to average differ."""
        if self.multi_teacher == 'feature_mean':
            channels = [teacher.shape[1] for teacher in teachers]
            if len(set(channels)) > 1:
                raise ValueError(
                    f'{self._name}: features of teachers with {channels} channels (level {level}) cannot '
                    "be averaged; tap them where the channels agree or set multi_teacher='loss_mean'"
                )
            teachers = [torch.stack(resize_to_smallest(teachers)).mean(0)]
        losses = [self.pair_loss(student, teacher, level, i) for i, teacher in enumerate(teachers)]
        return torch.stack(losses).mean()

    def forward(self, student_feats: Sequence[Tensor], teacher_feats: Sequence[Sequence[Tensor]]) -> Tensor:
        """Compute the loss over all levels and teachers.

        Args:
            student_feats: The student's features, one (B, C, H, W) a level.
            teacher_feats: The teachers' features, [teachers][levels]. Sizes may differ from the
                student's: the smaller one counts.

        Returns:
            Scalar, weighted; 0 with a graph for an empty batch.

        Raises:
            ValueError: If there is no teacher or no level, or if levels, batch sizes or dimensions do
                not agree.
        """
        self.check(student_feats, teacher_feats)
        if len(student_feats[0]) == 0:
            return self._zero(student_feats)
        with torch.autocast(student_feats[0].device.type, enabled=False):
            dtype = full_precision_dtype(student_feats[0])
            losses = []
            for level, student in enumerate(student_feats):
                teachers = [feats[level].detach().to(dtype) for feats in teacher_feats]
                losses.append(self.level_loss(student.to(dtype), teachers, level))
            return self.loss_weight * torch.stack(losses).sum()

    def check(self, student_feats: Sequence[Tensor], teacher_feats: Sequence[Sequence[Tensor]]) -> None:
        """Raise the errors of :meth:`forward`."""
        if not len(student_feats) or not len(teacher_feats):
            raise ValueError(
                f'{self._name}: at least one level and one teacher are needed, got '
                f'{len(student_feats)} levels and {len(teacher_feats)} teachers'
            )
        shapes = [tuple(feat.shape) for feat in student_feats]
        for index, feats in enumerate(teacher_feats):
            got = [tuple(feat.shape) for feat in feats]
            if (
                len(got) != len(shapes)
                or any(len(shape) != 4 for shape in shapes + got)
                or len({shape[0] for shape in shapes + got}) > 1
            ):
                raise ValueError(
                    f'{self._name}: the student has features {shapes}, teacher {index} has {got}; expected '
                    'as many levels (B, C, H, W) of the same B; teacher_feats is [teachers][levels]'
                )

    def _zero(self, student_feats: Sequence[Tensor]) -> Tensor:
        """0 that depends on every feature and parameter, so that no distributed worker waits for one."""
        return 0 * torch.stack([part.float().sum() for part in (*student_feats, *self.parameters())]).sum()
