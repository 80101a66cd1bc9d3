"""Frames of reference, the pinhole camera and the microphone array.

Shapes: M microphones, N points, T instants.

Ego frame: x right, y forward (the camera's axis), z up, in metres; its origin lies on the ground under the
array's center. Azimuth and heading are clockwise seen from above (positive = right), zero = forward.
The world frame is the ego frame at the drive's first instant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SPEED_OF_SOUND = 343.0  # m/s, dry air at 20 degrees Celsius
SAMPLE_RATE = 44100  # Hz
CROP = (200, 0, 1720, 650)  # columns and rows of the 1920 x 650 image that the labels refer to


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion that looks along the ego's y axis.

    Pixel coordinates are continuous: the image spans 0..width and 0..height, so that a mirrored scene has
    u -> width - u.

    Args:
        width: Image width in pixels.
        height: Image height in pixels.
        focal: Focal length in pixels.
        cx: Column of the principal point.
        cy: Row of the principal point, which is the horizon's row.
        mount_height: Height of the camera over the ground in metres.
    """

    width: int = 1920
    height: int = 650
    focal: float = 900.0
    cx: float = 960.0
    cy: float = 290.0
    mount_height: float = 1.65

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points (..., 3) of the ego frame in metres.

        To pixels (..., 2), and their depth along the camera's axis (...) in metres; pixels of points at or
        behind the camera (depth <= 0) mean nothing.
        """
        points = np.asarray(points, dtype=np.float64)
        depth = points[..., 1]
        scale = self.focal / np.where(depth > 1e-9, depth, 1e-9)
        pixels = np.empty((*depth.shape, 2))
        pixels[..., 0] = self.cx + points[..., 0] * scale
        pixels[..., 1] = self.cy + (self.mount_height - points[..., 2]) * scale
        return pixels, depth

    def intrinsics(self) -> np.ndarray:
        """Camera matrix (3, 3) in OpenCV's convention."""
        return np.array([[self.focal, 0, self.cx], [0, self.focal, self.cy], [0, 0, 1.0]])


@dataclass(frozen=True)
class MicrophoneArray:
    """Microphones on a regular octagon that face outward.

    Microphone k sits at azimuth (k + 0.5) * 45 degrees, so a left-right mirror maps k to 7 - k.

    Args:
        radius: Octagon's radius in metres.
        height: Height over the ground in metres.
        directivity: 'cardioid', 'shadow' or 'omni': see
            :func:`mmav.simulation.drives.propagation.directivity_gains`.
    """

    radius: float = 0.3
    height: float = 1.75
    directivity: str = 'cardioid'

    def __post_init__(self) -> None:
        if self.directivity not in ('cardioid', 'shadow', 'omni'):
            raise ValueError(f"directivity must be 'cardioid', 'shadow' or 'omni', not {self.directivity!r}")

    @property
    def azimuths(self) -> np.ndarray:
        """Azimuth of each microphone (M,) in radians."""
        return (np.arange(8) + 0.5) * np.pi / 4

    @property
    def axes(self) -> np.ndarray:
        """Outward unit vectors (M, 3)."""
        return np.stack((np.sin(self.azimuths), np.cos(self.azimuths), np.zeros(8)), axis=-1)

    @property
    def offsets(self) -> np.ndarray:
        """Microphone positions (M, 3) in metres relative to the array's center."""
        return self.radius * self.axes

    @property
    def positions(self) -> np.ndarray:
        """Microphone positions (M, 3) in metres in the ego frame."""
        return self.offsets + np.array([0.0, 0.0, self.height])


def plane_normal(points: np.ndarray) -> np.ndarray:
    """Normal (3,), not normalized, of the plane through the first three of some points (P, 3)."""
    # np.cross costs twenty times as much on single vectors.
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = points[:3].tolist()
    ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
    return np.array([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])


def heading_vectors(heading: float) -> tuple[np.ndarray, np.ndarray]:
    """Forward and right unit vectors (2,) of a heading in radians, clockwise from +y."""
    sin, cos = math.sin(heading), math.cos(heading)
    return np.array([sin, cos]), np.array([cos, -sin])


def local_to_frame(points: np.ndarray, position: np.ndarray, heading: float) -> np.ndarray:
    """Turn and shift a body's points (..., 3) (right, forward, up) into the frame of its position (2,).

    In metres; the heading in radians, clockwise from +y.
    """
    sin, cos = math.sin(heading), math.cos(heading)
    out = np.empty(np.shape(points))
    out[..., 0] = position[0] + points[..., 0] * cos + points[..., 1] * sin
    out[..., 1] = position[1] + points[..., 1] * cos - points[..., 0] * sin
    out[..., 2] = points[..., 2]
    return out
