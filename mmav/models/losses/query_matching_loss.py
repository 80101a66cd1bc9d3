"""Loss of cross-modality localization: eq. (15) over what eq. (19) gives, of Liu, Quan, Wang, Liu, Liu and
Yan, "Dense modality interaction network for audio-visual event localization".

Shapes: B videos, T segments, W windows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers.query_matching import window_positions


def window_relevance_loss(logits: Tensor, relevant: Tensor, lengths: Tensor) -> Tensor:
    """Event-relevance loss of windows kept apart: a segment's label holds in every window.

    The mean over the segments of a video's windows, then over the videos: every video counts the same,
    however many windows it has.

    Args:
        logits: Of window w and place j, (B, T, T), see :func:`match_windows`.
        relevant: Labels of the segments, (B, T), 1 where the event is.
        lengths: K, the query's segments, (B,).

    Returns:
        Scalar.

    Example:
        >>> relevant, lengths = torch.tensor([[1, 0]]), torch.tensor([1])  # two windows of one segment
        >>> window_relevance_loss(torch.tensor([[[1e3, 0.0], [-1e3, 0.0]]]), relevant, lengths)
        tensor(0.)
        >>> window_relevance_loss(torch.zeros(1, 2, 2), relevant, lengths)  # log 2
        tensor(0.6931)
    """
    position, valid = window_positions(lengths, relevant.shape[1])
    losses = F.binary_cross_entropy_with_logits(logits, relevant[:, position].to(logits), reduction='none')
    losses = torch.where(valid, losses, 0.0).sum((1, 2))
    return (losses / valid.sum((1, 2))).mean()
