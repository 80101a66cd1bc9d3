"""Draw drives at random.

A drive depends on the configuration, its split and its index alone, so any process may make any drive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .config import SPLITS, SimulationConfig
from .geometry import PinholeCamera
from .scene import CONDITIONS, DriveScene, Road, Scenery, Vehicle, drive_name
from .truth import view_vehicles

# Mean and spread of (width, length, height) in metres, level at 1 m and 10 m/s in dB, cylinders.
SIZES = {
    'car': ((1.8, 4.35, 1.5), (0.06, 0.3, 0.1)),
    'truck': ((2.45, 7.5, 3.2), (0.08, 0.8, 0.25)),
    'motorcycle': ((0.8, 2.1, 1.6), (0.05, 0.08, 0.06)),
}
LEVELS = {'car': (90.0, 97.0), 'truck': (95.0, 102.0), 'motorcycle': (92.0, 100.0)}
CYLINDERS = {'car': (4, 4, 6), 'truck': (6,), 'motorcycle': (1, 2, 2, 4)}
PAINTS = (
    (38, 32, 150), (120, 62, 28), (190, 186, 180), (32, 30, 30), (225, 225, 222), (96, 94, 92), (60, 98, 42),
    (40, 130, 200), (150, 110, 60), (70, 70, 120), (50, 160, 210), (110, 50, 90),
)  # fmt: skip
MAX_TRIES = 4000


def _choice(rng: np.random.Generator, weights: dict[str, float], order: Sequence[str]) -> str:
    names = [name for name in order if weights.get(name, 0) > 0]
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    # Generator.choice does the same at ten times the cost.
    limits = np.cumsum(shares / shares.sum())
    return names[min(int(np.searchsorted(limits, rng.random(), side='right')), len(names) - 1)]


def _vehicle(
    rng: np.random.Generator,
    config: SimulationConfig,
    track_id: int,
    position: Sequence[float] | np.ndarray,
    heading: float,
    speed: float,
    parked: bool = False,
) -> Vehicle:
    kind = _choice(rng, config.kind_weights, ('car', 'truck', 'motorcycle'))
    mean, spread = SIZES[kind]
    width, length, height = (round(float(m + s * rng.uniform(-1.5, 1.5)), 3) for m, s in zip(mean, spread))
    paint = np.array(PAINTS[int(rng.integers(len(PAINTS)))]) + rng.integers(-12, 13, 3)
    blue, green, red = (int(channel) for channel in np.clip(paint, 8, 245))
    return Vehicle(
        track_id=track_id,
        kind=kind,
        size=(width, length, height),
        position=(float(position[0]), float(position[1])),
        heading=float(heading),
        speed=float(speed),
        acceleration=0.0 if parked else float(rng.normal(0.0, 0.35)),
        level=None if parked else float(rng.uniform(*LEVELS[kind])),
        cylinders=CYLINDERS[kind][int(rng.integers(len(CYLINDERS[kind])))],
        paint=(blue, green, red),
        sound_seed=int(rng.integers(2**31)),
        parked=parked,
    )


def _road(rng: np.random.Generator, config: SimulationConfig, moving: bool, tunnel: bool) -> Road:
    lanes = int(rng.integers(2, 5))
    oncoming = lanes // 2
    if moving or tunnel:
        ego_lane = int(rng.integers(oncoming, lanes))
        return Road((-(ego_lane + 0.5) * 3.5, 0.0), 0.0, lanes, 3.5, oncoming)
    # The ego stands beside the road and looks across it at any angle; it is put so that a random point before
    # the camera lies in the middle of a random lane.
    heading = float(rng.uniform(-np.pi, np.pi))
    distance = rng.uniform(*np.minimum(config.distance, 25.0))
    azimuth = np.radians(rng.uniform(-36.0, 36.0))
    pivot = distance * np.array([np.sin(azimuth), np.cos(azimuth)])
    across = (int(rng.integers(lanes)) + 0.5) * 3.5
    right = np.array([np.cos(heading), -np.sin(heading)])
    origin = pivot - across * right
    return Road((float(origin[0]), float(origin[1])), heading, lanes, 3.5, oncoming)


def _traffic(
    rng: np.random.Generator,
    config: SimulationConfig,
    road: Road,
    ego_speed: float,
    count: int,
    duration: float,
    first_id: int,
) -> list[Vehicle]:
    """Vehicles in their lanes, placed by where they are at a random instant of the drive."""
    vehicles = []
    for number in range(count):
        lane = int(rng.integers(road.lanes))
        oncoming = lane < road.oncoming
        speed = float(rng.uniform(*config.speed))
        if ego_speed > 0 and not oncoming:
            speed = max(ego_speed + float(rng.normal(0.0, 0.25 * ego_speed + 0.5)), 0.5)
        heading = road.heading + (np.pi if oncoming else 0.0)
        moment = rng.uniform(0.0, duration)
        if ego_speed > 0:
            distance = rng.uniform(*config.distance)
            along = distance + ego_speed * moment
        else:
            # A point of the lane in sight, drawn by azimuth so that no part of the image is favored.
            distance = rng.uniform(*config.distance)
            azimuth = np.radians(rng.uniform(-42.0, 42.0))
            spot = distance * np.array([np.sin(azimuth), np.cos(azimuth)])
            along = float(road.coordinates(spot)[0])
        sign = -1.0 if oncoming else 1.0
        start = road.point(along - sign * speed * moment, road.lane_center(lane))
        vehicle = _vehicle(rng, config, first_id + number, start, heading, speed)
        if rng.random() < config.lane_change_share and road.lanes > 1:
            target = lane + (1 if lane == 0 or (lane < road.lanes - 1 and rng.random() < 0.5) else -1)
            shift = (target - lane) * road.lane_width * sign
            change = (float(rng.uniform(0, 0.6 * duration)), float(rng.uniform(1.5, 3.0)), shift)
            vehicle = replace(vehicle, lane_change=change)
        vehicles.append(vehicle)
    return vehicles


def _distractors(
    rng: np.random.Generator,
    config: SimulationConfig,
    road: Road,
    ego_speed: float,
    duration: float,
    first_id: int,
) -> list[Vehicle]:
    """Parked silent vehicles on the right kerb, and one that is heard from behind but not seen."""
    vehicles: list[Vehicle] = []
    for _ in range(int(rng.integers(config.parked + 1))):
        along = rng.uniform(6.0, 40.0 + ego_speed * duration)
        if ego_speed == 0:
            azimuth = np.radians(rng.uniform(-40.0, 40.0))
            sight = rng.uniform(6.0, 40.0) * np.array([np.sin(azimuth), np.cos(azimuth)])
            along = float(road.coordinates(sight)[0])
        spot = road.point(along, road.width + 1.4)
        vehicles.append(_vehicle(rng, config, first_id + len(vehicles), spot, road.heading, 0.0, parked=True))
    if rng.random() < config.unseen_share:
        behind = np.array([rng.choice([-3.5, 3.5, 7.0]), -rng.uniform(6.0, 20.0)])
        vehicles.append(_vehicle(rng, config, first_id + len(vehicles), behind, 0.0, ego_speed))
    return vehicles


def _scenery(
    rng: np.random.Generator, config: SimulationConfig, road: Road, length: float, tunnel: bool
) -> tuple[Scenery, ...]:
    if tunnel:
        return ()
    things = []
    for side in (-1, 1):
        along = -20.0
        while along < 130.0 + length:
            kind = ('tree', 'building', 'lamp')[int(rng.choice(3, p=(0.45, 0.35, 0.2)))]
            size = {
                'tree': (rng.uniform(3, 5), rng.uniform(3, 5), rng.uniform(4.5, 9)),
                'building': (rng.uniform(8, 14), rng.uniform(10, 22), rng.uniform(5, 15)),
                'lamp': (0.16, 0.16, 7.5),
            }[kind]
            building = rng.uniform(11, 18) + size[0] / 2
            setback = {'tree': rng.uniform(3.5, 9), 'building': building, 'lamp': 1.5}[kind]
            across = -setback if side < 0 else road.width + setback
            spot = road.point(along + size[1] / 2, across)
            # The camera's own place stays free.
            clear = np.linalg.norm(np.asarray(spot)) > 6.0 + max(size[:2])
            if clear:
                width, depth, height = map(float, size)
                shade = float(rng.random())
                things.append(Scenery(kind, spot, road.heading, (width, depth, height), shade))
            along += size[1] + rng.uniform(4.0, 16.0)
    if rng.random() < config.occluder_share:
        # It stands before the camera, to the side of a moving ego's lane.
        azimuth = np.radians(rng.uniform(12, 35)) * rng.choice([-1, 1])
        distance = rng.uniform(5.0, 9.0)
        spot = (float(distance * np.sin(azimuth)), float(distance * np.cos(azimuth)))
        across = float(road.coordinates(np.array(spot))[1])
        if not -0.6 < across < road.width + 0.6:
            size = (0.4, float(rng.uniform(2.5, 5)), float(rng.uniform(2, 3)))
            heading = float(azimuth + np.pi / 2) if road.heading != 0 else road.heading
            things.append(Scenery('wall', spot, heading, size, float(rng.random())))
    return tuple(things)


def _hidden_by_scenery(scene: DriveScene) -> bool:
    """Whether a building or a wall stands where the ego begins or ends."""
    for thing in scene.scenery:
        if thing.kind in ('building', 'wall'):
            ends = scene.ego_positions(np.array([0.0, scene.duration]))
            gap = np.linalg.norm(ends - np.asarray(thing.position), axis=1)
            if (gap < 0.5 * max(thing.size[:2]) + 2).any():
                return True
    return False


def _collides(vehicles: Sequence[Vehicle], times: np.ndarray, ego: np.ndarray) -> bool:
    tracks = [vehicle.positions(times) for vehicle in vehicles]
    for i, track in enumerate(tracks):
        size = vehicles[i].size
        if (np.linalg.norm(track - ego, axis=1) < 0.5 * size[1] + 1.2).any():
            return True
        for j in range(i):
            gap = np.linalg.norm(track - tracks[j], axis=1)
            along = 0.5 * (size[1] + vehicles[j].size[1])
            limit = 2.6 if abs(np.sin(vehicles[i].heading - vehicles[j].heading)) < 0.1 else along
            sideways = np.abs((track - tracks[j]) @ _right(vehicles[i].heading))
            if ((gap < along + 1.0) & (sideways < limit)).any():
                return True
    return False


def _roughly_in_view(scene: DriveScene, config: SimulationConfig) -> bool:
    """Cheap first look by the vehicles' middles: whether distance and azimuth are in reach."""
    times = np.asarray(scene.frame_times)
    for vehicle in scene.vehicles:
        relative = vehicle.positions(times) - scene.ego_positions(times)
        distance = np.linalg.norm(relative, axis=1)
        slope = np.abs(relative[:, 0]) - 0.5 * vehicle.size[1]
        if (distance < config.distance[0]).any() or (distance > config.distance[1]).any():
            return False
        if (relative[:, 1] <= 0).any() or (slope > relative[:, 1]).any():
            return False
    return True


