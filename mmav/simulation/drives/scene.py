"""Description of one drive: who moves where, under which conditions.

Shapes: T instants. Frames of reference: see :mod:`mmav.simulation.drives.geometry`. Everything that the
renderers need is in :class:`DriveScene`; they draw no parameter of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .geometry import heading_vectors

CONDITIONS = ('day', 'dusk', 'night', 'fog', 'tunnel')
KINDS = ('car', 'truck', 'motorcycle')


def drive_name(split: str, index: int) -> str:
    """Name of a drive's folder."""
    return f'{split}_{index:04d}'


@dataclass(frozen=True)
class Vehicle:
    """One road user and its motion in the world frame.

    Args:
        track_id: Number that is unique within the drive.
        kind: 'car', 'truck' or 'motorcycle'.
        size: (width, length, height) in metres.
        position: (x, y) in metres at time 0.
        heading: Radians, clockwise from +y.
        speed: m/s at time 0.
        acceleration: m/s^2; the vehicle stops rather than reverses.
        lane_change: (start s, duration s, shift to the right m) or None.
        level: Sound pressure level in dB re 20 uPa at 1 m; None = silent (parked, engine off).
        cylinders: Number of cylinders of the engine.
        paint: BGR color, 0..255.
        sound_seed: Seed of the engine's timbre and the noise.
        parked: Whether it stands with a cold engine.
    """

    track_id: int
    kind: str
    size: tuple[float, float, float]
    position: tuple[float, float]
    heading: float
    speed: float
    acceleration: float = 0.0
    lane_change: tuple[float, float, float] | None = None
    level: float | None = 92.0
    cylinders: int = 4
    paint: tuple[int, int, int] = (120, 40, 40)
    sound_seed: int = 0
    parked: bool = False

    @property
    def source_height(self) -> float:
        """Height of the acoustic center over the ground in metres."""
        return 0.8 if self.kind == 'truck' else 0.5

    def speeds(self, times: np.ndarray) -> np.ndarray:
        """Speed along the heading (T,) in m/s."""
        return np.maximum(self.speed + self.acceleration * np.asarray(times, dtype=np.float64), 0.0)

    def positions(self, times: np.ndarray) -> np.ndarray:
        """Ground position (T, 2) in metres in the world frame."""
        times = np.asarray(times, dtype=np.float64)
        moving = times
        if self.acceleration < 0:
            moving = np.minimum(times, -self.speed / self.acceleration)
        elif self.acceleration > 0:
            moving = np.maximum(times, -self.speed / self.acceleration)
        along = self.speed * moving + 0.5 * self.acceleration * moving**2
        forward, right = heading_vectors(self.heading)
        out = np.asarray(self.position) + along[..., None] * forward
        if self.lane_change is not None:
            start, duration, shift = self.lane_change
            phase = np.clip((times - start) / duration, 0.0, 1.0)
            out = out + (shift * phase**2 * (3.0 - 2.0 * phase))[..., None] * right
        return out

    def headings(self, times: np.ndarray) -> np.ndarray:
        """Heading (T,) in radians; it turns with the sideways speed of a lane change."""
        times = np.asarray(times, dtype=np.float64)
        heading = np.full(times.shape, float(self.heading))
        if self.lane_change is not None:
            start, duration, shift = self.lane_change
            phase = np.clip((times - start) / duration, 0.0, 1.0)
            sideways = shift * 6.0 * phase * (1.0 - phase) / duration
            heading = heading + np.arctan2(sideways, np.maximum(self.speeds(times), 2.0))
        return heading


