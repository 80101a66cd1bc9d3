"""Canvases of the three modalities and the filling of flat polygons on them.

Shapes: P points, F faces. Thermal and depth canvases are half as wide and high as the camera image,
as such cameras see less detail, and are enlarged at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from .appearance import Appearance
from .geometry import PinholeCamera, plane_normal
from .truth import NEAR, clip_near

_SHIFT = 4  # binary digits of a pixel's fraction in cv2's drawing


@dataclass
class Canvas:
    """Images that are being painted; a modality that is not wanted is None.

    Args:
        camera: The camera of all of them.
        appearance: Light and weather.
        rgb: (H, W, 3) uint8 BGR.
        thermal: (H/2, W/2) uint16 counts.
        inverse_depth: (H/2, W/2) float32 1/m.
    """

    camera: PinholeCamera
    appearance: Appearance
    rgb: np.ndarray | None
    thermal: np.ndarray | None
    inverse_depth: np.ndarray | None

    def copy(self) -> Canvas:
        """Independent copy of the images."""
        images = (self.rgb, self.thermal, self.inverse_depth)
        copies = (None if image is None else image.copy() for image in images)
        return Canvas(self.camera, self.appearance, *copies)

    def through_fog(self, colors: np.ndarray, distance: ArrayLike) -> np.ndarray:
        """Colors (..., 3) as seen through `distance` (...) metres of air."""
        seen = np.exp(-self.appearance.fog * np.asarray(distance))[..., None]
        return colors * seen + np.asarray(self.appearance.fog_color) * (1.0 - seen)

    def heat_through_fog(self, counts: np.ndarray | float, distance: ArrayLike) -> np.ndarray:
        """Thermal counts as seen through `distance` metres of air."""
        seen = np.exp(-self.appearance.heat_fog * np.asarray(distance))
        return counts * seen + self.appearance.air * (1.0 - seen)

    def fill(
        self,
        points: np.ndarray,
        color: Sequence[float] | np.ndarray | None,
        counts: float | None,
        solid: bool = True,
    ) -> None:
        """Fill one flat convex polygon (P, 3), in metres of the ego frame.

        With a BGR color and thermal counts, both after fog; None leaves the image as it is. It counts in the
        depth map if it is ``solid``.
        """
        points = clip_near(points)
        if len(points) < 3:
            return
        pixels, _ = self.camera.project(points)
        low_u, low_v = pixels.min(axis=0)
        high_u, high_v = pixels.max(axis=0)
        if high_u < 0 or high_v < 0 or low_u > self.camera.width or low_v > self.camera.height:
            return
        # cv2 puts a pixel's middle at whole numbers; keep what it draws within its 16-bit-safe range.
        pixels = np.minimum(np.maximum(pixels, -20000), 20000) - 0.5
        if self.rgb is not None and color is not None:
            fixed = np.rint(pixels * (1 << _SHIFT)).astype(np.int32)
            cv2.fillConvexPoly(self.rgb, fixed, tuple(map(float, color)), cv2.LINE_AA, _SHIFT)
        if self.thermal is None and self.inverse_depth is None:
            return
        half = np.rint((pixels * 0.5 - 0.25) * (1 << _SHIFT)).astype(np.int32)
        if self.thermal is not None and counts is not None:
            cv2.fillConvexPoly(self.thermal, half, float(counts), cv2.LINE_8, _SHIFT)
        if self.inverse_depth is not None and solid:
            self._fill_depth(self.inverse_depth, points, half)

    def _fill_depth(self, image: np.ndarray, points: np.ndarray, half: np.ndarray) -> None:
        inverse = 1.0 / points[:, 1]
        if inverse.max() < 1.06 * inverse.min():
            cv2.fillConvexPoly(image, half, float(inverse.mean()), cv2.LINE_8, _SHIFT)
            return
        # On a plane, inverse depth is an affine function of the pixel.
        normal = plane_normal(points)
        offset = float(normal @ (points[0] - np.array([0, 0, self.camera.mount_height])))
        height, width = image.shape
        xy = half / (1 << _SHIFT)
        x0, y0 = np.maximum(np.floor(xy.min(axis=0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(xy.max(axis=0)).astype(int) + 1, [width, height])
        if abs(offset) < 1e-6 or x1 <= x0 or y1 <= y0:
            return
        mask = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
        cv2.fillConvexPoly(mask, half - np.array([x0, y0]) * (1 << _SHIFT), 1, cv2.LINE_8, _SHIFT)
        u = (np.arange(x0, x1, dtype=np.float32) * 2 + 1 - self.camera.cx) / self.camera.focal
        v = (self.camera.cy - np.arange(y0, y1, dtype=np.float32) * 2 - 1) / self.camera.focal
        plane = (normal[0] * u)[None] + (normal[2] * v)[:, None] + normal[1]
        plane = np.clip(plane / offset, inverse.min(), inverse.max()).astype(np.float32)
        region = image[y0:y1, x0:x1]
        np.copyto(region, plane, where=mask.astype(bool))

    def darken(self, points: np.ndarray, share: float, blur: int) -> None:
        """Soft shadow of a convex ground polygon (P, 3): the image is multiplied by 1 - share."""
        if self.rgb is None:
            return
        points = clip_near(points)
        if len(points) < 3:
            return
        pixels = self.camera.project(points)[0] - 0.5
        region = self._region(pixels, blur)
        if region is None:
            return
        x0, y0, x1, y1 = region
        mask = np.full((y1 - y0, x1 - x0), 255, dtype=np.uint8)
        fixed = np.rint((np.clip(pixels, -20000, 20000) - [x0, y0]) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(mask, fixed, 255.0 * (1.0 - share), cv2.LINE_AA, _SHIFT)
        mask = cv2.blur(mask, (blur, max(blur // 2, 1)))
        area = self.rgb[y0:y1, x0:x1]
        self.rgb[y0:y1, x0:x1] = cv2.multiply(area, cv2.cvtColor(mask, cv2.COLOR_GRAY2BGR), scale=1 / 255)

    def glow(self, point: np.ndarray, radius: float, color: Sequence[float], strength: float) -> None:
        """Round light around a point (3,) of the ego frame; `radius` in metres."""
        if self.rgb is None or point[1] < NEAR:
            return
        pixel = self.camera.project(point)[0] - 0.5
        size = float(np.clip(radius * self.camera.focal / point[1], 3, 220))
        region = self._region(pixel[None], int(size))
        if region is None:
            return
        x0, y0, x1, y1 = region
        x = np.exp(-(((np.arange(x0, x1) - pixel[0]) / (0.45 * size)) ** 2)).astype(np.float32)
        y = np.exp(-(((np.arange(y0, y1) - pixel[1]) / (0.45 * size)) ** 2)).astype(np.float32)
        shine = np.asarray(color, dtype=np.float32) * np.float32(strength)
        light = (y[:, None] * x[None])[..., None] * shine
        area = self.rgb[y0:y1, x0:x1]
        self.rgb[y0:y1, x0:x1] = cv2.add(area, light.astype(np.uint8))

    def _region(self, pixels: np.ndarray, margin: int) -> tuple[int, int, int, int] | None:
        low = np.floor(pixels.min(axis=0)).astype(int) - margin
        high = np.ceil(pixels.max(axis=0)).astype(int) + margin + 1
        x0, y0 = np.maximum(low, 0)
        x1, y1 = np.minimum(high, [self.camera.width, self.camera.height])
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
