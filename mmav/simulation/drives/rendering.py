"""Camera, thermal and depth images of a scene.

Shapes: H, W image size (650, 1920); F faces of a vehicle, P points.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .appearance import COLORS, HEAT, THERMAL_RANGE, Appearance, cargo_color, make_appearance
from .background import paint_base, paint_markings, paint_scenery
from .config import SimulationConfig
from .geometry import PinholeCamera, local_to_frame
from .meshes import Part, vehicle_parts
from .painter import Canvas
from .scene import DriveScene, Scenery, Vehicle
from .truth import to_ego, vehicle_pose

# Details lie on a face that is already in the depth map.
_FLAT = ('seam', 'plate', 'grille', 'headlight', 'taillight', 'arch', 'rim', 'exhaust', 'cargo_seam')
FlatPart = tuple[Part, np.ndarray, np.ndarray, np.ndarray, list[str]]
DEPTH_RANGE = (3.5, 100.0)  # metres at the red and at the blue end of the depth image


@lru_cache(maxsize=8)
def _noise_bank(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Positive and negative part of camera noise, larger than an image so that each takes another piece."""
    noise = np.random.default_rng(12345).standard_normal((760, 2100, 3), dtype=np.float32) * np.float32(sigma)
    return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)


class DriveRenderer:
    """Makes the images of one drive; what does not change is painted once.

    Args:
        scene: The drive.
        config: Which modalities are wanted.
        camera: The camera.
    """

    def __init__(
        self, scene: DriveScene, config: SimulationConfig, camera: PinholeCamera | None = None
    ) -> None:
        self.scene = scene
        self.camera = camera or PinholeCamera()
        self.appearance = make_appearance(scene)
        self._base = paint_base(scene, self.camera, self.appearance, config.modalities)
        if scene.ego_speed == 0:
            paint_markings(self._base, scene, 0.0)

    def render(self, index: int) -> dict[str, np.ndarray]:
        """Make the images that the configuration asks for of one of the scene's frame_times.

        'rgb' (H, W, 3) uint8 BGR, 'thermal' (H, W) uint16 counts, 'depth' (H, W, 3) uint8 jet-colored BGR.
        """
        time = self.scene.frame_times[index]
        canvas = self._base.copy()
        if self.scene.ego_speed > 0:
            paint_markings(canvas, self.scene, time)
        self._paint_objects(canvas, time)
        rng = np.random.default_rng((self.scene.seed, 11, index))
        out = {}
        if canvas.rgb is not None:
            out['rgb'] = self._develop(canvas.rgb, rng)
        if canvas.thermal is not None:
            out['thermal'] = self._develop_thermal(canvas.thermal, rng)
        if canvas.inverse_depth is not None:
            out['depth'] = self._develop_depth(canvas.inverse_depth, rng)
        return out

    def _paint_objects(self, canvas: Canvas, time: float) -> None:
        todo: list[tuple[float, Vehicle | Scenery, np.ndarray, float]] = []
        for vehicle in self.scene.vehicles:
            position, heading = vehicle_pose(self.scene, vehicle, time)
            if position[1] > -vehicle.size[1]:
                todo.append((float(np.linalg.norm(position)), vehicle, position, heading))
                self._shadow(canvas, vehicle, position, heading)
        for thing in self.scene.scenery:
            position = to_ego(self.scene, np.asarray(thing.position), time)
            todo.append((float(np.linalg.norm(position)), thing, position, 0.0))
        for _, item, position, heading in sorted(todo, key=lambda item: -item[0]):
            if isinstance(item, Vehicle):
                paint_vehicle(canvas, item, position, heading)
            else:
                paint_scenery(canvas, self.scene, item, time)

    def _shadow(self, canvas: Canvas, vehicle: Vehicle, position: np.ndarray, heading: float) -> None:
        w, b, h = vehicle.size[0] / 2, vehicle.size[1] / 2, vehicle.size[2]
        base = np.array([(-w, -b, 0.0), (w, -b, 0.0), (w, b, 0.0), (-w, b, 0.0)])
        foot = local_to_frame(base, position, heading)
        sun = self.appearance.sun_direction
        if max(self.appearance.sun) > 0.3:
            throw = -np.array([sun[0], sun[1], 0.0]) / sun[2] * 0.8 * h
            ends = np.concatenate((foot, foot + throw))[:, :2].astype(np.float32)
            cast = cv2.convexHull(ends).reshape(-1, 2)
            canvas.darken(np.column_stack((cast, np.zeros(len(cast)))), 0.42, 5)
        seen = float(np.exp(-self.appearance.fog * np.linalg.norm(position)))
        canvas.darken(local_to_frame(base * 1.06, position, heading), 0.6 * seen, 9)

    def _develop(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        more, less = _noise_bank(self.appearance.noise)
        y, x = int(rng.integers(110)), int(rng.integers(180))
        window = slice(y, y + self.camera.height), slice(x, x + self.camera.width)
        cv2.add(image, more[window], dst=image)
        cv2.subtract(image, less[window], dst=image)
        return image

    def _develop_thermal(self, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        soft = cv2.GaussianBlur(counts.astype(np.float32), (0, 0), 1.0)
        soft += 7.0 * rng.standard_normal(counts.shape, dtype=np.float32)
        # The sensor resolves steps of 8 counts; it also makes the files compress.
        stepped = (np.clip(soft, *THERMAL_RANGE) / 8 + 0.5).astype(np.uint16) * 8
        return cv2.resize(stepped, (self.camera.width, self.camera.height), interpolation=cv2.INTER_NEAREST)

    def _develop_depth(self, inverse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        near, far = (1.0 / value for value in DEPTH_RANGE)
        level = (inverse - np.float32(far)) * np.float32(255.0 / (near - far))
        blotches = rng.standard_normal((33, 96), dtype=np.float32)
        size = (inverse.shape[1], inverse.shape[0])
        noise = cv2.resize(blotches, size, interpolation=cv2.INTER_CUBIC)
        level += np.float32(self.appearance.depth_noise) * noise
        if self.appearance.fog > 0.02:
            # Stereo finds nothing to match in fog: far things sink into the background.
            seen = np.exp(-0.5 * self.appearance.fog / np.maximum(inverse, 1e-3))
            level *= seen
        gray = cv2.resize(
            np.clip(level, 0, 255).astype(np.uint8), (self.camera.width, self.camera.height),
            interpolation=cv2.INTER_LINEAR,
        )  # fmt: skip
        return cv2.applyColorMap(gray, cv2.COLORMAP_JET)


@lru_cache(maxsize=64)
def _flat_mesh(kind: str, size: tuple[float, float, float]) -> list[FlatPart]:
    """Parts as arrays: corners (P, 3), normals (F, 3), first corner of each face, materials."""
    meshes = []
    for part in vehicle_parts(kind, size):
        corners = np.concatenate([face.points for face in part.faces])
        starts = np.cumsum([0] + [len(face.points) for face in part.faces])
        normals = np.stack([face.normal for face in part.faces])
        meshes.append((part, corners, normals, starts, [face.material for face in part.faces]))
    return meshes


def paint_vehicle(canvas: Canvas, vehicle: Vehicle, position: np.ndarray, heading: float) -> None:
    """Paint a vehicle at a ground position (2,) in metres of the ego frame; heading in radians, clockwise."""
    appearance = canvas.appearance
    distance = float(np.linalg.norm(position))
    eye = np.array([0.0, 0.0, canvas.camera.mount_height])
    meshes = _flat_mesh(vehicle.kind, vehicle.size)

    def order(mesh: FlatPart) -> tuple[int, float]:
        center = local_to_frame(np.array([*mesh[0].center, 0.0]), position, heading)
        return mesh[0].layer, -float(np.hypot(center[0], center[1]))

    lights = []
    for _, corners, normals, starts, materials in sorted(meshes, key=order):
        points = local_to_frame(corners, position, heading)
        turned = local_to_frame(normals, np.zeros(2), heading)
        first = points[starts[:-1]]
        facing = np.einsum('fd,fd->f', turned, eye - first)
        sun = np.maximum(turned @ appearance.sun_direction, 0.0)
        # Sky light comes from above; what looks down is darker.
        skylight = 0.72 + 0.28 * turned[:, 2]
        lamp = appearance.lamp(first) * np.maximum(facing / np.linalg.norm(eye - first, axis=1), 0.0)
        light = skylight[:, None] * np.asarray(appearance.ambient) + lamp[:, None]
        light += sun[:, None] * np.asarray(appearance.sun)
        base = np.array([_color(vehicle, material) for material in materials])
        shaded = canvas.through_fog(np.clip(base * light, 0, 255), np.full(len(base), distance))
        heat = np.array([_heat(vehicle, material, appearance) for material in materials])
        counts = canvas.heat_through_fog(heat, np.full(len(heat), distance))
        for f in np.flatnonzero(facing > 0):
            face = points[starts[f] : starts[f + 1]]
            color, material = shaded[f], materials[f]
            if material in ('headlight', 'taillight') and appearance.headlights > 0 and not vehicle.parked:
                color, strength = _lamp_color(material, appearance, distance, color)
                lights.append((face.mean(axis=0), material, strength))
            canvas.fill(face, color, float(counts[f]), material not in _FLAT)
    for point, material, strength in lights:
        if material == 'headlight':
            canvas.glow(point, 0.9, (190, 215, 235), 0.9 * strength)
        else:
            canvas.glow(point, 0.55, (40, 30, 190), 0.8 * strength)


def _color(vehicle: Vehicle, material: str) -> tuple[float, ...]:
    if material in ('paint', 'hood'):
        return vehicle.paint
    if material == 'seam':
        return tuple(0.55 * channel for channel in vehicle.paint)
    if material == 'cargo':
        return cargo_color(vehicle.paint)
    return COLORS[material]


def _heat(vehicle: Vehicle, material: str, appearance: Appearance) -> float:
    if vehicle.parked:
        return appearance.air + 0.4 * min(HEAT.get(material, 0), 0) * appearance.warmth
    return appearance.air + 400.0 * appearance.warmth + HEAT.get(material, 0) * appearance.warmth


def _lamp_color(
    material: str, appearance: Appearance, distance: float, color: np.ndarray
) -> tuple[np.ndarray, float]:
    """Color of a burning lamp and how strong its halo is."""
    burning = np.array([235.0, 248, 255]) if material == 'headlight' else np.array([60.0, 50, 245])
    seen = float(np.exp(-0.5 * appearance.fog * distance))
    return color + (burning - color) * seen * appearance.headlights, appearance.headlights * seen
