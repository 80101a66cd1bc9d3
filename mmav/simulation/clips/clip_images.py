"""Images of clips: things before a cluttered background.

Shapes: H, W image size.
"""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from .clip_shapes import shape_in_box
from .clips import ClipScene

_NAMED = dict(dark=(40, 38, 36), light=(228, 232, 234), orange=(40, 140, 235))  # BGR
_SHIFT = 4  # binary digits of a pixel's fraction in cv2's drawing


def render_clip(scene: ClipScene, clutter: int = 14) -> np.ndarray:
    """Paint the image of a clip, (H, W, 3) uint8 BGR, with up to ``clutter`` shapes in the background."""
    rng = np.random.default_rng((scene.seed, 1))
    width, height = scene.size
    image = _background(width, height, clutter, rng)
    for thing in scene.things:
        x1, y1, x2, y2 = thing.box
        box = (x1 * width, y1 * height, x2 * width, y2 * height)
        red, green, blue = colorsys.hsv_to_rgb(thing.hue, rng.uniform(0.55, 0.95), rng.uniform(0.5, 0.85))
        own = 255 * np.array([blue, green, red])
        for points, color in shape_in_box(thing.kind, box, thing.angle, thing.mirrored):
            paint = np.array(_NAMED[color]) if isinstance(color, str) else np.minimum(own * color, 255)
            _fill(image, points, paint)
    # Light falls off to one side, and the camera adds noise.
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    slope = rng.uniform(-0.2, 0.2, 2)
    light = np.float32(rng.uniform(0.75, 1.1)) * (
        1 + np.float32(slope[0]) * x[None] + np.float32(slope[1]) * y[:, None]
    )
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(2, 7))
    return np.clip(image * light[..., None] + noise, 0, 255).astype(np.uint8)


def _background(width: int, height: int, clutter: int, rng: np.random.Generator) -> np.ndarray:
    cells = rng.integers(60, 200, (5, 6, 3)) * 0.5 + rng.integers(60, 200, 3) * 0.5
    image = cv2.resize(cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(clutter // 2, clutter + 1)):
        center = rng.random(2) * [width, height]
        extent = rng.uniform(0.04, 0.2) * min(width, height)
        angle = np.sort(2 * np.pi * rng.random(rng.integers(3, 8)))
        outline = np.stack((np.cos(angle), np.sin(angle)), 1) * rng.uniform(0.4, 1, (len(angle), 1))
        # The shapes are grayer than the things, so that color tells something, but not all.
        gray = rng.uniform(50, 210)
        _fill(image, center + extent * outline, np.clip(gray + rng.uniform(-45, 45, 3), 0, 255))
    for _ in range(rng.integers(clutter // 2 + 1)):
        ends = rng.random((2, 2)) * [width, height]
        across = (ends[1] - ends[0])[::-1] * [-1, 1]
        across = across / max(np.linalg.norm(across), 1e-6) * rng.uniform(0.5, 2.5)
        corners = np.concatenate((ends + across, (ends - across)[::-1]))
        _fill(image, corners, rng.uniform(40, 220, 3))
    return image


def _fill(image: np.ndarray, points: np.ndarray, color: np.ndarray) -> None:
    # cv2 puts a pixel's middle at whole numbers.
    fixed = np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(image, [fixed], tuple(map(float, color)), cv2.LINE_AA, _SHIFT)