def _right(heading: float) -> np.ndarray:
    return np.array([np.cos(heading), -np.sin(heading)])


def sample_drive(config: SimulationConfig, split: str, index: int) -> DriveScene:
    """Draw the drive of a number within 'train', 'val' or 'test'.

    RuntimeError if no drive fulfils the configuration after many tries.
    """
    sequence = np.random.SeedSequence(config.seed, spawn_key=(SPLITS.index(split), index))
    rng = np.random.default_rng(sequence)
    camera = PinholeCamera()
    condition = _choice(rng, config.condition_weights, CONDITIONS)
    moving = bool(rng.random() >= config.static_share)
    count = int(rng.integers(config.vehicles[0], config.vehicles[1] + 1))
    for _ in range(MAX_TRIES):
        scene = _attempt(rng, config, camera, split, index, condition, moving, count)
        if scene is not None:
            return scene
    raise RuntimeError(
        f'no drive of {count} vehicles fulfils the configuration after {MAX_TRIES} tries: widen distance, '
        'lower min_box_height or min_visibility, or switch keep_in_view off'
    )


def _attempt(
    rng: np.random.Generator,
    config: SimulationConfig,
    camera: PinholeCamera,
    split: str,
    index: int,
    condition: str,
    moving: bool,
    count: int,
) -> DriveScene | None:
    interval = float(rng.uniform(*config.frame_interval))
    duration = 2 * config.margin + (config.frames_per_drive - 1) * interval
    duration = np.ceil(duration * 100) / 100
    times = config.margin + interval * np.arange(config.frames_per_drive)
    tunnel = condition == 'tunnel'
    ego_speed = float(rng.uniform(*config.speed)) if moving else 0.0
    road = _road(rng, config, moving, tunnel)
    vehicles = _traffic(rng, config, road, ego_speed, count, duration, 0)
    grid = np.arange(0.0, duration + 0.1, 0.1)
    scene = DriveScene(
        name=drive_name(split, index),
        split=split,
        condition=condition,
        ego_speed=ego_speed,
        duration=float(duration),
        frame_times=tuple(float(round(t, 9)) for t in times),
        road=road,
        vehicles=tuple(vehicles),
        start_time=1_600_000_000 + 10_000_000 * SPLITS.index(split) + 1000 * index,
    )
    if config.keep_in_view and not _roughly_in_view(scene, config):
        return None
    if _collides(vehicles, grid, scene.ego_positions(grid)):
        return None
    if config.keep_in_view:
        for time in scene.frame_times:
            for view in view_vehicles(scene, camera, time):
                if not view.labeled(config) or view.distance < config.distance[0]:
                    return None
    distractors = _distractors(rng, config, road, ego_speed, duration, count)
    distractors = distractors[: 6 + config.parked - count]
    if _collides([*vehicles, *distractors], grid, scene.ego_positions(grid)):
        return None
    wind, engine = rng.uniform(0, config.wind), rng.uniform(0, config.ego_engine)
    wind = wind * (0.4 if ego_speed == 0 else 1.0)
    total = 1.0 + wind + engine
    scenery = _scenery(rng, config, road, ego_speed * duration, tunnel)
    facade = None
    if config.facade_reflection > 0:
        # On the far side of the road, so that it lies behind neither the ego nor a vehicle.
        setback = float(rng.uniform(4, 10))
        across = road.coordinates(np.zeros(2))[1]
        facade = -setback if across > road.width / 2 else road.width + setback
    scene = replace(
        scene,
        vehicles=(*vehicles, *distractors),
        scenery=scenery,
        snr=float(rng.uniform(*config.snr)),
        noise_shares=(1.0 / total, float(wind / total), float(engine / total)),
        facade=facade,
        microphone_gains=tuple(map(float, rng.normal(0.0, config.gain_mismatch, 8))),
        microphone_delays=tuple(map(float, rng.normal(0.0, config.delay_mismatch * 1e-6, 8))),
        light=tuple(map(float, rng.random(4))),
        seed=int(rng.integers(2**31)),
    )
    if _hidden_by_scenery(scene):
        return None
    if config.keep_in_view and scenery:
        views = (view_vehicles(scene, camera, time) for time in scene.frame_times)
        if not all(view.labeled(config) for image in views for view in image):
            return None
    return scene
