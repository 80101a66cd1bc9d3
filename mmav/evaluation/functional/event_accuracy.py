"""How often segments of videos, and stretches of them, are named rightly.

Shapes: N videos, T segments of a video, C categories; class C is background.
"""

import numpy as np


def segment_counts(pred: np.ndarray, gt: np.ndarray, num_classes: int) -> np.ndarray:
    """How often each class was taken for each, over all segments.

    Args:
        pred: Predicted classes, any shape, e.g. (N, T).
        gt: True classes, of the same shape.
        num_classes: C + 1.

    Returns:
        (C + 1, C + 1) int64: true class, predicted class.

    Raises:
        ValueError: If the shapes differ or a class is out of 0..C.

    Example:
        >>> segment_counts(pred=np.array([0, 1, 1]), gt=np.array([0, 0, 1]), num_classes=2).tolist()
        [[1, 1], [0, 1]]
    """
    pred, gt = np.asarray(pred), np.asarray(gt)
    if pred.shape != gt.shape:
        raise ValueError(f'predictions are {pred.shape}, the truth is {gt.shape}')
    for name, classes in (('predictions', pred), ('truth', gt)):
        if classes.dtype.kind not in 'iu' or ((classes < 0) | (classes >= num_classes)).any():
            raise ValueError(f'{name} must be whole numbers of 0..{num_classes - 1}')
    pairs = gt.astype(np.int64).ravel() * num_classes + pred.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def segment_accuracy(pred: np.ndarray, gt: np.ndarray) -> float:
    """Share of segments whose class is right, background among them: the measure of AVE.

    Args:
        pred: Predicted classes, e.g. (N, T).
        gt: True classes, of the same shape.

    Returns:
        Percent.

    Raises:
        ValueError: If the shapes differ or there are no segments.

    Source: Tian, Shi, Li, Duan and Xu, "Audio-visual event localization in unconstrained videos" (ECCV 2018).

    Example:
        >>> segment_accuracy(pred=np.array([0, 1, 1, 1]), gt=np.array([0, 0, 1, 1]))
        75.0
    """
    pred, gt = np.asarray(pred), np.asarray(gt)
    if pred.shape != gt.shape or not gt.size:
        raise ValueError(f'predictions {pred.shape} and truth {gt.shape} must be of one shape, not empty')
    return 100 * float((pred == gt).mean())


def window_accuracy(pred_starts: np.ndarray, gt_starts: np.ndarray, tolerance: int = 0) -> float:
    """Share of queries that are answered with the right stretch of segments.

    A stretch is as long as its query, so that its first segment says which it is.

    Args:
        pred_starts: First segments of the answers, (N,).
        gt_starts: First segments of the true stretches, (N,).
        tolerance: Segments that the answer may be off. Defaults to 0, as published.

    Returns:
        Percent.

    Raises:
        ValueError: If the shapes differ or there are no queries.

    Source: as :func:`segment_accuracy`.

    Example:
        >>> pred, gt = np.array([2, 5]), np.array([2, 4])
        >>> window_accuracy(pred, gt), window_accuracy(pred, gt, tolerance=1)
        (50.0, 100.0)
    """
    pred_starts, gt_starts = np.asarray(pred_starts), np.asarray(gt_starts)
    if pred_starts.shape != gt_starts.shape or gt_starts.ndim != 1 or not gt_starts.size:
        raise ValueError(f'answers {pred_starts.shape} and truth {gt_starts.shape} must be (N,), not empty')
    return 100 * float((np.abs(pred_starts.astype(np.int64) - gt_starts) <= tolerance).mean())


def window_chance(lengths: np.ndarray, num_segments: np.ndarray) -> float:
    """Expected :func:`window_accuracy` of answers drawn at random.

    Args:
        lengths: Segments of each query, (N,), 1..T.
        num_segments: T of each video, (N,).

    Returns:
        Percent: the mean of 1 / (T - length + 1).

    Raises:
        ValueError: If a query is empty or longer than its video.

    Example:
        >>> window_chance(lengths=np.array([10, 9]), num_segments=np.array([10, 10]))  # of 1 / 1 and 1 / 2
        75.0
    """
    lengths, num_segments = np.asarray(lengths), np.asarray(num_segments)
    if not lengths.size or (lengths < 1).any() or (lengths > num_segments).any():
        raise ValueError('a query has at least one segment and no more than its video')
    return 100 * float((1 / (num_segments - lengths + 1)).mean())
