"""Center distance (CDx, CDy): how far detected boxes lie from the true ones.

Shapes: F frames; n detections and m true boxes of a frame, N and M of all frames.

Frames are many and boxes of a frame few, so the arrays of all frames are one, and a step of the matching is
done in all frames at once.
"""

from collections.abc import Sequence

import numpy as np

from mmav.utils.checks import PROTOCOLS, check_choice


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

    - ``'paper'``: the distance is that of the box centers, as the papers describe it, averaged over the
      matched true boxes of all frames. Unmatched ones are left out of the mean and counted by ``miss_rate``.
    - ``'official'``: what the released program of MM-DistillNet computes. It compares box sizes (bottom right
      corner minus top left corner) instead of centers, counts a true box without a detection as if matched to
      a box of size 0, averages within each frame that has ground truth, then over these frames.

    Args:
        predictions: F arrays (n, 6): x1, y1, x2, y2 in pixels, score, label.
        ground_truths: F arrays (m, 5): x1, y1, x2, y2 in pixels, label.
        image_size: Width and height in pixels, or an array (F, 2) of them.
        protocol: ``'paper'`` or ``'official'``. Defaults to ``'paper'``.
        score_thr: Lowest score of a detection that counts. Defaults to 0.3.

    Returns:
        ``cd_x``, ``cd_y`` and ``miss_rate``, in percent. NaN where nothing is averaged.

    Raises:
        ValueError: Unknown protocol, numbers of frames that differ, or arrays of another shape.

    Source: CDx and CDy of Gan et al., "Self-supervised Moving Vehicle Tracking with Stereo Sound" (ICCV
    2019), as used by Valverde et al., "There is More than Meets the Eye" (CVPR 2021).

    Example:
        >>> found, true = np.array([[0, 0, 20, 20, 0.9, 0]]), np.array([[10, 0, 30, 20, 0]])
        >>> center_distance([found], [true], image_size=(100, 50))  # 10 of 100 pixels to the left
        {'cd_x': 10.0, 'cd_y': 0.0, 'miss_rate': 0.0}
    """
    check_choice('center_distance', 'protocol', protocol, PROTOCOLS)
    if len(predictions) != len(ground_truths):
        raise ValueError(f'{len(predictions)} frames of predictions but {len(ground_truths)} of ground truth')
    sizes = np.broadcast_to(np.asarray(image_size, dtype=float), (len(ground_truths), 2))

    dets, det_frames = _stack(predictions, 6, 'predictions')
    gts, gt_frames = _stack(ground_truths, 5, 'ground_truths')
    sure = dets[:, 4] >= score_thr
    dets, det_frames = dets[sure], det_frames[sure]

    points = _centers if protocol == 'paper' else _extents
    offsets = _match(points(dets), dets[:, 5], det_frames, points(gts), gts[:, 4], gt_frames)
    found = ~np.isnan(offsets[:, 0])
    if protocol == 'paper':
        distances = np.abs(offsets[found]) / sizes[gt_frames[found]]
    else:
        offsets[~found] = _extents(gts)[~found]
        distances = np.abs(offsets) / sizes[gt_frames]
        counts = np.bincount(gt_frames)
        sums = np.stack([np.bincount(gt_frames, column) for column in distances.T], axis=1)
        distances = sums[counts > 0] / counts[counts > 0, None]
    cd_x, cd_y = 100 * distances.mean(axis=0) if len(distances) else (np.nan, np.nan)
    miss_rate = 100 * (1 - int(found.sum()) / len(gts)) if len(gts) else np.nan
    return dict(cd_x=float(cd_x), cd_y=float(cd_y), miss_rate=float(miss_rate))


def _stack(frames: Sequence[np.ndarray], columns: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, columns) of all frames and the frame (N,) of each."""
    arrays: list[np.ndarray] = [np.zeros((0, columns))]
    counts = []
    for index, boxes in enumerate(map(np.asarray, frames)):
        if boxes.size:
            if boxes.ndim != 2 or boxes.shape[1] != columns:
                raise ValueError(f'{name}[{index}] must have the shape (n, {columns}), got {boxes.shape}')
            arrays.append(boxes)
        counts.append(len(boxes) if boxes.size else 0)
    return np.concatenate(arrays, dtype=float), np.repeat(np.arange(len(counts)), counts)


def _runs(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Begin and length of each run of equal values."""
    begin = np.flatnonzero(np.diff(frames, prepend=-1))
    return begin, np.diff(begin, append=len(frames))


def _centers(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 0:2] + boxes[:, 2:4]) / 2


def _extents(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 2:4] - boxes[:, 0:2]


def _match(
    points: np.ndarray,
    labels: np.ndarray,
    frames: np.ndarray,
    targets: np.ndarray,
    target_labels: np.ndarray,
    target_frames: np.ndarray,
) -> np.ndarray:
    """Offsets (M, 2) from each target, in order, to the nearest unused point of its frame and label, or NaN.

    Points (N, 2) and targets (M, 2) are in the order of their frames. Each turn matches one target of every
    frame.
    """
    offsets = np.full((len(targets), 2), np.nan)
    # (N,) each: the target of a point's frame whose turn it is, and the one at which the frame ends
    turn, end = (np.searchsorted(target_frames, frames, side) for side in ('left', 'right'))
    waiting = turn < end  # (N,), which points may still be taken
    while waiting.any():
        # from here on N is the number of points that wait, c that of those with the label of their target
        points, labels, frames, turn, end = (a[waiting] for a in (points, labels, frames, turn, end))
        waiting = np.ones(len(points), dtype=bool)
        chosen = np.flatnonzero(labels == target_labels[turn])  # (c,)
        difference = points[chosen] - targets[turn[chosen]]  # (c, 2)
        distance = difference[:, 0] ** 2 + difference[:, 1] ** 2
        if len(chosen):
            begin, lengths = _runs(frames[chosen])  # one for each frame that has any
            least = np.repeat(np.minimum.reduceat(distance, begin), lengths)  # (c,), the least of its frame
            # NaN is the least of all, as it is for argmin
            nearest = np.flatnonzero((distance == least) | np.isnan(distance))
            nearest = nearest[_runs(frames[chosen[nearest]])[0]]  # the first of each frame
            offsets[turn[chosen[nearest]]] = difference[nearest]
            waiting[chosen[nearest]] = False
        turn = turn + 1
        waiting &= turn < end
    return offsets
