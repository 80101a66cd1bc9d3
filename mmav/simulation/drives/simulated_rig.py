"""The simulated array and camera as a rig."""

from __future__ import annotations

import numpy as np

from mmav.structures import Directivity, GroundPlane, Rig

from .config import SimulationConfig
from .geometry import CROP, SPEED_OF_SOUND, PinholeCamera
from .propagation import CROSSOVER, directivity_gains
from .recording import make_array


def make_rig(config: SimulationConfig) -> Rig:
    """What the microphones and the camera of a data set are like, in the ego frame.

    What differs from drive to drive is not in it: mismatch of gains and delays, facades.
    """
    array, camera = make_array(config), PinholeCamera()
    pose = np.eye(4)
    # columns: the camera's right, down and forward in the ego frame
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    pose[2, 3] = camera.mount_height
    return Rig(
        microphone_positions=array.positions.round(9),
        microphone_axes=array.axes.round(9),
        directivity=first_order_directivity(array.directivity),
        camera_matrix=camera.intrinsics(),
        camera_pose=pose,
        image_size=(camera.width, camera.height),
        crop=CROP,
        ground=GroundPlane(config.ground_reflection),
        speed_of_sound=SPEED_OF_SOUND,
    )


def first_order_directivity(name: str) -> Directivity | None:
    """The gain of :func:`directivity_gains` in the form ``alpha + (1 - alpha) cos``; None for 'omni'."""
    # the gain at a right angle is alpha, of both bands where there are two
    alpha = directivity_gains(name, np.zeros(())).round(9).tolist()
    if name == 'omni':
        return None
    if len(alpha) == 1:
        return Directivity(alpha[0])
    # The bands meet at the crossover as oversample() splits them; linear between these frequencies to 1e-3.
    frequencies = np.concatenate(([0.0], np.geomspace(0.1, 30.0, 61) * CROSSOVER))
    low = 1 / (1 + (frequencies / CROSSOVER) ** 4)
    mixed = low * alpha[0] + (1 - low) * alpha[1]
    return Directivity(tuple(mixed.round(6).tolist()), tuple(frequencies.round(3).tolist()))
