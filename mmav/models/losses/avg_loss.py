"""Audio-visual grounding (AVG) losses, eq. (3)-(5) of Lamba et al., "Cross-modal learning for audio-visual
video parsing" (Interspeech 2021).

Shapes: N snippets (seconds of videos), D channels.

Over all pairs of snippets i, j, with <., .> the cosine similarity of their embeddings and [x]+ = max(x, 0),

    h(x, y) = sum_Pos [p - <x_i, y_j>]+  +  sum_Neg [<x_i, y_j> - n]+
    uni (3)     h(a, a) + h(v, v)
    cross (4)   h(a, v) + h(v, a)
    multi (5)   uni + cross
"""

from typing import Any

import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.utils.checks import check_choice

OBJECTIVES = dict(uni=('unimodal',), cross=('cross_modal',), multi=('unimodal', 'cross_modal'))
REDUCTIONS = ('sum', 'mean')


def pair_hinge_loss(
    first: Tensor,
    second: Tensor,
    is_positive: Tensor,
    positive_margin: float = 0.8,
    negative_margin: float = 0.2,
    reduction: str = 'sum',
) -> Tensor:
    """h: the hinge loss over all pairs of snippets.

    Args:
        first: Embeddings x, (N, D).
        second: Embeddings y, (N, D).
        is_positive: Which pairs (i, j) are positive, (N, N) bool.
        positive_margin: p; positive pairs cost nothing above it.
        negative_margin: n; negative pairs cost nothing below it.
        reduction: 'sum' as printed; 'mean': the mean over the positives plus that over the negatives.

    Returns:
        Scalar.

    Example:
        >>> embeds, same = torch.eye(2), torch.eye(2, dtype=torch.bool)
        >>> pair_hinge_loss(embeds, embeds, same), pair_hinge_loss(embeds, embeds, ~same)  # 2 (0.8 + 0.8)
        (tensor(0.), tensor(3.2000))
    """
    similarity = F.normalize(first, dim=1) @ F.normalize(second, dim=1).t()
    positives = (positive_margin - similarity).clamp_min(0) * is_positive
    negatives = (similarity - negative_margin).clamp_min(0) * ~is_positive
    if reduction == 'sum':
        return positives.sum() + negatives.sum()
    number = is_positive.sum()
    others = is_positive.numel() - number
    return positives.sum() / number.clamp_min(1) + negatives.sum() / others.clamp_min(1)


def unimodal_avg_loss(audio: Tensor, visual: Tensor, is_positive: Tensor, **options: Any) -> Tensor:
    """Eq. (3).

    Args:
        audio: Embeddings of the snippets' sound, (N, D).
        visual: Embeddings of their image, (N, D).
        is_positive: Which pairs are positive, (N, N) bool.
        **options: Of :func:`pair_hinge_loss`.

    Returns:
        Scalar.

    Example:
        >>> audio, visual, same = torch.eye(2), torch.ones(2, 2), torch.eye(2, dtype=torch.bool)
        >>> unimodal_avg_loss(audio, visual, same)  # 0 of sound; images are alike: 2 (1 - 0.2)
        tensor(1.6000)
    """
    return pair_hinge_loss(audio, audio, is_positive, **options) + pair_hinge_loss(
        visual, visual, is_positive, **options
    )


def cross_modal_avg_loss(audio: Tensor, visual: Tensor, is_positive: Tensor, **options: Any) -> Tensor:
    """Eq. (4); arguments and result as in :func:`unimodal_avg_loss`.

    Example:
        >>> audio, visual, same = torch.eye(2), torch.ones(2, 2), torch.eye(2, dtype=torch.bool)
        >>> cross_modal_avg_loss(audio, visual, same)  # all cosines are c = 0.707: 4 (0.8 - c) + 4 (c - 0.2)
        tensor(2.4000)
    """
    return pair_hinge_loss(audio, visual, is_positive, **options) + pair_hinge_loss(
        visual, audio, is_positive, **options
    )


_LOSSES = dict(unimodal=unimodal_avg_loss, cross_modal=cross_modal_avg_loss)


@MODELS.register_module()
class AVGLoss(nn.Module):
    """Eq. (3), (4) or (5). The paper states neither its margins nor how the sums are scaled.

    Args:
        objective: 'uni', 'cross' or 'multi'. Defaults to 'multi'.
        positive_margin: p. Defaults to 0.8.
        negative_margin: n. Defaults to 0.2.
        reduction: 'sum' or 'mean', see :func:`pair_hinge_loss`. Defaults to 'sum'.

    Raises:
        ValueError: If ``objective`` or ``reduction`` is unknown, or p is not above n.

    Example:
        >>> audio, visual, same = torch.eye(2), torch.ones(2, 2), torch.eye(2, dtype=torch.bool)
        >>> AVGLoss('multi')(audio, visual, same)
        {'loss_unimodal': tensor(1.6000), 'loss_cross_modal': tensor(2.4000)}
    """

    def __init__(
        self,
        objective: str = 'multi',
        positive_margin: float = 0.8,
        negative_margin: float = 0.2,
        reduction: str = 'sum',
    ) -> None:
        super().__init__()
        check_choice('AVGLoss', 'objective', objective, OBJECTIVES)
        check_choice('AVGLoss', 'reduction', reduction, REDUCTIONS)
        if positive_margin <= negative_margin:
            raise ValueError(
                f'AVGLoss: positive_margin {positive_margin} must be above negative_margin {negative_margin}'
            )
        self.objective = objective
        self.options = dict(
            positive_margin=positive_margin, negative_margin=negative_margin, reduction=reduction
        )

    def forward(self, audio: Tensor, visual: Tensor, is_positive: Tensor) -> dict[str, Tensor]:
        """Compute ``loss_unimodal`` and/or ``loss_cross_modal``.

        Of embeddings (N, D) of the snippets' sound and image, and of which pairs are positive, (N, N) bool.
        """
        return {
            f'loss_{name}': _LOSSES[name](audio, visual, is_positive, **self.options)
            for name in OBJECTIVES[self.objective]
        }
