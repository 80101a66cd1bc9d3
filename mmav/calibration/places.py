"""Where the sources are that boxes show.

Shapes: N frames, K boxes of a frame, B boxes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..structures import Rig


@dataclass(frozen=True)
class PlacePrior:
    """How a vehicle's box relates to the place of its sound, with the standard deviation of each.

    Args:
        source_height: Metres over the ground.
        depth: Metres from where a box's bottom center meets the ground to the vehicle's middle.
        azimuth_std: Degrees.
        distance_std: Share of the distance.
        height_std: Share of the height.
        far_distance: Metres of sources where the rig has no ground plane.
    """

    source_height: float = 0.5
    depth: float = 1.5
    azimuth_std: float = 1.5
    distance_std: float = 0.12
    height_std: float = 0.3
    far_distance: float = 20.0

    def box_places(self, rig: Rig, bboxes: np.ndarray) -> np.ndarray:
        """Most likely place (B, 3), metres, of each box: behind its bottom center on the ground, raised.

        Boxes (B, 4) are x1, y1, x2, y2 in pixels of the cropped image.
        """
        bboxes = np.asarray(bboxes, dtype=np.float64).reshape(-1, 4)
        columns = bboxes[:, [0, 2]].mean(1)
        if rig.ground is None:
            middle = np.stack((columns, bboxes[:, [1, 3]].mean(1)), axis=1)
            return rig.camera_position + self.far_distance * rig.pixel_rays(middle)
        places = rig.ground_points(np.stack((columns, bboxes[:, 3]), axis=1), max_distance=1000.0)
        away = places[:, :2] - rig.camera_position[:2]
        distance = np.linalg.norm(away, axis=1, keepdims=True)
        places[:, :2] += away / distance * self.depth
        # The near end of a vehicle along the road looks larger than its far one, which draws the box
        # outwards: its center is at (x / near + x / far) / 2, the vehicle's at x / middle, with x across the
        # camera's axis.
        across = rig.camera_pose[:2, 0]
        outwards = (places[:, :2] - rig.camera_position[:2]) @ across
        excess = self.depth**2 / (distance[:, 0] * (distance[:, 0] + 2 * self.depth))
        places[:, :2] -= (outwards * excess / (1 + excess))[:, None] * across
        places[:, 2] = self.source_height
        return places

    def moved(self, places: Tensor, camera_position: Tensor, offsets: Tensor) -> Tensor:
        """Places (N, K, 3) of :meth:`box_places` with offsets (N, K, 3), differentiable.

        Offsets are in standard deviations of azimuth, distance and height; the camera's position is (3,) in
        metres.
        """
        angle = offsets[..., 0] * np.radians(self.azimuth_std)
        scale = torch.exp(offsets[..., 1] * self.distance_std)
        x, y = (places[..., :2] - camera_position[:2]).unbind(-1)
        return torch.stack(
            (
                camera_position[0] + scale * (x * angle.cos() + y * angle.sin()),
                camera_position[1] + scale * (y * angle.cos() - x * angle.sin()),
                places[..., 2] * torch.exp(offsets[..., 2] * self.height_std),
            ),
            dim=-1,
        )


def box_azimuths(rig: Rig, bboxes: np.ndarray) -> np.ndarray:
    """Degrees (B,) to the right of rig axis y in which boxes (B, 4) are seen."""
    bboxes = np.asarray(bboxes, dtype=np.float64).reshape(-1, 4)
    rays = rig.pixel_rays((bboxes[:, :2] + bboxes[:, 2:]) / 2)
    return np.degrees(np.arctan2(rays[:, 0], rays[:, 1]))
