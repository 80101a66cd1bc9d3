"""Losses of audio-visual event localization: eq. (15)-(18) of Liu, Quan, Wang, Liu, Liu and Yan, "Dense
modality interaction network for audio-visual event localization".

Shapes: B videos, T segments, C event categories; where C + 1 is said, the last is background.
"""

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.utils.checks import check_range


def event_relevance_loss(logits: Tensor, segments: Tensor) -> Tensor:
    """Event-relevance loss, eq. (15): binary cross entropy, the mean over videos and segments.

    Args:
        logits: Of the segments' relevance, (B, T).
        segments: Labels of the segments, (B, T, C + 1), 1 where a class is present.

    Returns:
        Scalar.

    Example:
        >>> segments = torch.tensor([[[1, 0], [0, 1]]])  # an event, then background
        >>> event_relevance_loss(torch.tensor([[1e3, -1e3]]), segments)
        tensor(0.)
        >>> event_relevance_loss(torch.zeros(1, 2), segments)  # log 2
        tensor(0.6931)
    """
    relevant = segments[..., :-1].amax(-1).to(logits)
    return F.binary_cross_entropy_with_logits(logits, relevant)


def event_category_loss(logits: Tensor, segments: Tensor) -> Tensor:
    """Event-category loss, eq. (16): cross entropy, the mean over the videos that hold an event.

    Args:
        logits: Of the videos' categories, (B, C).
        segments: Labels of the segments, (B, T, C + 1). Where a video holds events of several categories,
            that of most segments counts.

    Returns:
        Scalar; 0 with a graph if no video holds an event.

    Example:
        >>> segments = torch.tensor([[[0, 1, 0], [0, 0, 1]]])  # category 1 of 2, then background
        >>> event_category_loss(torch.tensor([[-1e3, 1e3]]), segments)
        tensor(0.)
        >>> event_category_loss(torch.zeros(1, 2), segments)  # log 2
        tensor(0.6931)
    """
    present = segments[..., :-1].sum(1)
    has_event = present.amax(1) > 0
    losses = F.cross_entropy(logits, present.argmax(1), reduction='none')
    return torch.where(has_event, losses, 0.0).sum() / has_event.sum().clamp(min=1)


def multiple_instance_loss(scores: Tensor, events: Tensor) -> Tensor:
    """Loss with labels of videos alone, section IV-E: multi-label soft margin loss.

    The scores are probabilities, and the loss takes them for logits, in the paper as in the released program.

    Args:
        scores: (B, C + 1), softmax of the pooled class scores.
        events: Labels of the videos, (B, C + 1), 1 where a class is present.

    Returns:
        Scalar.

    Example:
        >>> events = torch.tensor([[1, 0]])
        >>> multiple_instance_loss(torch.tensor([[1.0, 0.0]]), events)  # (log(1 + 1/e) + log 2) / 2, not 0
        tensor(0.5032)
    """
    return F.multilabel_soft_margin_loss(scores, events.to(scores))


class _WeightedEventLoss(nn.Module):
    """Holds lambda, the share of the unimodal discrimination loss, and checks it."""

    def __init__(self, unimodal_weight: float) -> None:
        super().__init__()
        check_range(type(self).__name__, 'unimodal_weight', unimodal_weight, 0, 1)
        self.unimodal_weight = unimodal_weight


@MODELS.register_module()
class SupervisedEventLoss(_WeightedEventLoss):
    """Fully supervised objective, eq. (17): relevance + lambda unimodal + (1 - lambda) fused category.

    Args:
        unimodal_weight: lambda. Defaults to 0.1.

    Raises:
        ValueError: If ``unimodal_weight`` is not in 0..1.

    Example:
        >>> even, segments = torch.zeros(1, 2), torch.tensor([[[0, 1, 0], [0, 0, 1]]])
        >>> SupervisedEventLoss()(even, even, even, segments)  # log 2, times 1, 0.9 and 0.1
        {'loss_relevance': tensor(0.6931), 'loss_category': tensor(0.6238), 'loss_unimodal': tensor(0.0693)}
    """

    def __init__(self, unimodal_weight: float = 0.1) -> None:
        super().__init__(unimodal_weight)

    def forward(
        self, relevance: Tensor, category: Tensor, unimodal: Tensor | None, segments: Tensor
    ) -> dict[str, Tensor]:
        """Compute ``loss_relevance``, ``loss_category`` and, with ``unimodal``, ``loss_unimodal``; weighted.

        Args:
            relevance: Logits, (B, T).
            category: Logits from the fused features, (B, C).
            unimodal: Logits from one modality, (B, C); None where lambda is 0.
            segments: Labels, (B, T, C + 1).
        """
        losses = dict(
            loss_relevance=event_relevance_loss(relevance, segments),
            loss_category=(1 - self.unimodal_weight) * event_category_loss(category, segments),
        )
        if unimodal is not None:
            losses['loss_unimodal'] = self.unimodal_weight * event_category_loss(unimodal, segments)
        return losses


@MODELS.register_module()
class WeaklySupervisedEventLoss(_WeightedEventLoss):
    """Weakly supervised objective, eq. (18): lambda unimodal + (1 - lambda) fused.

    Args:
        unimodal_weight: lambda. Defaults to 0.08.

    Raises:
        ValueError: If ``unimodal_weight`` is not in 0..1.

    Example:
        >>> scores, events = torch.tensor([[1.0, 0.0]]), torch.tensor([[1, 0]])
        >>> WeaklySupervisedEventLoss(0.25)(scores, scores, events)  # 0.5032, times 0.75 and 0.25
        {'loss_category': tensor(0.3774), 'loss_unimodal': tensor(0.1258)}
    """

    def __init__(self, unimodal_weight: float = 0.08) -> None:
        super().__init__(unimodal_weight)

    def forward(self, scores: Tensor, unimodal: Tensor | None, events: Tensor) -> dict[str, Tensor]:
        """Compute ``loss_category`` and, with ``unimodal``, ``loss_unimodal``; weighted.

        Args:
            scores: From the fused features, (B, C + 1), see :func:`multiple_instance_loss`.
            unimodal: From one modality, (B, C + 1); None where lambda is 0.
            events: Labels, (B, C + 1).
        """
        losses = dict(loss_category=(1 - self.unimodal_weight) * multiple_instance_loss(scores, events))
        if unimodal is not None:
            losses['loss_unimodal'] = self.unimodal_weight * multiple_instance_loss(unimodal, events)
        return losses
