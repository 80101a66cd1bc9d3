"""Tracks drawn over images."""

import colorsys

import cv2
import numpy as np

_GOLDEN = 0.6180339887498949  # steps of the hue that keep any number of consecutive ids apart


def track_color(identity: int) -> tuple[int, int, int]:
    """The color of a track (blue, green, red, each 0..255): the same for the same id, always."""
    red, green, blue = colorsys.hsv_to_rgb(identity * _GOLDEN % 1, 0.75, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def draw_tracks(
    image: np.ndarray, bboxes: np.ndarray, ids: np.ndarray, truth: np.ndarray | None = None
) -> np.ndarray:
    """Draw boxes in the colors of their tracks, with ids.

    Args:
        image: Image (H, W, 3) of uint8, BGR. It stays as it is.
        bboxes: (n, 4): x1, y1, x2, y2 in pixels.
        ids: (n,).
        truth: True boxes (m, 4), drawn in white below the others.

    Returns:
        The image (H, W, 3).
    """
    image = image.copy()
    thick = max(1, round(image.shape[0] / 220))
    for box in np.zeros((0, 4)) if truth is None else truth:
        x1, y1, x2, y2 = np.round(box).astype(int).tolist()
        cv2.rectangle(image, (x1, y1), (x2, y2), (255, 255, 255), max(1, thick // 2))
    size, stroke = image.shape[0] / 500, max(1, round(image.shape[0] / 320))
    for box, identity in zip(bboxes, ids):
        x1, y1, x2, y2 = np.round(box).astype(int).tolist()
        color, text = track_color(int(identity)), str(int(identity))
        cv2.rectangle(image, (x1, y1), (x2, y2), color, thick)
        (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, stroke)
        top = max(y1 - height - below, 0)  # inside the image
        cv2.rectangle(image, (x1, top), (x1 + width, top + height + below), color, -1)
        cv2.putText(image, text, (x1, top + height), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), stroke)
    return image
