"""Sky, ground, road and scenery.

The ground is painted once a drive (a straight road looks alike all along); what moves past a moving ego
(dashes, trees, buildings, lamps) is painted for each image.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .appearance import Appearance
from .geometry import PinholeCamera, heading_vectors, local_to_frame
from .painter import Canvas
from .scene import DriveScene, Scenery
from .truth import to_ego

TUNNEL_HEIGHT = 5.6
TUNNEL_MARGIN = 1.6  # metres between the road's edge and the tunnel's wall
_FAR = 150.0


def _rays(camera: PinholeCamera) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of half-size pixels: x / y (W/2,) and z / y (H/2,) in the ego frame."""
    x = (np.arange(1, camera.width, 2, dtype=np.float32) - camera.cx) / camera.focal
    z = (camera.cy - np.arange(1, camera.height, 2, dtype=np.float32)) / camera.focal
    return x, z


def paint_base(
    scene: DriveScene, camera: PinholeCamera, appearance: Appearance, modalities: Sequence[str]
) -> Canvas:
    """Sky and ground of a drive."""
    x, z = _rays(camera)
    shape = (len(z), len(x))
    rng = np.random.default_rng((scene.seed, 7))
    texture = rng.standard_normal(shape, dtype=np.float32)
    horizon = int(np.argmax(z < 0))
    depth = np.full(shape, _FAR * 4, dtype=np.float32)
    depth[horizon:] = np.minimum(camera.mount_height / -z[horizon:], _FAR * 4)[:, None]
    tunnel = scene.condition == 'tunnel'
    across = _across(scene, x, depth)
    wall = None
    if tunnel:
        depth, wall = _tunnel_depth(scene, camera, x, z)
        across = _across(scene, x, depth)
    canvas = Canvas(camera, appearance, None, None, None)
    if 'rgb' in modalities:
        half = _ground_colors(scene, appearance, x, depth, across, texture)
        if tunnel:
            half[wall] = _wall_colors(depth, z, texture, appearance, camera)[wall]
            half = canvas.through_fog(half, depth)
        else:
            half = canvas.through_fog(half, np.minimum(depth, _FAR * 4))
            half[:horizon] = _sky_colors(appearance, horizon, shape[1], rng, scene)
        half = np.clip(half, 0, 255).astype(np.uint8)
        canvas.rgb = cv2.resize(half, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
    if 'thermal' in modalities:
        on_road = (across > 0) & (across < scene.road.width)
        counts = (
            appearance.ground + np.where(on_road, 60.0, -40.0) + 8 * cv2.GaussianBlur(texture, (0, 0), 1.5)
        )
        counts = canvas.heat_through_fog(counts, np.minimum(depth, _FAR))
        if tunnel:
            counts[wall] = appearance.thermal_sky
        else:
            fade = np.linspace(0, 0.75, horizon, dtype=np.float32)[:, None] ** 2
            counts[:horizon] = appearance.thermal_sky * (1 - fade) + (appearance.ground - 150) * fade
        canvas.thermal = np.clip(counts, 0, 65535).astype(np.uint16)
    if 'depth' in modalities:
        canvas.inverse_depth = (1.0 / depth).astype(np.float32)
        if not tunnel:
            canvas.inverse_depth[:horizon] = 0.0
    return canvas


def _across(scene: DriveScene, x: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Metres across the road of the points that the pixels see at ego position 0."""
    _, right = heading_vectors(scene.road.heading)
    origin = np.asarray(scene.road.origin)
    slope = x * np.float32(right[0]) + np.float32(right[1])
    return (depth * slope[None] - np.float32(origin @ right)).astype(np.float32)


def _ground_colors(
    scene: DriveScene,
    appearance: Appearance,
    x: np.ndarray,
    depth: np.ndarray,
    across: np.ndarray,
    texture: np.ndarray,
) -> np.ndarray:
    width = np.float32(scene.road.width)
    grain = cv2.GaussianBlur(texture, (0, 0), 0.8) * 3.2
    patches = cv2.resize(texture[::24, ::24], texture.shape[::-1], interpolation=cv2.INTER_CUBIC)
    lightness = (grain * 5.0 + patches * 3.0) * np.exp(-depth / 40.0)
    gray = np.float32(92 + 30 * scene.light[2])
    asphalt = np.array([gray + 4, gray + 1, gray], dtype=np.float32)
    verge = np.array([62, 116, 98], dtype=np.float32) + np.float32(20 * scene.light[0])
    kerb = np.array([150, 156, 158], dtype=np.float32)
    out = np.empty((*depth.shape, 3), dtype=np.float32)
    beyond = np.maximum(-across, across - width)
    # Wheel tracks are a little darker.
    track = np.cos(across * np.float32(4 * np.pi / scene.road.lane_width)) * 3.0
    # Edges are blended over a pixel's width on the ground, as fine lines would flicker otherwise.
    pixel = np.maximum(depth / 300.0, 0.02)
    on_kerb = np.clip((beyond - 0.25) / pixel, 0, 1)
    on_verge = np.clip((beyond - 0.65 - (1.3 if scene.condition != 'tunnel' else 9.0)) / (2 * pixel), 0, 1)
    for c in range(3):
        road = asphalt[c] + track
        side = kerb[c] + (verge[c] - kerb[c]) * on_verge
        out[..., c] = road + (side - road) * on_kerb + lightness
    light = np.asarray(appearance.ambient, dtype=np.float32)
    light = light + np.asarray(appearance.sun, dtype=np.float32) * np.float32(
        max(appearance.sun_direction[2], 0.3)
    )
    out *= light
    if appearance.headlights >= 0.5:
        points = np.stack(np.broadcast_arrays(depth * x[None], depth, np.float32(0)), axis=-1)
        out *= (1.0 + appearance.lamp(points) / max(appearance.ambient[1], 0.05))[..., None].astype(
            np.float32
        )
    return out


def _sky_colors(
    appearance: Appearance, rows: int, columns: int, rng: np.random.Generator, scene: DriveScene
) -> np.ndarray:
    ramp = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None] ** 1.4
    top, bottom = (np.asarray(color, dtype=np.float32) for color in appearance.sky)
    sky = np.broadcast_to(top + (bottom - top) * ramp, (rows, columns, 3)).copy()
    clouds: np.ndarray = np.zeros((rows, columns), dtype=np.float32)
    for size, weight in ((6, 1.0), (14, 0.55), (34, 0.3)):
        cells = rng.standard_normal((max(size // 2, 2), size), dtype=np.float32)
        clouds += weight * cv2.resize(cells, (columns, rows), interpolation=cv2.INTER_CUBIC)
    clouds = np.clip(clouds - 0.2, 0, 1.4)[..., None] * (0.2 + 0.6 * scene.light[2])
    tone = np.float32(1.0 if scene.condition == 'day' else 0.25)
    target = bottom * (1 - tone) + np.array([248, 246, 244], dtype=np.float32) * tone
    sky += (target - sky) * np.clip(clouds * (0.6 if scene.condition in ('day', 'dusk') else 0.15), 0, 1)
    # A line of woods and roofs on the horizon.
    steps = rng.standard_normal(80).cumsum()
    ridge = np.interp(np.arange(columns), np.linspace(0, columns, 80), np.abs(steps - steps.mean()))
    ridge = rows - 3 - 2.2 * ridge - 2.0 * rng.random(columns)
    woods = np.arange(rows)[:, None] > ridge[None]
    color = np.array([52, 70, 58], dtype=np.float32) * np.asarray(appearance.ambient, dtype=np.float32)
    seen = np.float32(np.exp(-appearance.fog * 110.0))
    sky[woods] = color * seen + np.asarray(appearance.fog_color, dtype=np.float32) * (1 - seen)
    return sky


def _tunnel_depth(
    scene: DriveScene, camera: PinholeCamera, x: np.ndarray, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth of floor, walls and ceiling along each pixel's ray, and where the floor is not seen."""
    left = scene.road.origin[0] - TUNNEL_MARGIN
    right = scene.road.origin[0] + scene.road.width + TUNNEL_MARGIN
    with np.errstate(divide='ignore'):
        side = np.where(x > 0, right / np.maximum(x, 1e-6), left / np.minimum(x, -1e-6))
        up = np.where(z > 0, (TUNNEL_HEIGHT - camera.mount_height) / np.maximum(z, 1e-6), np.inf)
        floor = np.where(z < 0, camera.mount_height / np.maximum(-z, 1e-6), np.inf)
    vertical = np.minimum(up, floor)[:, None]
    depth = np.minimum(np.minimum(side[None], vertical), _FAR * 4).astype(np.float32)
    return depth, (side[None] < floor[:, None]) | (z[:, None] > 0)


def _wall_colors(
    depth: np.ndarray, z: np.ndarray, texture: np.ndarray, appearance: Appearance, camera: PinholeCamera
) -> np.ndarray:
    height = camera.mount_height + depth * z[:, None]
    tiles = 1.0 + 0.45 * (height < 2.6) - 0.5 * (np.abs(height - 2.6) < 0.12) - 0.25 * (height > 5.3)
    gray = (135 + 7 * cv2.GaussianBlur(texture, (0, 0), 1.2)) * tiles
    bright = 0.75 + 0.35 * np.exp(-depth / 30.0)
    return (gray * bright)[..., None] * np.asarray(appearance.ambient, dtype=np.float32)


def paint_markings(canvas: Canvas, scene: DriveScene, time: float) -> None:
    """Lane markings as seen at an instant; tunnels get their lamps."""
    if canvas.rgb is None:
        return
    road, appearance = scene.road, canvas.appearance
    ego = scene.ego_positions(np.array([time]))[0]
    here, _ = (float(value) for value in road.coordinates(ego))
    light = np.asarray(appearance.ambient) + np.asarray(appearance.sun) * max(
        appearance.sun_direction[2], 0.3
    )

    def stripe(
        across: float, begin: float, length: float, color: Sequence[float], width: float = 0.14
    ) -> None:
        corners = [(begin, across - width / 2), (begin + length, across - width / 2)]
        corners += [(begin + length, across + width / 2), (begin, across + width / 2)]
        points = np.array([(*road.point(*corner), 0.0) for corner in corners])
        points = to_ego(scene, points, time)
        if points[:, 1].max() < 1.0:
            return
        middle = points.mean(axis=0)
        shaded = np.asarray(color) * (light + appearance.lamp(middle))
        canvas.fill(points, canvas.through_fog(shaded, np.linalg.norm(middle)), None, solid=False)

    reach = 72.0
    for begin in np.arange(np.floor((here - reach) / 9.0) * 9.0, here + reach, 9.0):
        for lane in range(road.lanes + 1):
            across = lane * road.lane_width
            if lane in (0, road.lanes):
                inward = 0.12 if lane == 0 else -0.12
                stripe(across + inward, begin, 9.0, (226, 228, 226))
            elif lane == road.oncoming:
                for offset in (-0.14, 0.14):
                    stripe(across + offset, begin, 9.0, (120, 214, 232))
            else:
                stripe(across, begin, 3.0, (226, 228, 226))
    if scene.condition == 'tunnel':
        for begin in np.arange(np.floor(here / 7.0) * 7.0, here + 90.0, 7.0)[::-1]:
            for across in (0.2 * road.width, 0.8 * road.width):
                corners = [(begin, across - 0.25), (begin + 2.2, across - 0.25)]
                corners += [(begin + 2.2, across + 0.25), (begin, across + 0.25)]
                points = np.array([(*road.point(*corner), TUNNEL_HEIGHT - 0.05) for corner in corners])
                canvas.fill(to_ego(scene, points, time), (190, 235, 250), None, solid=False)


def paint_scenery(canvas: Canvas, scene: DriveScene, thing: Scenery, time: float) -> None:
    """Paint one tree, building, lamp or wall."""
    position = to_ego(scene, np.asarray(thing.position), time)
    distance = float(np.linalg.norm(position))
    if position[1] < -max(thing.size) or distance > 140:
        return
    {'tree': _tree, 'lamp': _lamp}.get(thing.kind, _block)(canvas, thing, position, distance)


def _lit(
    canvas: Canvas,
    color: Sequence[float] | np.ndarray,
    normal: np.ndarray,
    point: np.ndarray,
    distance: float,
) -> np.ndarray:
    appearance = canvas.appearance
    light = np.asarray(appearance.ambient) + np.asarray(appearance.sun) * max(
        float(normal @ appearance.sun_direction), 0.0
    )
    shaded = np.asarray(color, dtype=np.float64) * (light + 0.6 * appearance.lamp(point))
    return canvas.through_fog(shaded, distance)


def _block(canvas: Canvas, thing: Scenery, position: np.ndarray, distance: float) -> None:
    w, b, h = (np.array([-0.5, 0.5]) * thing.size[0], np.array([-0.5, 0.5]) * thing.size[1], thing.size[2])
    tones = ((150, 178, 200), (120, 140, 186), (186, 190, 192), (140, 170, 176))
    color = np.asarray(tones[int(thing.shade * 3.99)]) * (0.8 + 0.4 * ((thing.shade * 7) % 1))
    wall = thing.kind == 'wall'
    counts = canvas.heat_through_fog(np.float64(canvas.appearance.ground - (30 if wall else 90)), distance)
    sides = [
        [(w[0], b[0]), (w[0], b[1])], [(w[1], b[1]), (w[1], b[0])],
        [(w[1], b[0]), (w[0], b[0])], [(w[0], b[1]), (w[1], b[1])],
    ]  # fmt: skip
    for start, end in sides:
        flat = np.array([(*start, 0.0), (*end, 0.0), (*end, h), (*start, h)])
        points = local_to_frame(flat, position, thing.heading)
        edge = points[1] - points[0]
        normal = np.array([-edge[1], edge[0], 0.0]) / np.linalg.norm(edge)
        middle = points.mean(axis=0)
        if normal @ (middle - local_to_frame(np.array([0.0, 0, h / 2]), position, thing.heading)) < 0:
            normal = -normal
        if normal[:2] @ middle[:2] >= 0 or points[:, 1].max() < 0.5:
            continue
        canvas.fill(points, _lit(canvas, color, normal, middle, distance), float(counts))
        if wall or canvas.rgb is None:
            continue
        _windows(canvas, points, normal, h, distance, thing.shade)


def _windows(
    canvas: Canvas, wall: np.ndarray, normal: np.ndarray, height: float, distance: float, shade: float
) -> None:
    columns = max(int(np.linalg.norm(wall[1] - wall[0]) / 3.2), 1)
    floors = min(max(int(height / 3.1), 1), 4)
    dark = _lit(canvas, (92, 78, 66), normal, wall.mean(axis=0), distance)
    lamp = canvas.through_fog(np.array([110.0, 190, 225]), distance)
    edge = (wall[1] - wall[0]) / columns
    for floor in range(floors):
        low, high = height * (floor + 0.32) / floors, height * (floor + 0.75) / floors
        for column in range(columns):
            a, b = wall[0] + edge * (column + 0.28), wall[0] + edge * (column + 0.72)
            if max(a[1], b[1]) < 2.0:
                continue
            quad = np.array([(a[0], a[1], low), (b[0], b[1], low), (b[0], b[1], high), (a[0], a[1], high)])
            shining = (
                canvas.appearance.headlights > 0.5 and ((shade * 97 + 13 * floor + 7 * column) % 1.0) < 0.35
            )
            canvas.fill(quad, lamp if shining else dark, None, solid=False)


def _billboard(position: np.ndarray, x0: float, x1: float, z0: float, z1: float) -> np.ndarray:
    """Upright rectangle that faces the camera's plane."""
    x, y = position
    return np.array([(x + x0, y, z0), (x + x1, y, z0), (x + x1, y, z1), (x + x0, y, z1)])


def _tree(canvas: Canvas, thing: Scenery, position: np.ndarray, distance: float) -> None:
    width, _, height = thing.size
    if position[1] < 1.5:
        return
    counts = float(canvas.heat_through_fog(np.float64(canvas.appearance.ground - 160), distance))
    up = np.array([0.0, -0.4, 0.9])
    point = np.array([*position, 2.0])
    bark = _lit(canvas, (40, 58, 72), up, point, distance)
    canvas.fill(_billboard(position, -0.16, 0.16, 0, 0.5 * height), bark, counts)
    green = np.array([46.0, 92 + 30 * thing.shade, 66 + 24 * thing.shade])
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    rim = 1.0 + 0.1 * np.sin(5 * angle + 9 * thing.shade)
    sun_side = 0.12 * width * np.sign(canvas.appearance.sun_direction[0])
    for dx, dz, scale, tone in (
        (0, 0, 1.0, 0.72), (-0.2, -0.1, 0.6, 0.82), (0.2, -0.06, 0.6, 0.82), (sun_side, 0.12, 0.62, 1.0),
        (sun_side * 1.4, 0.2, 0.34, 1.15),
    ):  # fmt: skip
        x = position[0] + dx * width * 0.5 + 0.5 * width * scale * rim * np.cos(angle)
        z = height * 0.66 + dz * width + 0.36 * height * scale * rim * np.sin(angle)
        points = np.stack((x, np.full_like(x, position[1]), z), axis=-1)
        canvas.fill(points, _lit(canvas, green * tone, up, point, distance), counts)


def _lamp(canvas: Canvas, thing: Scenery, position: np.ndarray, distance: float) -> None:
    if position[1] < 1.5:
        return
    height = thing.size[2]
    point = np.array([*position, 2.0])
    gray = _lit(canvas, (110, 112, 114), np.array([0.0, -1.0, 0.0]), point, distance)
    counts = float(canvas.heat_through_fog(np.float64(canvas.appearance.ground - 60), distance))
    canvas.fill(_billboard(position, -0.07, 0.07, 0, height), gray, counts)
    canvas.fill(_billboard(position, -0.5, 0.5, height, height + 0.14), gray, counts)
    if canvas.appearance.headlights > 0.5:
        canvas.glow(np.array([*position, height]), 1.4, (130, 205, 250), 0.8)
