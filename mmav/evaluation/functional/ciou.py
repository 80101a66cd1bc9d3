"""Consensus IoU of heat maps that say which pixels make a sound.

Shapes: N maps, n of them in a chunk, H height and W width in pixels, P = H W pixels, K thresholds.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from scipy.integrate import trapezoid

# Maps of a few hundred kilobytes are gone through in chunks that stay in the processor's cache, so the memory
# needed beside the arguments does not grow with N.
_CHUNK_PIXELS = 2**18
_SAMPLE, _MARGIN = 1024, 48  # values that are looked at first, and ranks of them on either side
_SUCCESS_THRESHOLDS = 0.05 * np.arange(21)

Maps = np.ndarray | torch.Tensor


def ciou(heatmaps: Maps, gt_maps: Maps, threshold: Literal['median'] | float = 'median') -> dict[str, Any]:
    """Consensus IoU of each map, and its summaries over all maps.

    A pixel is on where the map, scaled to 0..1 by its own minimum and maximum, reaches the threshold. Then

        cIoU = sum of the truth over the pixels that are on
               / (sum of the truth + number of pixels that are on where the truth is 0).

    A map without contrast scales to 0: by the median all of it is on, by a threshold above 0 nothing is.
    Where the truth is empty, cIoU is 0.

    Args:
        heatmaps: (N, H, W), of any scale.
        gt_maps: (N, H, W) from 0 to 1: 1 within a box, or the annotators' consensus.
        threshold: ``'median'``: the value at rank P // 2 of each map's sorted pixels, so half
            of the pixels or a little more are on (the papers'); or one value from 0 to 1 for all maps.
            Defaults to ``'median'``.

    Returns:
        ``ciou``, float64 (N,), of each map; ``ciou_at_50``, the share of maps whose cIoU is at least
        0.5 (what the papers' tables call cIoU); ``auc``, the area below that share as a function of the
        required cIoU, 0, 0.05 ... 1, by trapezoids. All from 0 to 1; the latter two are NaN for N = 0.

    Raises:
        ValueError: Unknown threshold, shapes that are not (N, H, W) or differ, NaN or infinity, or truth
            outside of 0..1.

    Source: Senocak et al., "Learning to localize sound source in visual scenes" (CVPR 2018); the median from
    Mo and Morgado, "Localizing visual sounds the easy way" (ECCV 2022), as used by Yaghoubi et al., "Acoustic
    and visual knowledge distillation for contrastive audio-visual localization" (ICMI 2023), section 4.1.

    Example:
        >>> top, right = np.array([[[1.0, 1.0], [0.0, 0.0]]]), np.array([[[0.0, 1.0], [0.0, 1.0]]])
        >>> scores = ciou(np.concatenate([top, top]), np.concatenate([top, right]))
        >>> scores['ciou'].round(4).tolist(), scores['ciou_at_50']  # 1 of 3 pixels is common to both
        ([1.0, 0.3333], 0.5)
    """
    if threshold != 'median':
        scores = ciou_at_thresholds(heatmaps, gt_maps, [threshold])[:, 0]
    else:
        chunks = _chunks(heatmaps, gt_maps)
        scores = np.concatenate(
            [np.zeros(0), *(_scores(_above_median(maps), truth) for maps, truth in chunks)]
        )
    summary = summarize_ciou(scores)
    return dict(ciou=scores, ciou_at_50=summary['ciou_at_50'], auc=summary['auc'])


def ciou_at_thresholds(heatmaps: Maps, gt_maps: Maps, thresholds: Sequence[float]) -> np.ndarray:
    """Consensus IoU of each map at each of some fixed thresholds; see :func:`ciou`.

    Args:
        heatmaps: (N, H, W), of any scale.
        gt_maps: (N, H, W) from 0 to 1.
        thresholds: K values from 0 to 1, compared with the maps scaled to 0..1.

    Returns:
        (N, K) float64 from 0 to 1.

    Raises:
        ValueError: As :func:`ciou`.

    Example:
        >>> top, right = np.array([[[1.0, 1.0], [0.0, 0.0]]]), np.array([[[0.0, 1.0], [0.0, 1.0]]])
        >>> ciou_at_thresholds(top, right, [0.0, 0.5]).round(4).tolist()  # all on: 2 of 4 pixels; then 1 of 3
        [[0.5, 0.3333]]
    """
    for value in thresholds:
        if isinstance(value, (str, bool)) or not 0 <= value <= 1:
            raise ValueError(f"threshold must be 'median' or a number from 0 to 1, got {value!r}")
    parts = [np.zeros((0, len(thresholds)))]
    for maps, truth in _chunks(heatmaps, gt_maps):
        scaled = _scale(maps)
        parts.append(np.stack([_scores(scaled >= float(value), truth) for value in thresholds], axis=1))
    return np.concatenate(parts)


def region_ciou(region: np.ndarray, gt_maps: Maps) -> np.ndarray:
    """Consensus IoU of one region that is given for every image: a baseline without input.

    Args:
        region: (H, W) bool, the pixels that are on.
        gt_maps: (N, H, W) from 0 to 1.

    Returns:
        (N,) float64 from 0 to 1.

    Raises:
        ValueError: As :func:`ciou`.

    Example:
        >>> region_ciou(np.ones((2, 2), bool), np.array([[[0.0, 1.0], [0.0, 1.0]]]))  # 2 of 4 pixels
        array([0.5])
    """
    gt_maps = _as_array(gt_maps)
    heatmaps = np.broadcast_to(region.astype(np.float32), (len(gt_maps), *region.shape))
    return np.concatenate(
        [np.zeros(0), *(_scores(on > 0, truth) for on, truth in _chunks(heatmaps, gt_maps))]
    )


def summarize_ciou(scores: np.ndarray) -> dict[str, float]:
    """Summaries of the consensus IoU of many maps.

    Args:
        scores: (N,) from 0 to 1.

    Returns:
        ``ciou_at_50`` and ``auc``, see :func:`ciou`, and ``mean_ciou``; from 0 to 1, NaN for N = 0.

    Example:
        >>> summary = summarize_ciou(np.array([0.25, 0.75]))
        >>> {name: round(value, 4) for name, value in summary.items()}
        {'ciou_at_50': 0.5, 'auc': 0.525, 'mean_ciou': 0.5}
    """
    if not len(scores):
        return dict.fromkeys(('ciou_at_50', 'auc', 'mean_ciou'), float('nan'))
    success = (scores[:, None] >= _SUCCESS_THRESHOLDS).mean(axis=0)
    return dict(
        ciou_at_50=float((scores >= 0.5).mean()),
        auc=float(trapezoid(success, _SUCCESS_THRESHOLDS)),
        mean_ciou=float(scores.mean()),
    )


def success_rates(scores: np.ndarray) -> np.ndarray:
    """Share of maps whose consensus IoU is at least 0.5, at each of some thresholds.

    Args:
        scores: (N, K) of :func:`ciou_at_thresholds`, N > 0.

    Returns:
        (K,) in percent.

    Example:
        >>> success_rates(np.array([[0.5, 0.4], [0.6, 0.9]])).tolist()
        [100.0, 50.0]
    """
    return 100 * (scores >= 0.5).mean(axis=0)


def centered_box(shape: tuple[int, int], area: float) -> np.ndarray:
    """A box in the middle of an image, of its aspect ratio.

    Args:
        shape: (H, W) in pixels.
        area: Share of the image that it covers, above 0 up to 1.

    Returns:
        (H, W) bool, true within.
    """
    region = np.zeros(shape, bool)
    bounds = []
    for length in shape:
        side = max(round(length * area**0.5), 1)
        start = (length - side) // 2
        bounds.append(slice(start, start + side))
    region[tuple(bounds)] = True
    return region


def _chunks(heatmaps: Maps, gt_maps: Maps) -> Iterator[tuple[np.ndarray, '_Truth']]:
    """Some maps (n, P), floating point, and their truth at a time; checked."""
    heatmaps, gt_maps = _as_array(heatmaps), _as_array(gt_maps)
    if heatmaps.ndim != 3 or heatmaps.shape != gt_maps.shape or not all(heatmaps.shape[1:]):
        raise ValueError(
            'heatmaps and gt_maps must both have the shape (N, H, W), '
            f'got {heatmaps.shape} and {gt_maps.shape}'
        )
    pixels = heatmaps.shape[1] * heatmaps.shape[2]
    step = max(_CHUNK_PIXELS // pixels, 1)
    for start in range(0, len(heatmaps), step):
        maps, gts = (_as_float(part[start : start + step]) for part in (heatmaps, gt_maps))
        for index in np.flatnonzero(~np.isfinite(maps.max(axis=1)) | ~np.isfinite(maps.min(axis=1))):
            raise ValueError(f'heatmaps[{start + index}] holds NaN or infinity')
        for index in np.flatnonzero(~((gts.min(axis=1) >= 0) & (gts.max(axis=1) <= 1))):
            raise ValueError(f'gt_maps[{start + index}] holds values outside of 0..1')
        yield maps, _Truth(gts)


def _as_array(maps: Maps) -> np.ndarray:
    return maps.detach().cpu().numpy() if isinstance(maps, torch.Tensor) else np.asarray(maps)


def _as_float(maps: np.ndarray) -> np.ndarray:
    maps = maps.reshape(len(maps), -1)
    return maps if maps.dtype in (np.float32, np.float64) else maps.astype(np.float32)


def _above_median(maps: np.ndarray) -> np.ndarray:
    """Pixels at or above the value at rank P // 2; scaling would not change the order."""
    rank = maps.shape[1] // 2
    return maps >= np.array([value_at_rank(values, rank) for values in maps])[:, None]


def value_at_rank(values: np.ndarray, rank: int) -> np.floating:
    """The value at a rank of the sorted values: ``np.partition(values, rank)[rank]``, in half the time.

    A sample tells between which values it lies, and few of the others do (Floyd and Rivest, Expected time
    bounds for selection, 1975).

    Args:
        values: (P,), without NaN.
        rank: 0 to P - 1.

    Example:
        >>> float(value_at_rank(np.array([3.0, 1.0, 2.0]), 1))
        2.0
    """
    step = max(len(values) // _SAMPLE, 1)
    sample = np.sort(values[::step])
    place = rank // step
    low, high = sample[max(place - _MARGIN, 0)], sample[min(place + _MARGIN, len(sample) - 1)]
    from_low = values >= low
    near = values[from_low & (values <= high)]
    place = rank - (len(values) - np.count_nonzero(from_low))
    if not 0 <= place < len(near):  # not between them: the sample was a bad one
        return np.partition(values, rank)[rank]
    return np.partition(near, place)[place]


def _scale(maps: np.ndarray) -> np.ndarray:
    low, high = maps.min(axis=1, keepdims=True), maps.max(axis=1, keepdims=True)
    return (maps - low) / np.where(high > low, high - low, 1)


class _Truth:
    """What scores need of some truth maps (n, P), computed once for all thresholds."""

    def __init__(self, gts: np.ndarray) -> None:
        self.gts = gts
        self.some = gts > 0  # (n, P)
        self.total = gts.sum(axis=1).astype(float)  # (n,)
        # Values of 0..1 add up to their number where each is 0 or 1: then pixels are counted, not added.
        self.whole = bool((self.total == _count(self.some)).all())


def _scores(on: np.ndarray, truth: _Truth) -> np.ndarray:
    """(n,) cIoU of the pixels (n, P) that are on."""
    inside = hits = _count(on & truth.some)
    if not truth.whole:
        inside = np.matmul(on[:, None].astype(truth.gts.dtype), truth.gts[..., None]).ravel().astype(float)
    union = truth.total + _count(on) - hits
    return inside / np.where(union > 0, union, 1)


def _count(mask: np.ndarray) -> np.ndarray:
    """True values of each row; several times faster than numpy's count along an axis."""
    return np.array([np.count_nonzero(row) for row in mask], float)
