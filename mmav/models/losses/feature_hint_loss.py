"""Hints of a teacher's features: eq. (2) and (3) of Yaghoubi, Kelm, Gerkmann and Frintrop, "Acoustic and
visual knowledge distillation for contrastive audio-visual localization" (ICMI 2023).

Shapes: B samples, C length of a feature, h, w size of a map (vectors have none).
"""

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.utils.checks import check_choice
from mmav.utils.precision import full_precision

NORMALIZATIONS = ('channels', 'map')


def feature_hint_loss(student: Tensor, teacher: Tensor, normalize: str = 'channels') -> Tensor:
    """Mean squared difference of normalized features, eq. (2) of maps and eq. (3) of vectors.

    Args:
        student: f, (B, C) or (B, C, h, w).
        teacher: e, of the same shape. No gradient flows into it.
        normalize: What has the L2 length 1: 'channels': the feature of each pixel; 'map': the whole map of
            each sample. The same for vectors. Defaults to 'channels'.

    Returns:
        Scalar, the mean over all numbers: with 'channels' 2 (1 - cosine) / C, averaged over samples
        and pixels; with 'map' 2 (1 - cosine) / (C h w), averaged over samples.

    Example:
        >>> student = torch.tensor([[2.0, 0.0]])
        >>> feature_hint_loss(student, 5 * student), feature_hint_loss(student, student.flip(1))
        (tensor(0.), tensor(1.))
    """
    teacher = teacher.detach().to(student.dtype)
    if normalize == 'map':
        student, teacher = student.flatten(1), teacher.flatten(1)
    return F.mse_loss(F.normalize(student, dim=1), F.normalize(teacher, dim=1))


@MODELS.register_module()
class FeatureHintLoss(nn.Module):
    """:func:`feature_hint_loss`, weighted; by option behind a learned projection.

    Args:
        loss_weight: alpha_2 (the paper's: 1000) of sounds, alpha_3 (100,000) of images. Defaults to 1.0.
        normalize: 'channels' or 'map', see :func:`feature_hint_loss`. Defaults to 'channels'.
        student_channels: C of the student where the teacher's is another; None: both are the same, and
            nothing is learned here. Defaults to None.
        teacher_channels: C of the teacher. The student's features are projected to it, linearly, pixel by
            pixel (not the teacher's: both sides could then become one constant). Defaults to None.

    Raises:
        ValueError: If ``normalize`` is unknown or only one of the channels is given.

    Example:
        >>> loss, student = FeatureHintLoss(loss_weight=1000), torch.tensor([[2.0, 0.0]])
        >>> loss(student, student), loss(student, student.flip(1))  # cosines 1 and 0
        (tensor(0.), tensor(1000.))
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        normalize: str = 'channels',
        student_channels: int | None = None,
        teacher_channels: int | None = None,
    ) -> None:
        super().__init__()
        check_choice('FeatureHintLoss', 'normalize', normalize, NORMALIZATIONS)
        if (student_channels is None) != (teacher_channels is None):
            raise ValueError(
                'FeatureHintLoss: a projection needs student_channels and teacher_channels, got '
                f'{student_channels} and {teacher_channels}'
            )
        self.loss_weight = loss_weight
        self.normalize = normalize
        self.projection = None
        if student_channels is not None and teacher_channels is not None:
            self.projection = nn.Linear(student_channels, teacher_channels)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss of (B, C) or (B, C, h, w), B > 0, with a teacher's.

        That may have another C to project to. ValueError if the shapes do not agree.
        """
        with torch.autocast(student.device.type, enabled=False):
            student = full_precision(student)
            if self.projection is not None:
                student = self.projection(student.movedim(1, -1)).movedim(-1, 1)
            if student.shape != teacher.shape:
                raise ValueError(
                    f'FeatureHintLoss: the student has features {tuple(student.shape)}, the teacher '
                    f'{tuple(teacher.shape)}; other channels need student_channels and teacher_channels, '
                    "another size of the map a teacher that gives the student's"
                )
            return self.loss_weight * feature_hint_loss(student, teacher, self.normalize)
