"""Attentive feature distillation (AFD), a baseline in Table 2 of MM-DistillNet: Wang, Gao, Zhao, Li, Dou and
Xu, "Pay attention to features, transfer learn faster CNNs" (ICLR 2020).

Shapes: B samples, C channels, H and W height and width of a level's map.

In the form taken here (docs/deviations.md), with x^c the map of channel c divided by its L2 norm, s the
student's, t the teacher's features, and rho^c the learned importance of channel c of this teacher's features,

    L = sum_c rho^c(t) |x_s^c - x_t^c|^2,    sum_c rho^c = 1.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import constant_init
from torch import Tensor, nn

from mmav.utils.checks import check_positive

from .feature_distillation_loss import FeatureDistillationLoss, resize_to_smallest


def afd_loss(student: Tensor, teacher: Tensor, attention: Tensor) -> Tensor:
    """Attentive feature distillation of one level with one teacher.

    Args:
        student: (B, C, H_s, W_s).
        teacher: (B, C, H_t, W_t).
        attention: rho, (B, C), not negative, of sum 1 over the channels.

    Returns:
        Scalar in 0..4, the mean over the batch.

    Example:
        >>> maps, attention = torch.eye(2).view(1, 2, 1, 2), torch.full((1, 2), 0.5)
        >>> afd_loss(maps, maps, attention), afd_loss(maps, -maps, attention)  # the least and the greatest
        (tensor(0.), tensor(4.))
    """
    student, teacher = (F.normalize(m.flatten(2), dim=2) for m in resize_to_smallest((student, teacher)))
    return (attention * (student - teacher).square().sum(2)).sum(1).mean()


class ChannelAttention(nn.Module):
    """rho: the importance of each channel, learned, from the mean activation of all.

    Two linear layers with a ReLU between them, then a softmax. The second starts at 0, so that at first
    all channels count the same.

    Args:
        channels: C.
        reduction: The hidden layer has C / reduction units, at least one. Defaults to 4.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.layers = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        constant_init(self.layers[-1], 0)

    def forward(self, feat: Tensor) -> Tensor:
        """Weigh the channels of (B, C, H, W): (B, C), of sum 1."""
        return self.layers(feat.mean((2, 3))).softmax(1)


@MODELS.register_module()
class AFDLoss(FeatureDistillationLoss):
    """Attentive feature distillation, the sum of :func:`afd_loss` over the levels.

    It has parameters that are trained with the student: an attention for each teacher and level, and where
    the student's channels are not the teachers', a 1x1 convolution that makes them so.

    Args:
        student_channels: Channels of each level of the student.
        teacher_channels: Channels of each level of the teachers.
        num_teachers: How many teachers have an attention of their own; read with 'loss_mean' alone.
            Defaults to 1.
        reduction: See :class:`ChannelAttention`. Defaults to 4.
        loss_weight: Factor of the result. Defaults to 1.0.
        multi_teacher: 'loss_mean' ("Avg. AFD loss", Table 2) or 'feature_mean', see
            :class:`FeatureDistillationLoss`. Defaults to 'loss_mean'.

    Raises:
        ValueError: If the lists of channels are not of one length, or ``num_teachers`` or ``reduction``
            is not positive; else as :class:`FeatureDistillationLoss`.

    Example:
        >>> loss, maps = AFDLoss(student_channels=[2], teacher_channels=[2]), torch.eye(2).view(1, 2, 1, 2)
        >>> loss([maps], [[maps]]).item(), loss([maps], [[-maps]]).item()  # one level, one teacher
        (0.0, 4.0)
    """

    def __init__(
        self,
        student_channels: Sequence[int],
        teacher_channels: Sequence[int],
        num_teachers: int = 1,
        reduction: int = 4,
        loss_weight: float = 1.0,
        multi_teacher: str = 'loss_mean',
    ) -> None:
        super().__init__(loss_weight, multi_teacher)
        if len(student_channels) != len(teacher_channels):
            raise ValueError(
                f'AFDLoss: as many levels are needed in student_channels {tuple(student_channels)} as in '
                f'teacher_channels {tuple(teacher_channels)}'
            )
        check_positive('AFDLoss', num_teachers=num_teachers, reduction=reduction)
        self.student_channels = list(student_channels)
        self.teacher_channels = list(teacher_channels)
        self.connectors = nn.ModuleList(
            nn.Identity() if of_student == of_teacher else nn.Conv2d(of_student, of_teacher, 1)
            for of_student, of_teacher in zip(self.student_channels, self.teacher_channels)
        )
        self.attentions = nn.ModuleList(
            nn.ModuleList(ChannelAttention(channels, reduction) for channels in teacher_channels)
            for _ in range(num_teachers if multi_teacher == 'loss_mean' else 1)
        )

    def check(self, student_feats: Sequence[Tensor], teacher_feats: Sequence[Sequence[Tensor]]) -> None:
        """As in the base class; also whether the features are those that the constructor was told of."""
        super().check(student_feats, teacher_feats)
        got = [[feat.shape[1] for feat in feats] for feats in (student_feats, *teacher_feats)]
        if got[0] != self.student_channels or any(of_t != self.teacher_channels for of_t in got[1:]):
            raise ValueError(
                f'AFDLoss: built for student_channels={self.student_channels} and '
                f'teacher_channels={self.teacher_channels}, got {got[0]} and {got[1:]}'
            )
        if self.multi_teacher == 'loss_mean' and len(teacher_feats) != len(self.attentions):
            raise ValueError(
                f'AFDLoss: built for num_teachers={len(self.attentions)}, got {len(teacher_feats)} teachers'
            )

    def level_loss(self, student: Tensor, teachers: Sequence[Tensor], level: int) -> Tensor:
        """As in the base class; the student's features go through the level's connector once."""
        return super().level_loss(self.connectors[level](student), teachers, level)

    def pair_loss(self, student: Tensor, teacher: Tensor, level: int, teacher_index: int) -> Tensor:
        """:func:`afd_loss` with the attention of this teacher and level."""
        return afd_loss(student, teacher, self.attentions.get_submodule(f'{teacher_index}.{level}')(teacher))
