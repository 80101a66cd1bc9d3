"""The eight-channel recording of a drive.

Shapes: M microphones, K knots, L samples, V vehicles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import SimulationConfig
from .geometry import SAMPLE_RATE, SPEED_OF_SOUND, MicrophoneArray
from .noise import ambient_noise, ego_engine_noise, wind_noise
from .propagation import (
    HOP,
    PositionFunction,
    directivity_gains,
    oversample,
    propagation_paths,
    render_paths,
)
from .scene import DriveScene, Vehicle
from .sources import vehicle_sound

AMBIENT_LEVEL = 50.0  # dB re 20 uPa, of drives in which nothing sounds
AUDIBLE_SNR = 0.0  # dB over the noise in an image's second, from which a vehicle counts as audible
_POWER_STEP = 4410  # samples a value of Recording.vehicle_power


def _second_around(time: float) -> slice:
    steps = SAMPLE_RATE // _POWER_STEP
    first = max(round((time - 0.5) * steps), 0)
    return slice(first, first + steps)


@dataclass(frozen=True)
class Recording:
    """Sound of one drive.

    Args:
        waveform: (M, L) float32, 1 = digital full scale.
        vehicle_power: (V, L // 4410) power of each vehicle alone, mean over microphones, same scale.
        noise_power: Mean power of the noise, same scale.
    """

    waveform: np.ndarray
    vehicle_power: np.ndarray
    noise_power: float

    def vehicle_snr(self, time: float) -> np.ndarray:
        """Ratio of each vehicle's power to the noise in the second around `time`, in dB (V,)."""
        power = self.vehicle_power[:, _second_around(time)].mean(axis=1)
        return 10.0 * np.log10(np.maximum(power, 1e-30) / max(self.noise_power, 1e-30))


def make_array(config: SimulationConfig) -> MicrophoneArray:
    """The microphone array that a configuration asks for."""
    return MicrophoneArray(config.array_radius, config.array_height, config.microphones)


def source_signal(scene: DriveScene, vehicle: Vehicle, bands: int) -> tuple[np.ndarray, float] | None:
    """Oversampled sound (B, Q) of a vehicle in pascal at 1 m, and its first sample's time in seconds.

    It begins early enough for its longest travel time. None when silent.
    """
    times = np.arange(0.0, scene.duration + 0.1, 0.1)
    distance = np.linalg.norm(vehicle.positions(times) - scene.ego_positions(times), axis=1).max()
    # Reflected paths are longer; the vehicle may have been farther away when it made the sound.
    lead = 1.5 * distance / SPEED_OF_SOUND + 0.25
    length = int((lead + scene.duration + 0.1) * SAMPLE_RATE)
    sound = vehicle_sound(vehicle, -lead, length)
    return None if sound is None else (oversample(sound, bands), -lead)


def render_source(
    scene: DriveScene,
    config: SimulationConfig,
    vehicle: Vehicle,
    signal: np.ndarray,
    signal_start: float,
) -> np.ndarray:
    """What the microphones receive of one vehicle, (M, L) float32 pascal: direct, ground and facade path.

    Args:
        scene: The drive.
        config: Array and reflection coefficients.
        vehicle: Whose motion is taken.
        signal: (B, Q) oversampled pressure at 1 m.
        signal_start: Time of its first sample in seconds.
    """
    array = make_array(config)
    length = round(scene.duration * SAMPLE_RATE)
    times = np.arange(-(-length // HOP) + 1) * HOP / SAMPLE_RATE
    microphones = np.zeros((8, len(times), 3))
    microphones[..., :2] = scene.ego_positions(times)
    microphones += array.positions[:, None]
    delays_error = np.asarray(scene.microphone_delays)[:, None]

    def position(
        at: np.ndarray, height: float = vehicle.source_height, mirror: float | None = None
    ) -> np.ndarray:
        ground = vehicle.positions(at)
        if mirror is not None:
            along, across = scene.road.coordinates(ground)
            ground = np.stack(_road_points(scene, along, 2 * mirror - across), axis=-1)
        return np.concatenate((ground, np.full((*ground.shape[:-1], 1), height)), axis=-1)

    paths: list[tuple[float, PositionFunction]] = [(1.0, position)]
    if config.ground_reflection > 0:
        paths.append((config.ground_reflection, lambda at: position(at, -vehicle.source_height)))
    if config.facade_reflection > 0 and scene.facade is not None:
        paths.append((config.facade_reflection, lambda at: position(at, mirror=scene.facade)))
    out = np.zeros((len(microphones), length), np.float32)
    for coefficient, source in paths:
        delay, distance, towards = propagation_paths(source, microphones, times)
        cosine = np.einsum('mkd,md->mk', towards, array.axes)
        gains = coefficient * directivity_gains(array.directivity, cosine) / distance
        out += render_paths(signal, signal_start, delay + delays_error, gains, length)
    return out


def _road_points(scene: DriveScene, along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sin, cos = np.sin(scene.road.heading), np.cos(scene.road.heading)
    x, y = scene.road.origin
    return x + along * sin + across * cos, y + along * cos - across * sin


def _noise(scene: DriveScene, config: SimulationConfig, length: int) -> np.ndarray:
    array = make_array(config)
    rng = np.random.default_rng(scene.seed)
    ambient, wind, engine = (np.float32(np.sqrt(share)) for share in scene.noise_shares)
    out = ambient * ambient_noise(array, length, rng)
    if wind > 0:
        out += wind * wind_noise(length, rng)
    if engine > 0:
        out += engine * ego_engine_noise(array, scene.ego_speed, length, scene.seed + 1)
    return out


def render_recording(
    scene: DriveScene, config: SimulationConfig, in_view: np.ndarray | None = None
) -> Recording:
    """Make the whole sound of a drive.

    Levels are physical and never normalized: full scale stands for `config.full_scale` pascal throughout a
    data set, so levels between microphones, images and drives keep their meaning.

    Args:
        scene: The drive.
        config: Array, reflections, reference of the signal-to-noise ratio and full scale.
        in_view: (frames, V) bool, which vehicles each image shows; the ratio refers to those (to all when
            none is in view, or None is given).

    Raises:
        ValueError: The sound exceeds full scale.
    """
    length = round(scene.duration * SAMPLE_RATE)
    blocks = length // _POWER_STEP
    bands = 2 if config.microphones == 'shadow' else 1
    waveform = np.zeros((8, length), dtype=np.float32)
    power = np.zeros((len(scene.vehicles), blocks))
    for v, vehicle in enumerate(scene.vehicles):
        made = source_signal(scene, vehicle, bands)
        if made is None:
            continue
        heard = render_source(scene, config, vehicle, *made)
        cut = heard[:, : blocks * _POWER_STEP].reshape(8, blocks, _POWER_STEP)
        power[v] = np.einsum('mbs,mbs->b', cut, cut) / (8 * _POWER_STEP)
        waveform += heard
    noise_power = _noise_power(scene, config, power, in_view)
    waveform += np.float32(np.sqrt(noise_power)) * _noise(scene, config, length)
    gains = 10 ** (np.asarray(scene.microphone_gains) / 20) / config.full_scale
    waveform *= gains.astype(np.float32)[:, None]
    peak = float(np.abs(waveform).max(initial=0.0))
    if peak > 1.0:
        raise ValueError(
            f'drive {scene.name} reaches {20 * np.log10(peak):.1f} dB over full scale: '
            f'raise full_scale (now {config.full_scale:g} Pa) for the whole data set'
        )
    return Recording(waveform, power / config.full_scale**2, noise_power / config.full_scale**2)


def _noise_power(
    scene: DriveScene, config: SimulationConfig, power: np.ndarray, in_view: np.ndarray | None
) -> float:
    """Noise power in Pa^2 that gives the drive its signal-to-noise ratio."""
    per_frame = np.stack([power[:, _second_around(time)].mean(axis=1) for time in scene.frame_times])
    sounding = np.array([vehicle.level is not None for vehicle in scene.vehicles], dtype=bool)
    counted = np.broadcast_to(sounding, per_frame.shape)
    if in_view is not None and (counted & in_view).any():
        counted = counted & in_view
    if not counted.any():
        return (20e-6 * 10 ** (AMBIENT_LEVEL / 20)) ** 2
    frames = counted.sum(axis=0)
    means = np.where(counted, per_frame, 0.0).sum(axis=0)[frames > 0] / frames[frames > 0]
    reference = means.min() if config.snr_reference == 'quietest' else means.max()
    return float(reference / 10 ** (scene.snr / 10))


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """16-bit samples (M, L) of a waveform in -1..1; 1 maps to 32767."""
    return np.rint(waveform * np.float32(32767)).astype(np.int16)
