"""The ranking loss of StereoSoundNet, a baseline in Tables 1 and 2 of MM-DistillNet: Gan, Zhao, Chen, Cox and
Torralba, "Self-supervised moving vehicle tracking with stereo sound" (ICCV 2019).

Shapes: B samples, C channels, H and W height and width of a level's map.

In the form taken here (docs/deviations.md), with a_i the pooled features of the student for sample i, v_i
the teacher's, both of length 1, and d(a, v) = 1 - <a, v>, a sound shall lie nearer to its own image
than to another's, by a margin m:

    l_ij = max(0, m + d(a_i, v_i) - d(a_i, v_j)),    j != i,

and, the other way round, an image nearer to its own sound than to another's:

    l'_ij = max(0, m + d(a_i, v_i) - d(a_j, v_i)),   j != i.
"""

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmav.utils.checks import check_positive, check_range

from .feature_distillation_loss import FeatureDistillationLoss


def ranking_loss(
    student: Tensor, teacher: Tensor, margin: float = 0.2, pool_size: int = 1, bidirectional: bool = True
) -> Tensor:
    """Ranking loss of one level with one teacher.

    Args:
        student: (B, C, H_s, W_s).
        teacher: (B, C, H_t, W_t).
        margin: m.
        pool_size: Features are averaged over a grid of so many rows and columns; 1 over the whole map.
        bidirectional: Whether l' is counted beside l.

    Returns:
        Scalar, the mean of l (and l') over the B (B - 1) pairs of samples; 0 with a graph if there are none.

    Example:
        >>> sounds = torch.eye(2).view(2, 2, 1, 1)
        >>> ranking_loss(sounds, sounds), ranking_loss(sounds, sounds.flip(0))  # 0.2 + 1 - 0
        (tensor(0.), tensor(1.2000))
    """
    student, teacher = (
        F.normalize(F.adaptive_avg_pool2d(feat, pool_size).flatten(1), dim=1) for feat in (student, teacher)
    )
    if len(student) < 2:
        return 0 * student.sum()
    distance = 1 - student @ teacher.t()
    matched = distance.diagonal()
    mismatched = ~torch.eye(len(student), dtype=torch.bool, device=student.device)
    loss = F.relu(margin + matched[:, None] - distance)[mismatched].mean()
    if bidirectional:
        loss = (loss + F.relu(margin + matched[None] - distance)[mismatched].mean()) / 2
    return loss


@MODELS.register_module()
class RankingLoss(FeatureDistillationLoss):
    """Ranking loss, the sum of :func:`ranking_loss` over the levels.

    The samples of one process' batch are each other's mismatched pairs: with a batch of one it is 0.

    Args:
        margin: m. Defaults to 0.2.
        pool_size: Rows and columns of the grid that features are averaged over. Defaults to 1.
        bidirectional: Whether both a sound and an image are ranked from. Defaults to True.
        loss_weight: Factor of the result. Defaults to 1.0.
        multi_teacher: 'loss_mean' ("Avg. Ranking loss", Table 2) or 'feature_mean', see
            :class:`FeatureDistillationLoss`. Defaults to 'loss_mean'.

    Raises:
        ValueError: If ``margin`` is negative or ``pool_size`` not positive; else as
            :class:`FeatureDistillationLoss`.

    Example:
        >>> sounds = torch.eye(2).view(2, 2, 1, 1)
        >>> RankingLoss(margin=0.5)([sounds], [[sounds.flip(0)]])  # each sound is nearer to the other's image
        tensor(1.5000)
    """

    def __init__(
        self,
        margin: float = 0.2,
        pool_size: int = 1,
        bidirectional: bool = True,
        loss_weight: float = 1.0,
        multi_teacher: str = 'loss_mean',
    ) -> None:
        super().__init__(loss_weight, multi_teacher)
        check_range('RankingLoss', 'margin', margin, 0)
        check_positive('RankingLoss', pool_size=pool_size)
        self.margin = margin
        self.pool_size = pool_size
        self.bidirectional = bidirectional

    def pair_loss(self, student: Tensor, teacher: Tensor, level: int, teacher_index: int) -> Tensor:
        """:func:`ranking_loss`; ValueError if the numbers of channels differ."""
        if student.shape[1] != teacher.shape[1]:
            raise ValueError(
                f'RankingLoss: student and teacher {teacher_index} have {student.shape[1]} and '
                f'{teacher.shape[1]} channels in level {level}; tap them where the channels agree (the necks)'
            )
        return ranking_loss(student, teacher, self.margin, self.pool_size, self.bidirectional)
