"""What an array hears besides vehicles: ambient sound, wind, the ego's own engine.

Shapes: M microphones, L samples.
"""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.interpolate import CubicSpline

from .geometry import SAMPLE_RATE, SPEED_OF_SOUND, MicrophoneArray
from .propagation import directivity_gains
from .scene import Vehicle
from .sources import noise_of_shape, vehicle_sound

_PLANE_WAVES = 8
_WIND_STEP = 64  # wind is made at 44100 / 64 = 689 Hz and interpolated


def _mean_power(noise: np.ndarray) -> float:
    return float(np.einsum('ml,ml->m', noise, noise).astype(np.float64).sum() / noise.size)


def ambient_noise(array: MicrophoneArray, length: int, rng: np.random.Generator) -> np.ndarray:
    """Distant sound from all around, (M, L) float32 of unit mean power: plane waves of pink noise.

    Arrival times are rounded to a sample, which no use of ambient noise can tell.
    """
    longest = int(np.ceil(2 * array.radius / SPEED_OF_SOUND * SAMPLE_RATE)) + 1
    size = fft.next_fast_len(length + longest, real=True)
    frequencies = np.maximum(np.arange(size // 2 + 1) * (SAMPLE_RATE / size), 20.0)
    shape = (frequencies**-0.5 / (1.0 + (frequencies / 6000.0) ** 2)).astype(np.float32)
    out = np.zeros((8, length), dtype=np.float32)
    scaled = np.empty(length, dtype=np.float32)
    for _ in range(_PLANE_WAVES):
        wave = noise_of_shape(shape, size, rng)
        azimuth = 2 * np.pi * rng.random()
        direction = np.array([np.sin(azimuth), np.cos(azimuth), 0.0])
        cosine = array.axes @ direction
        lead = np.rint(array.offsets @ direction / SPEED_OF_SOUND * SAMPLE_RATE).astype(int)
        gains = directivity_gains(array.directivity, cosine).mean(axis=0)
        for m in range(8):
            begin = longest // 2 + lead[m]
            out[m] += np.multiply(wave[begin : begin + length], np.float32(gains[m]), out=scaled)
    return out / np.float32(np.sqrt(_mean_power(out)))


def wind_noise(length: int, rng: np.random.Generator) -> np.ndarray:
    """Turbulence at each microphone on its own, (M, L) float32 of unit mean power: below 200 Hz, gusty."""
    points = -(-length // _WIND_STEP) + 2
    size = fft.next_fast_len(points, real=True)
    frequencies = np.maximum(np.arange(size // 2 + 1) * (SAMPLE_RATE / _WIND_STEP / size), 4.0)
    spectrum = fft.rfft(rng.standard_normal((8, size), dtype=np.float32))
    coarse = fft.irfft(spectrum * (frequencies**-1.2 / (1.0 + (frequencies / 150.0) ** 2)), size)[:, :points]
    gust = 1.0 + 0.4 * np.sin(2 * np.pi * (rng.random() + 0.3 * np.arange(points) * _WIND_STEP / SAMPLE_RATE))
    curve = CubicSpline(np.arange(points), coarse * gust, axis=1).c.astype(np.float32)
    curve = np.ascontiguousarray(curve.transpose(2, 1, 0))  # numpy multiplies strided matrices slowly
    steps = np.arange(_WIND_STEP, dtype=np.float32) / _WIND_STEP
    powers = np.stack((steps**3, steps**2, steps, np.ones_like(steps)))
    out = (curve @ powers).reshape(8, -1)[:, :length]
    return out / np.float32(np.sqrt(_mean_power(out)))


def ego_engine_noise(array: MicrophoneArray, speed: float, length: int, seed: int) -> np.ndarray:
    """The ego's engine below and before the array, (M, L) float32 of unit mean power; louder in front."""
    engine = Vehicle(0, 'car', (1.8, 4.3, 1.5), (0.0, 0.0), 0.0, speed, level=94.0, sound_seed=seed)
    sound = vehicle_sound(engine, 0.0, length + 64)
    assert sound is not None  # the engine has a level
    towards = np.array([0.0, 1.3, 0.6]) - array.positions
    distance = np.linalg.norm(towards, axis=1)
    gains = directivity_gains(array.directivity, (array.axes * towards).sum(1) / distance).mean(0) / distance
    lag = np.rint((distance.max() - distance) / SPEED_OF_SOUND * SAMPLE_RATE).astype(int)
    out = np.stack([np.float32(gains[m]) * sound[lag[m] : lag[m] + length] for m in range(8)])
    return out / np.float32(np.sqrt(_mean_power(out)))
