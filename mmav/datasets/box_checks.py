"""Which annotated boxes can be used."""

import math
from typing import Any


def box_error(annotation: dict, image_size: tuple[int, int], tolerance: float = 2.0) -> str | None:
    """Why ``bbox`` [x, y, width, height] and ``area`` of a COCO annotation cannot be used; None: they can.

    In pixels of an image of (width, height), out of which it may stick by ``tolerance``.
    """
    box: Any = annotation.get('bbox')
    try:
        x, y, w, h = (float(value) for value in box)
    except (TypeError, ValueError):
        return f'its bbox {box} is not [x, y, width, height]'
    if not all(math.isfinite(value) for value in (x, y, w, h)):
        return f'its bbox {box} is not finite'
    if 'area' not in annotation:
        return 'it has no area, which mmdet and CocoMetric need'
    if w < 1 or h < 1 or not annotation['area'] > 0:
        return f'its bbox {box} (area {annotation["area"]}) is degenerate: less than a pixel'
    image = f'the image of {image_size[0]} x {image_size[1]} pixels'
    if x >= image_size[0] or y >= image_size[1] or x + w <= 0 or y + h <= 0:
        return f'its bbox {box} lies outside {image}'
    out = max(-x, -y, x + w - image_size[0], y + h - image_size[1])
    if out > tolerance:
        return (
            f'its bbox {box} sticks out of {image} by {out:.1f}; boxes refer to the cropped image '
            '(box_tolerance admits more)'
        )
    return None


def is_label(instance: dict, score_thr: float = 0.0) -> bool:
    """Whether an instance of a sample is a label: no crowd, not ignored, and of a high enough score.

    Args:
        instance: One of the sample's ``instances``; labels of teachers have a ``score``.
        score_thr: Least score of a label that has one. Defaults to 0.0.
    """
    return not instance.get('ignore_flag', 0) and instance.get('score', 1.0) >= score_thr
