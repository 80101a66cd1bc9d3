"""What the things of clips sound like.

Shapes: L samples.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from ..drives.sources import noise_of_shape


def _band_noise(length: int, rate: int, low: float, high: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit power, flat between two frequencies in hertz, 12 dB an octave outside."""
    size = fft.next_fast_len(length, real=True)
    frequency = np.maximum(np.arange(size // 2 + 1) * (rate / size), 1.0)
    shape = np.minimum((frequency / low) ** 2, 1.0) * np.minimum((high / frequency) ** 2, 1.0)
    return noise_of_shape(shape.astype(np.float32), size, rng)[:length]


def _phase(frequency: np.ndarray, rate: int) -> np.ndarray:
    """Phase in radians of a tone whose frequency (L,) in hertz changes."""
    return 2 * np.pi * np.cumsum(frequency) / rate


def _repeat(
    stroke: np.ndarray, length: int, rate: int, every: float, rng: np.random.Generator, jitter: float = 0.05
) -> np.ndarray:
    """Add a stroke about every so many seconds, beginning with one under way."""
    sound = np.zeros(length + len(stroke))
    begin = -rng.random() * every
    while begin * rate < length:
        first = round(begin * rate)
        piece = stroke[max(-first, 0) :] * rng.uniform(0.7, 1.0)
        sound[max(first, 0) : max(first, 0) + len(piece)] += piece
        begin += every * (1 + jitter * rng.uniform(-2, 2))
    return sound[:length]


def _bell(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(int(1.2 * rate)) / rate
    pitch = rng.uniform(420, 640)
    partials = ((0.5, 0.6), (1.0, 1.0), (1.19, 0.7), (1.5, 0.5), (2.0, 0.8), (2.74, 0.4), (3.76, 0.25))
    stroke = sum(
        level * np.sin(2 * np.pi * ratio * pitch * time) * np.exp(-time * (2.0 + 2.5 * ratio))
        for ratio, level in partials
    )
    return _repeat(stroke, length, rate, rng.uniform(0.45, 0.7), rng)


def _bird(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(int(rng.uniform(0.06, 0.11) * rate)) / rate
    share = time / time[-1]
    low, high = rng.uniform(2600, 3400), rng.uniform(4600, 6000)
    sweep = low + (high - low) * (share if rng.random() < 0.5 else 1 - share)
    stroke = np.sin(_phase(sweep, rate)) * np.sin(np.pi * share) ** 2
    return _repeat(stroke, length, rate, rng.uniform(0.13, 0.22), rng, jitter=0.2)


def _clock(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    every = rng.uniform(0.22, 0.3)
    time = np.arange(int(0.02 * rate)) / rate
    tick, tock = (
        np.sin(2 * np.pi * pitch * time) * np.exp(-time * 400)
        for pitch in (rng.uniform(2400, 3000), rng.uniform(1700, 2100))
    )
    stroke = np.zeros(int(every * rate) + len(tock))
    stroke[: len(tick)] = tick
    stroke[int(every * rate) :][: len(tock)] = 0.8 * tock
    return _repeat(stroke, length, rate, 2 * every, rng, jitter=0.0)


def _drum(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(int(0.25 * rate)) / rate
    pitch = rng.uniform(70, 110) * (1 + 0.8 * np.exp(-time * 40))
    skin = _band_noise(len(time), rate, 150, 900, rng) * np.exp(-time * 45)
    stroke = np.sin(_phase(pitch, rate)) * np.exp(-time * 14) + 0.5 * skin
    return _repeat(stroke, length, rate, rng.uniform(0.2, 0.35), rng)


def _fountain(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(length) / rate
    swell = 1 + 0.25 * np.sin(2 * np.pi * (rng.uniform(0.5, 1.5) * time + rng.random()))
    return swell * _band_noise(length, rate, rng.uniform(900, 1400), rng.uniform(5000, 7000), rng)


def _gear(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(length) / rate
    phase = 2 * np.pi * rng.uniform(45, 75) * time + 0.8 * np.sin(2 * np.pi * rng.uniform(2, 5) * time)
    buzz = sum(np.sin(order * phase + rng.uniform(0, 2 * np.pi)) / order**0.6 for order in range(1, 16))
    grind = _band_noise(length, rate, 300, 1200, rng) * (1 + 0.7 * np.sin(phase))
    return buzz + 0.6 * grind


def _siren(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(length) / rate
    turn = 0.5 - 0.5 * np.cos(2 * np.pi * (rng.uniform(0.8, 1.6) * time + rng.random()))
    phase = _phase(rng.uniform(550, 750) + rng.uniform(600, 900) * turn, rate)
    return np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)


def _trumpet(length: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(length) / rate
    notes = rng.uniform(240, 320) * 2 ** (rng.choice([0, 2, 4, 5, 7, 9], 64) / 12)
    step = rng.uniform(0.18, 0.3)
    place = time / step
    pitch = notes[place.astype(int) % 64] * (1 + 0.006 * np.sin(2 * np.pi * 5.5 * time))
    phase = _phase(pitch, rate)
    brass = sum(np.sin(order * phase) * 0.85**order for order in range(1, 11))
    return brass * np.minimum(1.0, 12 * (1 - place % 1)) * np.minimum(1.0, 12 * (place % 1))


SOUNDS = dict(
    bell=_bell,
    bird=_bird,
    clock=_clock,
    drum=_drum,
    fountain=_fountain,
    gear=_gear,
    siren=_siren,
    trumpet=_trumpet,
)


def clip_sound(kind: str, length: int, sample_rate: int, snr: float, seed: int) -> np.ndarray:
    """Sound of a kind of thing in pink noise, (L,) float32, at most 0.9.

    ``snr`` is the power of the thing's sound over that of the noise, in dB; ``seed`` is of everything that
    differs between two clips of a kind.
    """
    rng = np.random.default_rng((seed, 2))
    sound = SOUNDS[kind](length, sample_rate, rng).astype(np.float32)
    sound /= np.float32(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    size = fft.next_fast_len(length, real=True)
    pink = np.maximum(np.arange(size // 2 + 1) * (sample_rate / size), 20.0) ** -0.5
    sound += np.float32(10 ** (-snr / 20)) * noise_of_shape(pink.astype(np.float32), size, rng)[:length]
    return sound * np.float32(0.9 * rng.uniform(0.4, 1.0) / np.abs(sound).max())
