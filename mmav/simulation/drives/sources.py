"""What vehicles sound like: engine harmonics, combustion noise and tire noise.

Shapes: L samples.
"""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.ndimage import uniform_filter1d

from .geometry import SAMPLE_RATE
from .scene import Vehicle

# Engine revolutions a metre of road in each gear (first to last), idle and up-shift speed in rev/min.
GEARS = {
    'car': ((7.0, 4.0, 2.7, 2.0, 1.55), 850.0, 2600.0),
    'truck': ((9.0, 6.2, 4.3, 3.0, 2.1, 1.5), 600.0, 1700.0),
    'motorcycle': ((11.0, 7.4, 5.6, 4.5, 3.8), 1200.0, 4800.0),
}
# Share of the power at 10 m/s: engine harmonics, combustion noise, tires.
POWER_SHARES = {'car': (0.3, 0.25, 0.45), 'truck': (0.4, 0.35, 0.25), 'motorcycle': (0.5, 0.4, 0.1)}
REFERENCE_SPEED = 10.0  # m/s at which a vehicle has its nominal level
REFERENCE_PRESSURE = 20e-6  # Pa
_TABLE = 4096
_STEP = 441  # samples between evaluations of speed and gear


def engine_speed(kind: str, speed: np.ndarray | float) -> np.ndarray:
    """Engine speed in revolutions a minute that follows road speed (m/s, any shape) and gear.

    The highest gear is taken that keeps the engine under its up-shift speed; below the first gear's range
    the engine idles.
    """
    ratios, idle, upshift = GEARS[kind]
    revolutions = 60.0 * np.asarray(speed)[..., None] * np.asarray(ratios)
    lowest_fitting = np.argmax(revolutions <= upshift, axis=-1)
    none_fits = ~(revolutions <= upshift).any(axis=-1)
    gear = np.where(none_fits, len(ratios) - 1, lowest_fitting)
    return np.maximum(np.take_along_axis(revolutions, gear[..., None], axis=-1)[..., 0], idle)


def _engine_cycle(cylinders: int, rng: np.random.Generator) -> np.ndarray:
    """One working cycle (two revolutions) with unit power (4096,): strong at multiples of the firing."""
    harmonics = np.arange(1, 33 * cylinders // 2)
    order = harmonics / cylinders
    amplitude = order**-0.7 * np.exp(0.5 * rng.standard_normal(len(harmonics)))
    amplitude[harmonics % cylinders != 0] *= 0.15  # unequal cylinders
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[harmonics] = amplitude * np.exp(2j * np.pi * rng.random(len(harmonics)))
    cycle = np.fft.irfft(spectrum, _TABLE)
    return (cycle / cycle.std()).astype(np.float32)


def noise_of_shape(shape: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Periodic noise (size,) float32 of unit mean power with the amplitudes ``shape`` (size // 2 + 1,)."""
    # Uniform numbers cost a fifth of normal ones, and the sum over all lines is normal either way.
    spectrum = rng.random(2 * len(shape), dtype=np.float32)
    spectrum -= np.float32(0.5)
    spectrum *= np.float32(np.sqrt(12.0))
    noise = fft.irfft(spectrum.view(np.complex64) * shape, size)
    return noise * np.float32(size / np.sqrt(4.0 * np.sum(shape.astype(np.float64) ** 2)))


def _shaped_noise(length: int, low: float, high: float, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit power, flat between two corner frequencies, falling with `slope` dB an octave outside."""
    size = fft.next_fast_len(length, real=True)
    frequencies = np.maximum(np.arange(size // 2 + 1) * np.float32(SAMPLE_RATE / size), 1.0)
    exponent = slope / 20.0 / np.log10(2.0)
    shape = np.minimum((frequencies / low) ** exponent, 1.0)
    shape *= np.minimum((high / frequencies) ** exponent, 1.0)
    return noise_of_shape(shape.astype(np.float32), size, rng)[:length]


def vehicle_sound(vehicle: Vehicle, start: float, length: int) -> np.ndarray | None:
    """Sound pressure (L,) float32 of a vehicle in pascal at 1 m from ``start`` seconds; None if silent."""
    if vehicle.level is None:
        return None
    rng = np.random.default_rng(vehicle.sound_seed)
    knots = -(-length // _STEP) + 1
    speed = vehicle.speeds(start + np.arange(knots) * _STEP / SAMPLE_RATE)
    # A gear change takes about a third of a second.
    revolutions = uniform_filter1d(engine_speed(vehicle.kind, speed), 33, mode='nearest')
    samples = np.arange(length) / _STEP
    cycles = np.cumsum(np.interp(samples, np.arange(knots), revolutions / (120.0 * SAMPLE_RATE)))
    phase = (cycles + rng.random()) * _TABLE
    harmonic = _engine_cycle(vehicle.cylinders, rng).take(phase.astype(np.int64) % _TABLE)

    engine_share, combustion_share, tire_share = POWER_SHARES[vehicle.kind]
    load = (revolutions / engine_speed(vehicle.kind, np.float64(REFERENCE_SPEED))) ** 0.7
    rolling = (np.maximum(speed, 0.0) / REFERENCE_SPEED) ** 1.5  # tires: 30 dB a decade of speed
    grid = np.arange(knots)
    engine_gain = np.interp(samples, grid, load).astype(np.float32)
    tire_gain = np.interp(samples, grid, rolling * np.sqrt(tire_share)).astype(np.float32)
    # Combustion noise comes in bursts, one a firing.
    firing = ((cycles * vehicle.cylinders) % 1.0).astype(np.float32)
    burst = 1.0 + 0.7 * np.cos(np.float32(2 * np.pi) * firing)
    combustion = _shaped_noise(length, 400.0, 2500.0, 5.0, rng) * burst
    tires = _shaped_noise(length, 500.0, 1600.0 + 800.0 * rng.random(), 6.0, rng)
    sound = engine_gain * (np.float32(np.sqrt(engine_share)) * harmonic)
    sound += engine_gain * (np.float32(np.sqrt(combustion_share / 1.245)) * combustion)
    sound += tire_gain * tires
    return sound * np.float32(REFERENCE_PRESSURE * 10 ** (vehicle.level / 20.0))