@dataclass(frozen=True)
class Road:
    """A straight road in the world frame.

    Args:
        origin: A point of its left edge's line (seen along its heading).
        heading: Radians, clockwise from +y.
        lanes: Number of lanes.
        lane_width: Metres.
        oncoming: How many of the lanes, counted from the left, run against the heading.
    """

    origin: tuple[float, float]
    heading: float
    lanes: int
    lane_width: float = 3.5
    oncoming: int = 1

    @property
    def width(self) -> float:
        """Width in metres."""
        return self.lanes * self.lane_width

    def point(self, along: float, across: float) -> tuple[float, float]:
        """World position of a point `along` the heading and `across` to the right of the left edge."""
        forward, right = heading_vectors(self.heading)
        x = self.origin[0] + along * forward[0] + across * right[0]
        y = self.origin[1] + along * forward[1] + across * right[1]
        return float(x), float(y)

    def coordinates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of :meth:`point` for positions (..., 2)."""
        forward, right = heading_vectors(self.heading)
        relative = np.asarray(points) - np.asarray(self.origin)
        return relative @ forward, relative @ right

    def lane_center(self, lane: int) -> float:
        """Metres across from the left edge to the middle of a lane."""
        return (lane + 0.5) * self.lane_width


@dataclass(frozen=True)
class Scenery:
    """A thing that stands beside the road.

    Args:
        kind: 'building', 'tree', 'lamp' or 'wall' (walls hide what is behind them).
        position: (x, y) in metres in the world frame.
        heading: Radians.
        size: (width, length, height) in metres.
        shade: 0..1, picks the color.
    """

    kind: str
    position: tuple[float, float]
    heading: float
    size: tuple[float, float, float]
    shade: float


@dataclass(frozen=True)
class DriveScene:
    """Everything that is true of one drive.

    Args:
        name: Folder's name.
        split: 'train', 'val' or 'test'.
        condition: One of CONDITIONS.
        ego_speed: m/s along +y; 0 = static.
        duration: Length of the recording in seconds; it runs from time 0.
        frame_times: Instants of the images in seconds.
        road: The road.
        vehicles: Road users.
        scenery: Things beside the road.
        snr: Signal-to-noise ratio in dB.
        noise_shares: Power shares of ambient, wind and ego engine; they sum to 1.
        facade: Signed metres across the road (from its left edge) of a reflecting facade, None = none.
        microphone_gains: Gain error of each microphone in dB.
        microphone_delays: Delay error of each microphone in seconds.
        light: Random numbers in 0..1 that vary the look: brightness, sun's azimuth, haze, heat.
        seed: Seed of the noises.
        start_time: Time stamp of the drive's time 0 in whole seconds.
    """

    name: str
    split: str
    condition: str
    ego_speed: float
    duration: float
    frame_times: tuple[float, ...]
    road: Road
    vehicles: tuple[Vehicle, ...]
    scenery: tuple[Scenery, ...] = ()
    snr: float = 15.0
    noise_shares: tuple[float, float, float] = (1.0, 0.0, 0.0)
    facade: float | None = None
    microphone_gains: tuple[float, ...] = (0.0,) * 8
    microphone_delays: tuple[float, ...] = (0.0,) * 8
    light: tuple[float, ...] = (0.5, 0.5, 0.5, 0.5)
    seed: int = 0
    start_time: int = 1_600_000_000

    @property
    def motion(self) -> str:
        """'static' or 'drive'."""
        return 'drive' if self.ego_speed > 0 else 'static'

    @property
    def time_of_day(self) -> str:
        """'night' for the condition night, 'day' for all others."""
        return 'night' if self.condition == 'night' else 'day'

    def ego_positions(self, times: np.ndarray) -> np.ndarray:
        """Ground position (T, 2) of the array's center in the world frame."""
        times = np.asarray(times, dtype=np.float64)
        return np.stack((np.zeros_like(times), self.ego_speed * times), axis=-1)

    def frame_id(self, index: int) -> str:
        """Published form of a frame's name: `<seconds>_<nanoseconds>_<code>`."""
        nanoseconds = self.start_time * 10**9 + round(self.frame_times[index] * 1e9)
        return f'{nanoseconds // 10**9}_{nanoseconds % 10**9:09d}_{index:04d}'


def mirror_scene(scene: DriveScene) -> DriveScene:
    """The scene as seen in a mirror along the ego's axis (x -> -x); sounds keep their seeds."""

    def flip(point: tuple[float, float]) -> tuple[float, float]:
        return (-point[0], point[1])

    vehicles = tuple(
        replace(
            vehicle,
            position=flip(vehicle.position),
            heading=-vehicle.heading,
            lane_change=vehicle.lane_change
            and (vehicle.lane_change[0], vehicle.lane_change[1], -vehicle.lane_change[2]),
        )
        for vehicle in scene.vehicles
    )
    scenery = tuple(
        replace(thing, position=flip(thing.position), heading=-thing.heading) for thing in scene.scenery
    )
    road = scene.road
    left_edge = flip(road.point(0.0, road.width))
    return replace(
        scene,
        road=replace(road, origin=left_edge, heading=-road.heading, oncoming=road.lanes - road.oncoming),
        vehicles=vehicles,
        scenery=scenery,
        facade=None if scene.facade is None else road.width - scene.facade,
        microphone_gains=scene.microphone_gains[::-1],
        microphone_delays=scene.microphone_delays[::-1],
        light=(scene.light[0], 1.0 - scene.light[1], *scene.light[2:]),
    )
