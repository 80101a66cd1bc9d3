"""Rigs that tests share."""

import numpy as np

from mmav.simulation.drives.geometry import MicrophoneArray
from mmav.structures import Rig

LEVEL_POSE = ((1, 0, 0, 0), (0, 0, 1, 0), (0, -1, 0, 1.6), (0, 0, 0, 1))
"""A level camera 1.6 m over the ground that looks along y."""


def make_rig(**fields) -> Rig:
    """An octagon of 0.3 m radius, 1.75 m over the ground, and a camera of 200 x 80 pixels."""
    values = dict(
        microphone_positions=MicrophoneArray().positions,
        camera_matrix=((100, 0, 100), (0, 100, 30), (0, 0, 1)),
        camera_pose=LEVEL_POSE,
        image_size=(200, 80),
        crop=(20, 0, 180, 80),
        ground=dict(reflection=0.7),
    )
    return Rig(**{**values, **fields})


def turned_pose(seed: int = 0) -> np.ndarray:
    """A pose turned by some tenths of a radian about each axis."""
    rng = np.random.default_rng(seed)
    pose = np.array(LEVEL_POSE, dtype=float)
    for axis in range(3):
        angle = rng.uniform(-0.3, 0.3)
        turn = np.eye(3)
        first, second = [k for k in range(3) if k != axis]
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        pose[:3, :3] = turn @ pose[:3, :3]
    pose[:2, 3] = rng.uniform(-0.5, 0.5, 2)
    return pose
