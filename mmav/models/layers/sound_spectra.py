"""What a whole clip sounds like, whatever the direction: its spectrum, and the spectrum of its envelope.

Shapes: B clips, M microphones, L samples, K bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

MIN_POWER = 1e-12  # of full scale, guards the logarithm; 16-bit samples are rounded by 8e-11
MIN_MODULATION = 1e-6  # of the envelope's mean


def band_spectrum(waveform: Tensor, sample_rate: float, edges: Sequence[float], live: Tensor) -> Tensor:
    """Level of bands: 10 log10 of the mean power over bins and microphones, by one transform of the clip.

    The periodogram with a Hann window (Welch's method with a single segment), so that bands may be as narrow
    as some hertz.

    Args:
        waveform: (B, M, L) float in -1..1.
        sample_rate: Hertz.
        edges: K + 1 increasing edges in hertz.
        live: (B, M) bool, microphones that count.

    Returns:
        (B, K) decibel; white noise of power 1 (full scale) has 0 dB.

    Example:
        >>> noise, live = torch.randn(1, 8, 44100), torch.ones(1, 8, dtype=torch.bool)
        >>> band_spectrum(noise, 44100, (100, 1000, 4000), live).abs().max() < 0.5
        tensor(True)
    """
    window = torch.hann_window(waveform.shape[-1], dtype=waveform.dtype, device=waveform.device)
    bands = band_slices(edges, waveform.shape[-1], sample_rate)
    spectrum = torch.fft.rfft(waveform * (window / window.norm()))[..., : bands[-1].stop]
    power = mean_of_live(spectrum.real.square() + spectrum.imag.square(), live)
    return band_levels(power, bands)


def band_levels(power: Tensor, bands: Sequence[slice]) -> Tensor:
    """Mean power of bands in decibel: (B, F) to (B, K)."""
    levels = [power[:, band].mean(1) for band in bands]
    return 10 * torch.stack(levels, dim=1).clamp_min(MIN_POWER).log10()


def modulation_spectrum(
    waveform: Tensor, sample_rate: float, band: Sequence[float], edges: Sequence[float], live: Tensor
) -> Tensor:
    """Strongest line of the envelope's spectrum in each band.

    Known in sonar as DEMON, detection of envelope modulation on noise: the sound is limited to ``band`` and
    squared; lines of that envelope's spectrum tell rates such as an engine's firing.

    Args:
        waveform: (B, M, L) float in -1..1.
        sample_rate: Hertz.
        band: (low, high) in hertz of the sound whose envelope counts.
        edges: K + 1 increasing edges of the modulation's frequency in hertz.
        live: (B, M) bool, microphones that count.

    Returns:
        (B, K): 10 log10 of the strongest line's magnitude, mean over microphones, relative to the envelope's
        mean; a sine of depth m gives 10 log10(m / 2) up to what the square adds. -60 in silence.
    """
    number = waveform.shape[-1]
    inside = bins_inside(band, number, sample_rate).to(waveform.device)
    envelope = torch.fft.irfft(torch.fft.rfft(waveform) * inside, n=number).square()
    bands = band_slices(edges, number, sample_rate)
    lines = mean_of_live(torch.fft.rfft(envelope)[..., : bands[-1].stop].abs(), live)
    return line_levels(lines, bands)


def bins_inside(band: Sequence[float], number: int, sample_rate: float) -> Tensor:
    """Which bins (F,) of a transform of so many samples have frequencies in low <= f < high."""
    frequencies = torch.arange(number // 2 + 1) * (sample_rate / number)
    return (frequencies >= band[0]) & (frequencies < band[1])


def line_levels(lines: Tensor, bands: Sequence[slice]) -> Tensor:
    """Strongest line of bands in decibel of the line at 0 Hz, which is the first: (B, F) to (B, K)."""
    lines = lines / lines[:, :1].clamp_min(torch.finfo(lines.dtype).tiny)
    peaks = [lines[:, band].amax(1) for band in bands]
    return 10 * torch.stack(peaks, dim=1).clamp_min(MIN_MODULATION).log10()


def check_bands(name: str, edges: Sequence[float], sample_rate: float | None = None) -> None:
    """ValueError unless edges increase and, where a sample rate in hertz is given, lie within half of it."""
    if len(edges) < 2 or edges[0] < 0 or any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f'{name} must be at least two increasing frequencies in hertz, got {edges}')
    if sample_rate is not None and edges[-1] > sample_rate / 2:
        raise ValueError(
            f'{name} reaches to {edges[-1]:g} Hz, above half of the sample rate ({sample_rate / 2:g} Hz)'
        )


def mean_of_live(values: Tensor, live: Tensor) -> Tensor:
    """Mean (B, F) over the microphones that count of (B, M, F)."""
    weights = live.to(values.dtype)
    return ((weights / weights.sum(1, keepdim=True))[:, None] @ values)[:, 0]


def band_slices(edges: Sequence[float], number: int, sample_rate: float) -> list[slice]:
    """Bins of a transform of so many samples that belong to bands; at least the nearest one."""
    resolution = sample_rate / number
    starts = [round(edge / resolution) for edge in edges]
    return [slice(start, max(stop, start + 1)) for start, stop in pairwise(starts)]
