"""The pairwise loss of structured knowledge distillation, a baseline in Table 2 of MM-DistillNet: Liu, Chen,
Liu, Qin, Luo and Wang, "Structured knowledge distillation for semantic segmentation" (CVPR 2019), and
its journal version "... for dense prediction" (TPAMI).

Shapes: B samples, C channels, H and W height and width of a level's map, P positions.

With f_i the feature at position i and a_ij = <f_i, f_j> / (|f_i| |f_j|), the similarity of two positions,

    L = 1 / P^2 sum_ij (a_ij^s - a_ij^t)^2.

Positions are the cells of a coarse grid over the map, each with its mean feature.
"""

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor

from mmav.utils.checks import check_positive

from .feature_distillation_loss import FeatureDistillationLoss, resize_to_smallest


def position_similarity(feat: Tensor) -> Tensor:
    """a_ij: the cosine similarity between the features (B, C, H, W) of any two positions, (B, H W, H W).

    Rows and columns of a feature of length 0 are 0.
    """
    positions = F.normalize(feat.flatten(2), dim=1)
    return positions.transpose(1, 2) @ positions


def pairwise_similarity_loss(student: Tensor, teacher: Tensor, grid_size: int = 12) -> Tensor:
    """Pairwise similarity loss of one level with one teacher.

    Args:
        student: (B, C_s, H_s, W_s).
        teacher: (B, C_t, H_t, W_t).
        grid_size: The grid has at most so many rows and columns, and no more than the smaller map.

    Returns:
        Scalar in 0..4, the mean over the batch and the P^2 pairs of positions.

    Example:
        >>> apart, alike = torch.eye(2).view(1, 2, 1, 2), torch.ones(1, 2, 1, 2)  # two positions
        >>> pairwise_similarity_loss(apart, apart), pairwise_similarity_loss(apart, alike)  # 2 of 4 differ
        (tensor(0.), tensor(0.5000))
    """
    student, teacher = resize_to_smallest((student, teacher), limit=grid_size)
    return F.mse_loss(position_similarity(student), position_similarity(teacher))


@MODELS.register_module()
class PairwiseSimilarityLoss(FeatureDistillationLoss):
    """Pairwise similarity loss, the sum of :func:`pairwise_similarity_loss` over the levels.

    Numbers of channels need not agree. Without a grid the finest level of a 768 x 768 input would have
    9216 positions and a similarity matrix of 340 MB a sample.

    Args:
        grid_size: Rows and columns of the grid at most. Defaults to 12.
        loss_weight: Factor of the result. Defaults to 1.0.
        multi_teacher: 'loss_mean' or 'feature_mean', see :class:`FeatureDistillationLoss`. Defaults to
            'loss_mean'.

    Raises:
        ValueError: If ``grid_size`` is not positive; else as :class:`FeatureDistillationLoss`.

    Example:
        >>> apart, alike = torch.eye(2).view(1, 2, 1, 2), torch.ones(1, 2, 1, 2)
        >>> PairwiseSimilarityLoss()([apart, apart], [[apart, alike]])  # two levels, one teacher
        tensor(0.5000)
    """

    def __init__(
        self, grid_size: int = 12, loss_weight: float = 1.0, multi_teacher: str = 'loss_mean'
    ) -> None:
        super().__init__(loss_weight, multi_teacher)
        check_positive('PairwiseSimilarityLoss', grid_size=grid_size)
        self.grid_size = grid_size

    def pair_loss(self, student: Tensor, teacher: Tensor, level: int, teacher_index: int) -> Tensor:
        """:func:`pairwise_similarity_loss`."""
        return pairwise_similarity_loss(student, teacher, self.grid_size)
