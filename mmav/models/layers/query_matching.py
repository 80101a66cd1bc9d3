"""Cross matching of DCMR: eq. (19) of Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality interaction network
for audio-visual event localization".

Shapes: B videos, T segments, D channels, K segments of a video's query (not the same in every video),
W = T - K + 1 windows.

The query's segments are averaged over their channels to K scalars q_j. Window w of the other modality, whose
features are x_t, is multiplied by them: q_j x_{w+j}. A linear layer c, b then gives a logit for each segment
of each window. As it is linear that logit is q_j (c x_{w+j}) + b, so no window of features is ever formed.

protocol='official' follows the released program, which multiplies the windows in place, one after the other:
segment t is multiplied by q_{t-w} for every window w that holds it, and there is one logit for each segment.
"""

import torch
from torch import Tensor


def gather_query(features: Tensor, query_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Take the query out of its modality: from here on nobody knows where it was.

    Args:
        features: One number for each segment, (B, T).
        query_mask: (B, T), bool; the query's segments.

    Returns:
        The K numbers of each video's query, in order, then zeros, (B, T); and K, (B,).

    Example:
        >>> gather_query(torch.tensor([[5, 6, 7]]), torch.tensor([[False, True, True]]))
        (tensor([[6, 7, 0]]), tensor([2]))
    """
    lengths = query_mask.sum(1)
    segments = torch.arange(features.shape[1], device=features.device)
    # brings the query's segments to the front and leaves them in order, as a stable sort would
    order = (~query_mask * len(segments) + segments).argsort(dim=1)
    inside = segments < lengths[:, None]
    return torch.where(inside, features.gather(1, order), 0), lengths


def window_positions(lengths: Tensor, segments: int) -> tuple[Tensor, Tensor]:
    """Which segment of which window is which segment of the video, for lengths K (B,) of each video.

    Returns:
        ``position`` (T, T): w + j for window w and place j, at most T - 1; ``valid`` (B, T, T), bool:
        whether window w exists and has a place j.
    """
    start = torch.arange(segments, device=lengths.device)[:, None]
    place = torch.arange(segments, device=lengths.device)[None]
    valid = (place < lengths[:, None, None]) & (start <= segments - lengths[:, None, None])
    return (start + place).clamp(max=segments - 1), valid


def match_windows(query: Tensor, projected: Tensor, bias: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of all segments of all windows, eq. (19), the windows kept apart (protocol 'paper').

    Args:
        query: q, (B, T), from :func:`gather_query`.
        projected: c x_t of the other modality, (B, T).
        bias: b.
        lengths: K, (B,).

    Returns:
        Logits (B, T, T) of window w and place j, 0 where there is none; and ``valid``, see
        :func:`window_positions`.

    Example:
        >>> query, projected = torch.tensor([[2, 3, 0]]), torch.tensor([[1, 10, 100]])
        >>> match_windows(query, projected, torch.tensor(0), torch.tensor([2]))[0]  # windows 0 and 1
        tensor([[[  2,  30,   0],
                 [ 20, 300,   0],
                 [  0,   0,   0]]])
    """
    position, valid = window_positions(lengths, query.shape[1])
    logits = query[:, None] * projected[:, position] + bias
    return torch.where(valid, logits, 0), valid


def match_cumulatively(query: Tensor, projected: Tensor, bias: Tensor, lengths: Tensor) -> Tensor:
    """Logits of all segments as the released program has them (protocol 'official').

    Args:
        query: q, (B, T), from :func:`gather_query`.
        projected: c x_t of the other modality, (B, T).
        bias: b.
        lengths: K, (B,).

    Returns:
        (B, T).

    Example:
        >>> query, projected = torch.tensor([[2, 3, 0]]), torch.tensor([[1, 10, 100]])
        >>> match_cumulatively(query, projected, torch.tensor(0), torch.tensor([2]))  # 10 is in both windows
        tensor([[  2,  60, 300]])
    """
    segments = query.shape[1]
    segment = torch.arange(segments, device=query.device)[:, None]
    start = torch.arange(segments, device=query.device)[None]
    place = segment - start  # of segment t in window w
    inside = (place >= 0) & (place < lengths[:, None, None]) & (start <= segments - lengths[:, None, None])
    factors = torch.where(inside, query[:, place.clamp(min=0)], 1)
    return factors.prod(-1) * projected + bias


def sum_windows(segments: Tensor, lengths: Tensor) -> Tensor:
    """Score of every window: the sum of its segments'.

    Args:
        segments: Scores, (B, T), of segments that windows share, or (B, T, T), of window w and place j.
        lengths: K, (B,).

    Returns:
        (B, T); minus infinity where there is no such window.

    Example:
        >>> sum_windows(torch.tensor([[1.0, 2.0, 4.0]]), lengths=torch.tensor([2]))
        tensor([[3., 6., -inf]])
    """
    position, valid = window_positions(lengths, segments.shape[1])
    if segments.dim() == 2:
        segments = segments[:, position]
    return torch.where(valid, segments, 0).sum(-1).masked_fill(~valid.any(-1), -torch.inf)
