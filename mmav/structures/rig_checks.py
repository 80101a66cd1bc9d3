"""Checks of what describes a rig; each returns the value in its final type.

Shapes: M microphones. Messages begin with the key that is at fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

MAX_ARRAY_SPAN = 20.0  # metres: an array or mount that is larger is most likely given in millimetres
MIN_MICROPHONE_DISTANCE = 1e-3  # metres
MIN_FOCAL_SHARE = 0.05  # of the image width: a shorter focal length is most likely not given in pixels
MAX_GAIN = 60.0  # decibel
MAX_DELAY = 0.01  # seconds: 3.4 m of sound's way
OPENCV_DISTORTION_LENGTHS = (0, 4, 5, 8, 12, 14)


def array_of(key: str, value: Any, shape: str, *sizes: int | None) -> np.ndarray:
    """Read-only float64 array of nested sequences; ``shape`` says the ``sizes`` (None: any) in words.

    Raises:
        ValueError: If it holds something else than finite numbers, or has another shape.
    """
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f'{key} must be numbers of shape {shape}, got {value!r}') from None
    fits = array.ndim == len(sizes) and all(s in (None, n) for s, n in zip(sizes, array.shape))
    if not fits:
        raise ValueError(f'{key} must have shape {shape}, got {array.shape}')
    if not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(
            f'{key} holds NaN or an infinite value at {where}: every entry must be a finite number'
        )
    array.flags.writeable = False
    return array


def check_microphone_positions(value: Any) -> np.ndarray:
    """(M, 3) metres, M >= 2, apart from each other."""
    key = 'microphone_positions'
    positions = array_of(key, value, '(M, 3)', None, 3)
    if len(positions) < 2:
        raise ValueError(f'{key}: an array has at least 2 microphones, got {len(positions)}')
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    if distance.max() > MAX_ARRAY_SPAN:
        raise ValueError(
            f'{key}: microphones are {distance.max():.4g} m apart, which looks like millimetres: give metres'
        )
    distance[np.diag_indices(len(positions))] = np.inf
    first, second = np.unravel_index(distance.argmin(), distance.shape)
    if distance.min() < MIN_MICROPHONE_DISTANCE:
        raise ValueError(
            f'{key}: microphones {first} and {second} stand at the same place {positions[first].tolist()}: '
            'correct one of them (in metres), or leave one out of data and rig'
        )
    return positions


def check_microphone_axes(value: Any, num_microphones: int) -> np.ndarray | None:
    """(M, 3) unit vectors, or None."""
    if value is None:
        return None
    axes = array_of('microphone_axes', value, f'({num_microphones}, 3)', num_microphones, 3)
    length = np.linalg.norm(axes, axis=1)
    if (np.abs(length - 1) > 1e-3).any():
        worst = int(np.abs(length - 1).argmax())
        raise ValueError(
            f'microphone_axes must be unit vectors, that of microphone {worst} has length {length[worst]:.4g}'
        )
    return axes


def check_microphone_gains(value: Any, num_microphones: int) -> np.ndarray | None:
    """(M,) decibel; None where all are 0."""
    return _channel_values(
        'microphone_gains',
        value,
        num_microphones,
        MAX_GAIN,
        'dB',
        'no amplifier differs so much: give decibel',
    )


def check_microphone_delays(value: Any, num_microphones: int) -> np.ndarray | None:
    """(M,) seconds; None where all are 0."""
    return _channel_values(
        'microphone_delays',
        value,
        num_microphones,
        MAX_DELAY,
        's',
        'it looks like microseconds: give seconds',
    )


def _channel_values(
    key: str, value: Any, num_microphones: int, largest: float, unit: str, advice: str
) -> np.ndarray | None:
    if value is None:
        return None
    values = array_of(key, value, f'({num_microphones},)', num_microphones)
    worst = int(np.abs(values).argmax())
    if abs(values[worst]) > largest:
        raise ValueError(
            f'{key}: {values[worst]:g} {unit} of microphone {worst} is outside of -{largest:g}..{largest:g} '
            f'{unit}; {advice}'
        )
    return values if values.any() else None


def check_camera_matrix(value: Any, image_size: tuple[int, int]) -> np.ndarray:
    """(3, 3) in pixels, without skew, which OpenCV's model does not know."""
    key = 'camera_matrix'
    matrix = array_of(key, value, '(3, 3)', 3, 3)
    if matrix[2, :2].any() or matrix[2, 2] != 1:
        raise ValueError(
            f'{key} must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] with the last row 0, 0, 1, got '
            f'{matrix.tolist()}: is it transposed?'
        )
    if matrix[0, 1] or matrix[1, 0]:
        raise ValueError(f"{key} has skew {matrix[0, 1]:g}, which OpenCV's model does not know: make it 0")
    if min(matrix[0, 0], matrix[1, 1]) <= 0:
        raise ValueError(f'{key}: focal lengths must be above 0, got {matrix[0, 0]:g} and {matrix[1, 1]:g}')
    if matrix[0, 0] < MIN_FOCAL_SHARE * image_size[0]:
        raise ValueError(
            f'{key}: a focal length of {matrix[0, 0]:g} at an image width of {image_size[0]} pixels looks '
            'like millimetres or a share of the width: give pixels'
        )
    return matrix


