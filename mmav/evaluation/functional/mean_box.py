"""The constant-box baseline, which uses no input: the same box for every frame.

Shapes: m boxes of a training frame.
"""

from collections.abc import Sequence

import numpy as np


def mean_box_predictions(ground_truths: Sequence[np.ndarray], num_frames: int) -> list[np.ndarray]:
    """Predict the training set's mean box with score 1 for each frame: the floor any trained detector must
    pass.

    Args:
        ground_truths: Training frames, arrays (m, 5): x1, y1, x2, y2 in pixels, label.
            Boxes of the most frequent label are averaged, and the prediction carries that label.
        num_frames: Number of frames to predict.

    Returns:
        ``num_frames`` arrays (1, 6): x1, y1, x2, y2, score, label.

    Raises:
        ValueError: The training frames hold no box.

    Example:
        >>> boxes = np.array([[0, 0, 10, 10, 0], [10, 10, 20, 20, 0]])
        >>> mean_box_predictions([boxes], num_frames=1)
        [array([[ 5.,  5., 15., 15.,  1.,  0.]])]
    """
    arrays = [np.asarray(frame, dtype=float).reshape(-1, 5) for frame in ground_truths]
    boxes = np.concatenate([np.zeros((0, 5)), *arrays])
    if len(boxes) == 0:
        raise ValueError('the training frames hold no box to average')
    labels, counts = np.unique(boxes[:, 4], return_counts=True)
    label = labels[counts.argmax()]
    mean = boxes[boxes[:, 4] == label, :4].mean(axis=0)
    return [np.array([[*mean, 1.0, label]]) for _ in range(num_frames)]
