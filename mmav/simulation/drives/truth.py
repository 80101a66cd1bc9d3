"""Boxes, visibility and place of every vehicle in an image, from the drive's geometry.

Shapes: V vehicles, F images. Boxes are x1 y1 x2 y2 in pixels of the cropped 1520 x 650 image.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .config import SimulationConfig
from .geometry import CROP, PinholeCamera, local_to_frame
from .meshes import vehicle_outline
from .scene import DriveScene, Scenery, Vehicle

NEAR = 0.4  # metres before the camera: nearer points are not projected
_SCALE = 4  # visibility is counted on an image this many times smaller


@dataclass(frozen=True)
class VehicleView:
    """How one image shows one vehicle.

    Args:
        vehicle: The vehicle.
        box: (4,) clipped to the cropped image; zeros where nothing of it is inside.
        visibility: Share of its silhouette that is inside the image and not hidden.
        distance: Ground distance from the array's center to the vehicle's middle in metres.
        azimuth: Degrees, positive = right of the camera's axis.
    """

    vehicle: Vehicle
    box: np.ndarray
    visibility: float
    distance: float
    azimuth: float

    def labeled(self, config: SimulationConfig) -> bool:
        """Whether the vehicle belongs into the annotations."""
        return (
            self.visibility >= config.min_visibility
            and self.box[3] - self.box[1] >= config.min_box_height
            and self.distance <= config.distance[1]
        )


def to_ego(scene: DriveScene, points: np.ndarray, time: float) -> np.ndarray:
    """World points (..., 2 or 3) as the ego sees them at an instant."""
    shifted = np.array(points, dtype=np.float64)
    shifted[..., 1] -= scene.ego_speed * time
    return shifted


def vehicle_pose(scene: DriveScene, vehicle: Vehicle, time: float) -> tuple[np.ndarray, float]:
    """Ground position (2,) in the ego frame and heading in radians at an instant."""
    at = np.array([time])
    return to_ego(scene, vehicle.positions(at)[0], time), float(vehicle.headings(at)[0])


def clip_near(points: np.ndarray, near: float = NEAR) -> np.ndarray:
    """Cut a convex polygon (P, 3) of the ego frame at the plane y = near; may come back empty."""
    inside = points[:, 1] >= near
    if inside.all():
        return points
    if not inside.any():
        return points[:0]
    kept = []
    for i in range(len(points)):
        a, b = points[i - 1], points[i]
        if inside[i] != inside[i - 1]:
            kept.append(a + (b - a) * (near - a[1]) / (b[1] - a[1]))
        if inside[i]:
            kept.append(b)
    return np.array(kept)


def _silhouette(camera: PinholeCamera, points: np.ndarray) -> np.ndarray | None:
    """Convex hull (P, 2) in cropped pixels of projected corners (N, 3), None when all are behind."""
    ahead = points[points[:, 1] >= NEAR]
    if len(ahead) < 3:
        return None
    if len(ahead) < len(points):
        # Corners behind the camera: pull them along the straight line to a corner before it.
        anchor = ahead[np.argmax(ahead[:, 1])]
        behind = points[points[:, 1] < NEAR]
        share = ((anchor[1] - NEAR) / (anchor[1] - behind[:, 1]))[:, None]
        ahead = np.concatenate((ahead, anchor + (behind - anchor) * share))
    pixels = camera.project(ahead)[0] - np.array([CROP[0], CROP[1]])
    return cv2.convexHull(pixels.astype(np.float32)).reshape(-1, 2)


def _block_corners(thing: Scenery) -> np.ndarray:
    w, b, h = thing.size
    return np.array([(x, y, z) for x in (-w / 2, w / 2) for y in (-b / 2, b / 2) for z in (0.0, h)])


def view_vehicles(scene: DriveScene, camera: PinholeCamera, time: float) -> list[VehicleView]:
    """Boxes and visibility of all vehicles at an instant.

    Visibility counts silhouettes' convex hulls, hidden by nearer vehicles and by walls and buildings.
    """
    width, height = CROP[2] - CROP[0], CROP[3] - CROP[1]
    hulls, distances = [], []
    for vehicle in scene.vehicles:
        position, heading = vehicle_pose(scene, vehicle, time)
        outline = local_to_frame(vehicle_outline(vehicle.kind, vehicle.size), position, heading)
        hulls.append(_silhouette(camera, outline))
        distances.append(float(np.linalg.norm(position)))
    order = list(range(len(hulls)))
    depths = list(distances)
    for thing in scene.scenery:
        if thing.kind in ('wall', 'building'):
            position = to_ego(scene, np.asarray(thing.position), time)
            corners = local_to_frame(_block_corners(thing), position, thing.heading)
            hull = _silhouette(camera, corners)
            if hull is not None:
                order.append(len(hulls))
                hulls.append(hull)
                depths.append(float(np.linalg.norm(corners[:, :2], axis=1).min()))
    owner = np.full((-(-height // _SCALE), width // _SCALE), -1, dtype=np.int16)
    for index in sorted(order, key=lambda i: -depths[i]):
        if (hull := hulls[index]) is not None:
            cv2.fillConvexPoly(owner, np.rint(hull / _SCALE * 16).astype(np.int32), index, shift=4)
    views = []
    for index, vehicle in enumerate(scene.vehicles):
        position, _ = vehicle_pose(scene, vehicle, time)
        azimuth = float(np.degrees(np.arctan2(position[0], position[1])))
        box, visibility = np.zeros(4), 0.0
        hull = hulls[index]
        if hull is not None:
            low, high = hull.min(axis=0).astype(np.float64), hull.max(axis=0).astype(np.float64)
            clipped = np.concatenate((np.maximum(low, 0.0), np.minimum(high, [width, height])))
            if (clipped[2:] - clipped[:2] >= 1.0).all():
                box = clipped
                area = max(float(cv2.contourArea(hull)), 1.0)
                visibility = min(float((owner == index).sum()) * _SCALE**2 / area, 1.0)
        views.append(VehicleView(vehicle, box, visibility, distances[index], azimuth))
    return views
