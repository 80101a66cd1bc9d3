"""Center distance (CDx, CDy): how far detected boxes lie from the true ones.

F: number of frames; n: detections of a frame; m: true boxes of a frame.
"""

from collections.abc import Sequence

import numpy as np

PROTOCOLS = ('paper', 'official')


def center_distance(
    predictions: Sequence[np.ndarray],
    ground_truths: Sequence[np.ndarray],
    image_size: Sequence[float] | np.ndarray,
    protocol: str = 'paper',
    score_thr: float = 0.3,
) -> dict[str, float]:
    """Mean horizontal and vertical distance of detections from the ground truth, in percent of the image
    size.

    Detections below ``score_thr`` are left out. Each true box, in order, takes the nearest (Euclidean, in
    pixels) detection of its class that no earlier one took.

    - ``'paper'``: the distance is that of the box centres, as the papers describe it, averaged over the
      matched true boxes of all frames. Unmatched ones are left out of the mean and counted by ``miss_rate``.
    - ``'official'``: what the released program of MM-DistillNet computes. It compares box sizes (bottom right
      corner minus top left corner) instead of centres, counts a true box without a detection as if matched to
      a box of size 0, averages within each frame that has ground truth, then over these frames.

    Args:
        predictions (Sequence[np.ndarray]): F arrays (n, 6): x1, y1, x2, y2 in pixels, score, label.
        ground_truths (Sequence[np.ndarray]): F arrays (m, 5): x1, y1, x2, y2 in pixels, label.
        image_size (Sequence[float]): Width and height in pixels, or an array (F, 2) of them.
        protocol (str): ``'paper'`` or ``'official'``. Defaults to ``'paper'``.
        score_thr (float): Lowest score of a detection that counts. Defaults to 0.3.

    Returns:
        dict[str, float]: ``cd_x``, ``cd_y`` and ``miss_rate``, in percent. NaN where nothing is averaged.

    Raises:
        ValueError: Unknown protocol, numbers of frames that differ, or arrays of another shape.

    Source: CDx and CDy of Gan et al., "Self-supervised Moving Vehicle Tracking with Stereo Sound" (ICCV
    2019), as used by Valverde et al., "There is More than Meets the Eye" (CVPR 2021).
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f'protocol must be one of {PROTOCOLS}, got {protocol!r}')
    if len(predictions) != len(ground_truths):
        raise ValueError(f'{len(predictions)} frames of predictions but {len(ground_truths)} of ground truth')
    sizes = np.broadcast_to(np.asarray(image_size, dtype=float), (len(ground_truths), 2))

    per_frame, matched, total = [], 0, 0
    for index, (dets, gts, size) in enumerate(zip(predictions, ground_truths, sizes)):
        dets = _as_boxes(dets, 6, f'predictions[{index}]')
        gts = _as_boxes(gts, 5, f'ground_truths[{index}]')
        dets = dets[dets[:, 4] >= score_thr]
        points = _centers if protocol == 'paper' else _extents
        offsets = _match(points(dets), dets[:, 5], points(gts), gts[:, 4])
        found = ~np.isnan(offsets[:, 0])
        matched, total = matched + int(found.sum()), total + len(gts)
        if protocol == 'paper':
            offsets = offsets[found]
        else:
            offsets[~found] = _extents(gts)[~found]
        per_frame.append(np.abs(offsets) / size)

    if protocol == 'official':
        per_frame = [frame.mean(axis=0, keepdims=True) for frame in per_frame if len(frame)]
    distances = np.concatenate([np.zeros((0, 2)), *per_frame])
    cd_x, cd_y = 100 * distances.mean(axis=0) if len(distances) else (np.nan, np.nan)
    miss_rate = 100 * (1 - matched / total) if total else np.nan
    return dict(cd_x=float(cd_x), cd_y=float(cd_y), miss_rate=float(miss_rate))


def _as_boxes(boxes: np.ndarray, columns: int, name: str) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=float)
    if boxes.size == 0:
        return np.zeros((0, columns))
    if boxes.ndim != 2 or boxes.shape[1] != columns:
        raise ValueError(f'{name} must have the shape (n, {columns}), got {boxes.shape}')
    return boxes


def _centers(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 0:2] + boxes[:, 2:4]) / 2


def _extents(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 2:4] - boxes[:, 0:2]


def _match(
    points: np.ndarray, labels: np.ndarray, targets: np.ndarray, target_labels: np.ndarray
) -> np.ndarray:
    """Offsets (m, 2) from each target, in order, to the nearest unused point of its label, or NaN."""
    offsets = np.full((len(targets), 2), np.nan)
    free = np.ones(len(points), dtype=bool)
    for index, (target, label) in enumerate(zip(targets, target_labels)):
        candidates = np.flatnonzero(free & (labels == label))
        if len(candidates):
            nearest = candidates[np.argmin(((points[candidates] - target) ** 2).sum(axis=1))]
            free[nearest] = False
            offsets[index] = points[nearest] - target
    return offsets
