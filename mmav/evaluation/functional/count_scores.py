"""Scores of a classifier that counts.

Shapes: C classes, the numbers 0..C - 1.
"""

import numpy as np


def count_scores(confusion: np.ndarray) -> dict[str, float]:
    """Scores of counting from a confusion table.

    Args:
        confusion: (C, C) frames by true (row) and predicted number (column).

    Returns:
        ``mean_absolute_error`` in objects (the last class taken at its number), ``bias``:
        mean of predicted less true number, and ``most_frequent``: percent of frames with the most frequent
        true number, which is the accuracy of a classifier without input. NaN without frames.

    Example:
        >>> count_scores(np.array([[1, 1], [0, 2]]))  # an empty frame of four was taken for one object
        {'mean_absolute_error': 0.25, 'bias': 0.25, 'most_frequent': 50.0}
    """
    confusion = np.asarray(confusion, dtype=np.float64)
    total = confusion.sum()
    if total == 0:
        return dict.fromkeys(('mean_absolute_error', 'bias', 'most_frequent'), float('nan'))
    numbers = np.arange(len(confusion))
    error = numbers[None, :] - numbers[:, None]
    return dict(
        mean_absolute_error=float((np.abs(error) * confusion).sum() / total),
        bias=float((error * confusion).sum() / total),
        most_frequent=float(100 * confusion.sum(1).max() / total),
    )
