"""The channels of acoustic images that are spectra of a clip as a whole, by real products of matrices.

Shapes: B clips, M microphones, L samples, F bins, K bands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn

from mmav.models.layers import AcousticImage
from mmav.models.layers.sound_spectra import (
    band_levels,
    band_slices,
    bins_inside,
    line_levels,
    mean_of_live,
)

from .real_fourier import BandLimited, LongTransform


class ClipSpectra(nn.Module):
    """The channels 'spectrum' and 'modulation' of an acoustic image, of one transform of the clip.

    Args:
        layer: Whose channels these are.
        num_samples: L.

    Raises:
        ValueError: If a transform of so many samples cannot be split.
    """

    def __init__(self, layer: AcousticImage, num_samples: int) -> None:
        super().__init__()
        parts: dict[str, _BandSpectrum | _ModulationSpectrum] = {}
        if 'spectrum' in layer.channels:
            parts['spectrum'] = _BandSpectrum(layer.spectrum_edges, num_samples, layer.sample_rate)
        if 'modulation' in layer.channels:
            bands = layer.modulation_band, layer.modulation_edges
            parts['modulation'] = _ModulationSpectrum(*bands, num_samples, layer.sample_rate)
        self.parts = nn.ModuleDict(parts)
        if parts:
            first = min(part.bins[0] for part in parts.values())
            last = max(part.bins[1] for part in parts.values())
            self.transform = LongTransform(num_samples, np.arange(first, last))
            self.spans = {name: slice(*(bin - first for bin in part.bins)) for name, part in parts.items()}

    def forward(self, waveform: Tensor, live: Tensor) -> dict[str, Tensor]:
        """Decibel (B, K) by the name of the channel.

        Args:
            waveform: (B, M, L)
            live: (B, M) bool, microphones that count.
        """
        if not self.parts:
            return {}
        real, imaginary = self.transform(waveform)
        found = {}
        for name, part in self.parts.items():
            span = self.spans[name]
            found[name] = part(real[..., span], imaginary[..., span], live)
        return found


class _BandSpectrum(nn.Module):
    """:func:`band_spectrum` of transforms (B, M, F) at ``bins`` (first, last + 1) of L samples.

    The Hann window is applied to the transform: ``X[k] / 2 - (X[k - 1] + X[k + 1]) / 4``.
    """

    def __init__(self, edges: Sequence[float], num_samples: int, sample_rate: float) -> None:
        super().__init__()
        bands = band_slices(edges, num_samples, sample_rate)
        start = bands[0].start
        self.bins = start - 1, max(band.stop for band in bands) + 1
        self.bands = [slice(band.start - start, band.stop - start) for band in bands]
        self.norm = float(torch.hann_window(num_samples, dtype=torch.float64).norm())

    def forward(self, real: Tensor, imaginary: Tensor, live: Tensor) -> Tensor:
        parts = [
            part[..., 1:-1] * (0.5 / self.norm) - (part[..., :-2] + part[..., 2:]) * (0.25 / self.norm)
            for part in (real, imaginary)
        ]
        power = parts[0].square() + parts[1].square()
        return band_levels(mean_of_live(power, live), self.bands)


class _ModulationSpectrum(nn.Module):
    """:func:`modulation_spectrum` of transforms (B, M, F) at ``bins`` (first, last + 1) of L samples.

    The envelope of a band is taken from as many samples as its spectrum needs at the rates asked for: with
    the highest bin h of the band, the square reaches to 2 h, and N samples leave the bins below N - 2 h as
    they are.
    """

    def __init__(
        self, band: Sequence[float], edges: Sequence[float], num_samples: int, sample_rate: float
    ) -> None:
        super().__init__()
        rates = band_slices(edges, num_samples, sample_rate)
        first, last = rates[0].start, max(each.stop for each in rates)
        self.rates = [slice(1 + each.start - first, 1 + each.stop - first) for each in rates]
        factors = bins_inside(band, num_samples, sample_rate).double().numpy() * (2 / num_samples)
        factors[0] /= 2  # at 0 and at half of the sample rate a bin is its own conjugate
        if num_samples % 2 == 0:
            factors[-1] /= 2
        used = np.flatnonzero(factors)
        low, high = (used[0], used[-1] + 1) if len(used) else (0, 1)
        needed = next_fast_len(int(2 * (high - 1) + last), real=True)
        self.transform = LongTransform(min(needed, num_samples), [0, *range(first, last)])
        step = self.transform.sizes[0]
        self.bins = int(low // step * step), int(-(-high // step) * step)
        weights = np.zeros(self.bins[1] - self.bins[0])
        weights[low - self.bins[0] : high - self.bins[0]] = factors[low:high]
        self.band = BandLimited(self.transform.sizes, self.bins, weights)

    def forward(self, real: Tensor, imaginary: Tensor, live: Tensor) -> Tensor:
        real, imaginary = self.transform.of_matrix(self.band(real, imaginary).square())
        lines = (real.square() + imaginary.square()).sqrt()
        return line_levels(mean_of_live(lines, live), self.rates)
