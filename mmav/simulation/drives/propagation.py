"""Sound paths from moving sources to moving microphones.

Shapes: M microphones, K knots (instants at which the geometry is evaluated), L samples, B frequency
bands of the directivity, Q samples of the oversampled source.

Each path delays the source by the travel time of the sound that arrives at that instant, so Doppler follows
without being modeled. Delays are exact at the knots, follow a cubic spline between them, and are rounded
nowhere: the source is read between its oversampled samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import fft
from scipy.interpolate import CubicSpline

from .geometry import SAMPLE_RATE, SPEED_OF_SOUND

OVERSAMPLING = 4
HOP = 441  # samples between knots: 10 ms, in which a delay's fourth derivative moves it by < 0.001 sample
CROSSOVER = 800.0  # Hz between the two bands of directivity 'shadow'
_BLOCK = 40  # knots handled at once, so that buffers stay in the processor's cache

PositionFunction = Callable[[np.ndarray], np.ndarray]


def propagation_paths(
    source: PositionFunction, microphones: np.ndarray, times: np.ndarray, iterations: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve for the sound that arrives at each microphone at given instants.

    The travel time fulfils delay = |microphone(t) - source(t - delay)| / c; the fixed point is reached by
    iteration, each of which shrinks the error by v/c.

    Args:
        source: Positions (..., 3) in metres at times (...) in seconds, in a frame where the air rests.
        microphones: (M, K, 3) metres.
        times: (K,) seconds of arrival.
        iterations: Number of iterations.

    Returns:
        Delay (M, K) in seconds, distance (M, K) in metres, and unit vectors (M, K, 3) from the microphone to
        where the source was when it made the sound.
    """
    delay = np.zeros(microphones.shape[:2])
    for _ in range(iterations):
        towards = source(times[None] - delay) - microphones
        distance = np.sqrt(np.einsum('mkd,mkd->mk', towards, towards))
        delay = distance / SPEED_OF_SOUND
    return delay, distance, towards / distance[..., None]


def directivity_gains(directivity: str, cosine: np.ndarray) -> np.ndarray:
    """Amplitude gain (B, ...) of an outward-facing microphone for sound at cosines (...) to its axis.

    'omni' hears all alike, 'cardioid' has 0.25 + 0.75 (1 + cos) / 2 at every frequency, 'shadow' stands for
    the body behind the microphone: a floor of 0.85 below CROSSOVER and of 0.10 above it, its B = 2 bands.
    """
    facing = (1.0 + cosine) / 2.0
    if directivity == 'omni':
        return np.ones((1, *np.shape(cosine)))
    if directivity == 'cardioid':
        return (0.25 + 0.75 * facing)[None]
    if directivity == 'shadow':
        return np.stack([floor + (1.0 - floor) * facing for floor in (0.85, 0.10)])
    raise ValueError(f"directivity must be 'cardioid', 'shadow' or 'omni', not {directivity!r}")


def oversample(signal: np.ndarray, bands: int) -> np.ndarray:
    """Band-limited interpolation of a source (L,) to OVERSAMPLING times its rate, split into bands (B, Q).

    Its ends should be quiet or unused, the method is periodic. Two bands (low, high) add up to the signal and
    meet at CROSSOVER.
    """
    size = fft.next_fast_len(len(signal), real=True)
    spectrum = fft.rfft(signal.astype(np.float32), size)
    if bands == 2:
        frequencies = np.arange(len(spectrum)) * (SAMPLE_RATE / size)
        low = (1.0 / (1.0 + (frequencies / CROSSOVER) ** 4)).astype(np.float32)
        spectrum = np.stack((spectrum * low, spectrum * (1.0 - low)))
    else:
        spectrum = spectrum[None]
    fine = fft.irfft(spectrum, size * OVERSAMPLING, axis=-1) * np.float32(OVERSAMPLING)
    return fine[:, : len(signal) * OVERSAMPLING]


def _powers(dtype: type) -> np.ndarray:
    steps = np.arange(HOP) / HOP
    return np.stack((steps**3, steps**2, steps, np.ones(HOP))).astype(dtype)


def render_paths(
    source: np.ndarray, source_start: float, delays: np.ndarray, gains: np.ndarray, length: int
) -> np.ndarray:
    """Delay and weigh one oversampled source for every microphone.

    Args:
        source: (B, Q) float32 of :func:`oversample`.
        source_start: Time of the source's first sample in seconds, relative to the output's first sample.
        delays: (M, K) seconds at the knots, which lie HOP samples apart; (K - 1) * HOP >= length.
        gains: (B, M, K) amplitude factors at the knots.
        length: L, samples to make.

    Returns:
        (M, L) float32.

    Raises:
        ValueError: The source does not cover the instants that are heard.
    """
    segments = -(-length // HOP)
    if delays.shape[1] < segments + 1:
        raise ValueError(f'{delays.shape[1]} knots do not cover {length} samples')
    rate = SAMPLE_RATE * OVERSAMPLING
    knots = np.arange(delays.shape[1])
    # Positions in the oversampled source: b0 + n * OVERSAMPLING - delay(n) * rate.
    reads = (knots * HOP / SAMPLE_RATE - delays - source_start) * rate
    if reads.min() < 0 or reads[:, : segments + 1].max() > source.shape[1] - 2:
        raise ValueError('the source signal does not cover the instants that are heard')
    # (M, segment, 4) and (B, M, segment, 4), contiguous: numpy multiplies strided matrices slowly.
    read_curve = np.ascontiguousarray(CubicSpline(knots, reads, axis=1).c.transpose(2, 1, 0))
    gain_curve = CubicSpline(knots, gains, axis=2).c.astype(np.float32).transpose(2, 3, 1, 0)
    gain_curve = np.ascontiguousarray(gain_curve)
    fine, coarse = _powers(np.float64), _powers(np.float32)
    # Value and slope side by side: one gather fetches both.
    table = np.empty(source.shape, dtype=np.complex64)
    table.real = source
    table.imag[:, :-1] = np.diff(source, axis=1)
    table.imag[:, -1] = 0
    out = np.empty((delays.shape[0], segments * HOP), dtype=np.float32)
    for first in range(0, segments, _BLOCK):
        last = min(first + _BLOCK, segments)
        span = slice(first * HOP, last * HOP)
        for m in range(delays.shape[0]):
            position = read_curve[m, first:last] @ fine
            index = position.astype(np.int32)
            fraction = np.subtract(position, index, dtype=np.float64).astype(np.float32)
            total: Any = None
            for band in range(len(source)):
                pair = table[band].take(index.ravel()).reshape(index.shape)
                value = pair.imag * fraction
                value += pair.real
                value *= gain_curve[band, m, first:last] @ coarse
                total = value if total is None else total + value
            out[m, span] = total.ravel()
    return out[:, :length]