def check_distortion(value: Any) -> np.ndarray:
    """Coefficients of OpenCV's model (k1, k2, p1, p2, k3, ...), as ``cv2.calibrateCamera`` gives them."""
    value = () if value is None else np.ravel(value).tolist()
    coefficients = array_of('distortion', value, '(K,)', None)
    if len(coefficients) not in OPENCV_DISTORTION_LENGTHS:
        raise ValueError(
            f"distortion has {len(coefficients)} coefficients; OpenCV's model (k1, k2, p1, p2, k3, ...) has "
            f'{", ".join(map(str, OPENCV_DISTORTION_LENGTHS[:-1]))} or {OPENCV_DISTORTION_LENGTHS[-1]}'
        )
    return coefficients


def check_camera_pose(value: Any) -> np.ndarray:
    """(4, 4) rigid transform from the camera's coordinates to the rig's."""
    key = 'camera_pose'
    pose = array_of(key, value, '(4, 4)', 4, 4)
    if not np.array_equal(pose[3], [0, 0, 0, 1]):
        raise ValueError(f'{key}: the last row must be 0, 0, 0, 1, got {pose[3].tolist()}: is it transposed?')
    rotation = pose[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-4:
        raise ValueError(
            f'{key}: the upper left 3 x 3 values are no rotation (their columns must be orthonormal)'
        )
    if np.linalg.det(rotation) < 0:
        raise ValueError(
            f'{key}: the upper left 3 x 3 values mirror (determinant -1): the camera has x right, y down, '
            'z forward'
        )
    if np.linalg.norm(pose[:3, 3]) > MAX_ARRAY_SPAN:
        raise ValueError(
            f'{key}: the camera stands {np.linalg.norm(pose[:3, 3]):.4g} m from the origin, which looks like '
            'millimetres: give metres'
        )
    return pose


def check_image_size(value: Any) -> tuple[int, int]:
    """(width, height) in pixels."""
    size = array_of('image_size', value, '(2,): width, height', 2)
    if (size < 1).any() or (size != size.round()).any():
        raise ValueError(f'image_size must be two positive whole numbers (width, height), got {value!r}')
    return int(size[0]), int(size[1])


def check_crop(value: Any, image_size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """(x1, y1, x2, y2) in pixels of the uncropped image, or None."""
    if value is None:
        return None
    crop = array_of('crop', value, '(4,): x1, y1, x2, y2', 4)
    inside = (crop[:2] >= 0).all() and (crop[:2] < crop[2:]).all() and (crop[2:] <= image_size).all()
    if not inside or (crop != crop.round()).any():
        raise ValueError(
            f'crop must be whole numbers x1 < x2, y1 < y2 within the image of {image_size[0]} x '
            f'{image_size[1]} pixels, got {value!r}'
        )
    return int(crop[0]), int(crop[1]), int(crop[2]), int(crop[3])


def check_speed_of_sound(value: Any) -> float:
    """Metres per second, in air."""
    speed = float(array_of('speed_of_sound', value, '()'))
    if not 250.0 <= speed <= 450.0:
        raise ValueError(f'speed_of_sound must lie in 250..450 m/s (air), got {speed:g}')
    return speed


def speed_from_temperature(value: Any) -> float:
    """Speed of sound in m/s in dry air of a temperature in degrees Celsius (ideal gas)."""
    temperature = float(array_of('temperature', value, '()'))
    if not -80.0 <= temperature <= 80.0:
        raise ValueError(f'temperature must lie in -80..80 degrees Celsius, got {temperature:g}')
    return 331.3 * float(np.sqrt(1.0 + temperature / 273.15))


def check_above_ground(positions: np.ndarray, camera_height: float) -> None:
    """Everything stands above z = 0."""
    low = int(positions[:, 2].argmin())
    if positions[low, 2] <= 0:
        raise ValueError(
            f'microphone_positions: microphone {low} is at z = {positions[low, 2]:g} m, but z is 0 on the '
            'ground and points up: add the height of the array, or set ground to null'
        )
    if camera_height <= 0:
        raise ValueError(
            f'camera_pose: the camera is at z = {camera_height:g} m, but z is 0 on the ground and points up: '
            'give its height over the ground, or set ground to null'
        )


def check_keys(found: Sequence[str], required: Sequence[str], known: Sequence[str]) -> None:
    """Every required key is there, and no unknown one."""
    missing = [key for key in required if key not in found]
    if missing:
        raise ValueError(f'{missing[0]} is missing: give {", ".join(missing)}')
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise ValueError(f'{unknown[0]} is no key of a rig: the keys are {", ".join(known)}')
