"""Where the microphones and the camera are, and how they see and hear.

Shapes: M microphones, N pixels or points, W and H width and height of the image in pixels.

Rig coordinates: x right, y forward, z up, in metres. With a ground plane, z is 0 on it. Pixel coordinates are
continuous: an image spans 0..W and 0..H, as boxes do. Every axis, sign and unit: ``docs/rig.md``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from mmav.utils.errors import SampleError, StorageError
from mmav.utils.readers import read_json

from . import rig_checks as checks
from .directivity import Directivity

RIG_FILE = 'rig.json'

_UNITS = dict(microphone_gains=(1.0, 'dB'), microphone_delays=(1e6, 'microseconds'))


@dataclass(frozen=True)
class GroundPlane:
    """The plane z = 0, which reflects sound.

    Args:
        reflection: Coefficient of the mirror-image path's sound pressure, -1..1; 0 = it absorbs.

    Raises:
        ValueError: If the coefficient is out of its range.
    """

    reflection: float = 0.0

    def __post_init__(self) -> None:
        reflection = float(checks.array_of('ground.reflection', self.reflection, '()'))
        if not -1.0 <= reflection <= 1.0:
            raise ValueError(f'ground.reflection must lie in -1..1, got {reflection:g}')
        object.__setattr__(self, 'reflection', reflection)

    @classmethod
    def from_value(cls, value: Any) -> GroundPlane | None:
        """Make it of None (none), ``{'reflection': 0.7}``, or a :class:`GroundPlane`; or ValueError."""
        if value is None or isinstance(value, cls):
            return value
        if isinstance(value, Mapping) and set(value) <= {'reflection'}:
            return cls(**value)
        raise ValueError(f'ground must be null or an object with reflection, got {value!r}')


@dataclass(frozen=True, eq=False)
class Rig:
    """A microphone array and the camera beside it.

    Everything is checked at construction and read-only afterwards; arrays may be given as nested lists.

    Args:
        microphone_positions: (M, 3) metres, in the order of the channels.
        camera_matrix: (3, 3) pixels of the uncropped image: [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].
        camera_pose: (4, 4) [[R, t], [0, 1]] from the camera's coordinates (OpenCV: x right, y down, z
            forward) to the rig's: ``point_rig = R @ point_camera + t``. t is the camera's position in metres;
            the columns of R are the camera's axes in rig coordinates. A level camera that looks along y has
            R = [[1, 0, 0], [0, 0, 1], [0, -1, 0]].
        image_size: (W, H) of the uncropped image.
        microphone_axes: (M, 3) unit vectors along which the microphones face; may be None where they are
            omnidirectional.
        directivity: Common to all microphones: None or 'omni', a number, a dict or a :class:`Directivity`;
            see there.
        distortion: Coefficients of OpenCV's model (k1, k2, p1, p2, k3, ...); may be empty.
        crop: (x1, y1, x2, y2) of the image's part that boxes refer to; None: the whole image.
        ground: The ground plane, a dict of its arguments, or None for far field without ground.
        speed_of_sound: Metres per second.
        microphone_gains: (M,) decibel by which each channel is recorded louder; None or all 0: alike.
        microphone_delays: (M,) seconds by which each channel is recorded late; None or all 0: at once.

    Raises:
        ValueError: If a value is wrong; the message begins with its key and says what to do.

    Example:
        >>> microphones, matrix = [[-0.1, 0, 2], [0.1, 0, 2]], [[100, 0, 100], [0, 100, 50], [0, 0, 1]]
        >>> pose = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]  # level, 1.5 m over the ground
        >>> rig = Rig(microphones, matrix, pose, image_size=(200, 100), ground={})
        >>> rig.ground_points([[100, 80]]).round(6).tolist()  # 30 of 100 pixels down: 1.5 m / 0.3 ahead
        [[0.0, 5.0, 0.0]]
    """

    microphone_positions: np.ndarray
    camera_matrix: np.ndarray
    camera_pose: np.ndarray
    image_size: tuple[int, int]
    microphone_axes: np.ndarray | None = None
    directivity: Directivity | None = None
    distortion: np.ndarray = field(default_factory=lambda: np.zeros(0))
    crop: tuple[int, int, int, int] | None = None
    ground: GroundPlane | None = None
    speed_of_sound: float = 343.0
    microphone_gains: np.ndarray | None = None
    microphone_delays: np.ndarray | None = None

    def __post_init__(self) -> None:
        positions = checks.check_microphone_positions(self.microphone_positions)
        size = checks.check_image_size(self.image_size)
        try:
            directivity = Directivity.from_value(self.directivity)
        except (TypeError, ValueError) as error:
            raise ValueError(f'directivity: {error}') from None
        checked: dict[str, Any] = dict(
            microphone_positions=positions,
            camera_matrix=checks.check_camera_matrix(self.camera_matrix, size),
            camera_pose=checks.check_camera_pose(self.camera_pose),
            image_size=size,
            microphone_axes=checks.check_microphone_axes(self.microphone_axes, len(positions)),
            directivity=directivity,
            distortion=checks.check_distortion(self.distortion),
            crop=checks.check_crop(self.crop, size),
            ground=GroundPlane.from_value(self.ground),
            speed_of_sound=checks.check_speed_of_sound(self.speed_of_sound),
            microphone_gains=checks.check_microphone_gains(self.microphone_gains, len(positions)),
            microphone_delays=checks.check_microphone_delays(self.microphone_delays, len(positions)),
        )
        if directivity is not None and self.microphone_axes is None:
            raise ValueError(
                'microphone_axes is missing, but the microphones have a directivity: give both or none'
            )
        if checked['ground'] is not None:
            checks.check_above_ground(positions, checked['camera_pose'][2, 3])
        for key, value in checked.items():
            object.__setattr__(self, key, value)

    # files and plain values

    @classmethod
    def from_file(cls, path: str | PathLike, backend_args: dict | None = None) -> Rig:
        """Read ``rig.json``; see ``docs/rig.md`` for its format.

        Args:
            path: The file, or an address that one of mmengine's file backends reads.
            backend_args: Of mmengine's file backends.

        Raises:
            ValueError: If it is no json or describes no possible rig; the message names file and key.
        """
        try:
            values = read_json(str(path), backend_args)
        except StorageError:
            raise
        except SampleError as error:
            raise ValueError(f'{error}: see docs/rig.md for the format') from error
        try:
            return cls.from_dict(values)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error

    @classmethod
    def from_value(cls, value: Rig | Mapping[str, Any] | str | PathLike) -> Rig:
        """Make it of a rig (itself), of plain values, or of the path of a ``rig.json``."""
        if isinstance(value, Rig):
            return value
        return cls.from_dict(value) if isinstance(value, Mapping) else cls.from_file(value)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Rig:
        """Make a rig of plain values, as :meth:`to_dict` gives them.

        Args:
            values: The fields; ``temperature`` (degrees Celsius) may stand in for ``speed_of_sound``.

        Raises:
            ValueError: If a key is missing, unknown or wrong.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f'a rig is an object with keys, got {type(values).__name__}: see docs/rig.md')
        known = [field.name for field in fields(cls)]
        required = ['microphone_positions', 'camera_matrix', 'camera_pose', 'image_size']
        checks.check_keys(list(values), required, [*known, 'temperature'])
        values = dict(values)
        if 'temperature' in values:
            if 'speed_of_sound' in values:
                raise ValueError('temperature: speed_of_sound is given, too; give one of them')
            values['speed_of_sound'] = checks.speed_from_temperature(values.pop('temperature'))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The fields as lists, numbers and None, for json, checkpoints and configs.

        ``microphone_gains`` and ``microphone_delays`` are only there where microphones differ.
        """
        values = dict(
            microphone_positions=self.microphone_positions.tolist(),
            microphone_axes=None if self.microphone_axes is None else self.microphone_axes.tolist(),
            directivity=None if self.directivity is None else self.directivity.to_value(),
            camera_matrix=self.camera_matrix.tolist(),
            distortion=self.distortion.tolist(),
            camera_pose=self.camera_pose.tolist(),
            image_size=list(self.image_size),
            crop=None if self.crop is None else list(self.crop),
            ground=None if self.ground is None else dict(reflection=self.ground.reflection),
            speed_of_sound=self.speed_of_sound,
        )
        for key in ('microphone_gains', 'microphone_delays'):
            if getattr(self, key) is not None:
                values[key] = getattr(self, key).tolist()
        return values

    # comparison

    def differences(self, other: Rig, tolerance: float = 1e-6) -> list[str]:
        """What distinguishes another rig, a line a field; empty for equal ones.

        Args:
            other: The other rig.
            tolerance: Largest difference of a number, in the field's unit, that counts as none. Delays are
                compared as the metres that sound travels in them.

        Example:
            >>> from dataclasses import replace
            >>> rig = Rig([[0, 0, 0], [0.1, 0, 0]], [[9, 0, 5], [0, 9, 5], [0, 0, 1]], np.eye(4), (10, 10))
            >>> rig.differences(replace(rig, microphone_positions=[[0, 0, 0], [0.12, 0, 0]]))
            ['microphone_positions: up to 0.02 m apart (microphone 1)']
        """
        ours, theirs = self._comparable(), other._comparable()
        lines = []
        for key, value in ours.items():
            scale = self.speed_of_sound if key == 'microphone_delays' else 1.0
            if _close(value, theirs[key], tolerance / scale):
                continue
            if key == 'microphone_positions' and len(value) == len(theirs[key]):
                distance = np.linalg.norm(self.microphone_positions - other.microphone_positions, axis=1)
                lines.append(f'{key}: up to {distance.max():.3g} m apart (microphone {distance.argmax()})')
            elif key == 'microphone_positions':
                lines.append(f'{key}: {len(value)} microphones here, {len(theirs[key])} there')
            elif key in _UNITS and len(value) == len(theirs[key]):
                scale, unit = _UNITS[key]
                distance = np.abs(np.subtract(value, theirs[key])) * scale
                lines.append(
                    f'{key}: up to {distance.max():.3g} {unit} apart (microphone {distance.argmax()})'
                )
            elif key in _UNITS:
                continue  # the positions have said so
            else:
                lines.append(f'{key}: {value} here, {theirs[key]} there')
        return lines

    def _comparable(self) -> dict[str, Any]:
        zeros = [0.0] * len(self.microphone_positions)
        return dict(dict(microphone_gains=zeros, microphone_delays=zeros), **self.to_dict())

    def is_close(self, other: Rig, tolerance: float = 1e-6) -> bool:
        """Whether :meth:`differences` finds none."""
        return not self.differences(other, tolerance)

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, Rig) else NotImplemented

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict()))

    # the camera

    @property
    def cropped_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the cropped image."""
        x1, y1, x2, y2 = self.crop or (0, 0, *self.image_size)
        return x2 - x1, y2 - y1

    @property
    def camera_position(self) -> np.ndarray:
        """(3,) metres in rig coordinates."""
        return self.camera_pose[:3, 3]

    def _crop_corner(self) -> np.ndarray:
        return np.array((self.crop or (0, 0))[:2], dtype=np.float64)

    def project(self, points: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Project points into the cropped image by OpenCV's model.

        Args:
            points: (N, 3) metres in rig coordinates.

        Returns:
            Pixels (N, 2) of the cropped image, NaN for points that are not before the camera, and depth (N,)
            along the camera's axis in metres.
        """
        rotation = self.camera_pose[:3, :3]
        in_camera = (np.asarray(points, dtype=np.float64).reshape(-1, 3) - self.camera_position) @ rotation
        depth = in_camera[:, 2]
        pixels = np.full((len(depth), 2), np.nan)
        ahead = depth > 1e-9
        if ahead.any():
            none = np.zeros(3)
            projected, _ = cv2.projectPoints(
                in_camera[ahead], none, none, self.camera_matrix, self._opencv_distortion()
            )
            pixels[ahead] = projected.reshape(-1, 2) - self._crop_corner()
        return pixels, depth

    def pixel_rays(self, pixels: ArrayLike) -> np.ndarray:
        """Directions in which pixels of the cropped image look.

        Args:
            pixels: (N, 2) column and row; the cropped image spans 0..width and 0..height.

        Returns:
            (N, 3) unit vectors in rig coordinates.
        """
        corners = np.asarray(pixels, dtype=np.float64).reshape(-1, 2) + self._crop_corner()
        matrix = self.camera_matrix
        normalized = (corners - matrix[:2, 2]) / matrix[[0, 1], [0, 1]]
        if self.distortion.any():
            # OpenCV's default of 5 steps leaves errors of pixels at the border of wide images
            steps = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
            arguments = (corners.reshape(-1, 1, 2), matrix, self._opencv_distortion())
            if hasattr(cv2, 'undistortPointsIter'):
                normalized = cv2.undistortPointsIter(*arguments, None, None, steps)
            else:  # from OpenCV 5 on
                normalized = cv2.undistortPoints(*arguments, criteria=steps)
            normalized = normalized.reshape(-1, 2)
        rays = np.column_stack((normalized, np.ones(len(normalized)))) @ self.camera_pose[:3, :3].T
        return rays / np.linalg.norm(rays, axis=1, keepdims=True)

    def ground_points(self, pixels: ArrayLike, max_distance: float = 40.0) -> np.ndarray:
        """Where the rays of pixels meet the ground.

        Args:
            pixels: (N, 2) column and row of the cropped image.
            max_distance: Metres, along the ground from below the camera. Rays that meet the ground farther
                away or never (above the horizon) give the point at this distance.

        Returns:
            (N, 3) metres in rig coordinates, z = 0.

        Raises:
            ValueError: If the rig has no ground plane.
        """
        if self.ground is None:
            raise ValueError('ground is null: this rig has no ground plane that rays could meet')
        rays = self.pixel_rays(pixels)
        across = np.linalg.norm(rays[:, :2], axis=1)
        slope = np.maximum(-rays[:, 2], 0.0)
        reach = np.full(len(rays), float(max_distance))
        meets = self.camera_position[2] * across < max_distance * slope
        reach[meets] = self.camera_position[2] * across[meets] / slope[meets]
        points = np.zeros((len(rays), 3))
        points[:, :2] = self.camera_position[:2] + rays[:, :2] * (reach / np.maximum(across, 1e-12))[:, None]
        return points

    def _opencv_distortion(self) -> np.ndarray | None:
        return self.distortion if len(self.distortion) else None


def _close(first: Any, second: Any, tolerance: float) -> bool:
    """Whether two of the values of ``Rig.to_dict`` agree."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            _close(first[key], second[key], tolerance) for key in first
        )
    if first is None or second is None or isinstance(first, dict) or isinstance(second, dict):
        return first is second
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return first.shape == second.shape and np.allclose(first, second, rtol=1e-9, atol=tolerance)
