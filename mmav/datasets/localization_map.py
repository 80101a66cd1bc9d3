"""Maps of where an image sounds, from boxes.

Shapes: n boxes; H, W height and width of the map in pixels.
"""

import numpy as np


def localization_map(
    boxes: np.ndarray, size: tuple[int, int] = (224, 224), consensus: bool = False
) -> np.ndarray:
    """Map (H, W) of float32 in 0..1 that the predicted one is compared with (cIoU).

    A box covers the pixels from floor(x1 W) up to, not including, floor(x2 W), likewise in y: the public
    evaluation programs' rounding. Boxes without area cover none.

    Args:
        boxes: (n, 4) x1 y1 x2 y2, relative (0..1); what sticks out is clipped.
        size: (H, W). Defaults to (224, 224).
        consensus: The boxes are of several annotators (Flickr-SoundNet): a pixel that one of them
            marked counts half, one that two or more marked is whole, min(1, count / 2). Otherwise the boxes'
            union is 1. Defaults to False.
    """
    height, width = size
    count = np.zeros(size, np.float32)
    # Double precision: 0.446428... * 224 must not fall below 100.
    scaled = np.clip(np.asarray(boxes, np.float64).reshape(-1, 4), 0, 1) * [width, height, width, height]
    for x1, y1, x2, y2 in scaled.astype(np.int64):
        count[y1:y2, x1:x2] += 1
    return np.minimum(count / 2 if consensus else count, 1)
