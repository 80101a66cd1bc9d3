"""Acoustic images by real products of matrices.

Shapes: B clips, M microphones, L samples, F frequency bins, T frames, S windows in time, K bands, P points.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmav.models.layers import AcousticImage
from mmav.models.layers.acoustic_channels import image_channels
from mmav.models.layers.beamforming import (
    band_shares,
    bin_weights,
    identity_features,
    live_microphones,
    unit_trace,
)
from mmav.models.layers.sound_spectra import band_levels

from .clip_spectra import ClipSpectra
from .hermitian import HermitianInverse, gram_features
from .real_fourier import Frames, FrameTransform


class ExportableAcousticImage(nn.Module):
    """An :class:`AcousticImage` that can be written as an ONNX file of standard operators.

    It takes waveforms of one length and any number of clips, without ``mask``: microphones whose samples are
    all zero are left out, as the layer does. Complex numbers are pairs of real ones, the steering is constant
    (that of learnable microphones is the present one).

    Args:
        layer: The layer, whose values these are.
        num_samples: L.

    Raises:
        ValueError: If that is shorter than a frame, or its transform cannot be split, which the channels
            'spectrum' and 'modulation' need.
    """

    rows: Tensor
    frame_weights: Tensor
    to_features: Tensor
    identity: Tensor
    pairs: Tensor
    cells: Tensor

    def __init__(self, layer: AcousticImage, num_samples: int) -> None:
        super().__init__()
        if num_samples < layer.n_fft:
            raise ValueError(f'{num_samples} samples are fewer than n_fft={layer.n_fft}')
        self.channels, self.grid, self.bands = layer.channels, layer.grid, layer.bands
        self.num_microphones = number = layer.num_microphones
        self.adaptive, self.weighting, self.loading = (
            layer.beamformer == 'mvdr',
            layer.weighting,
            layer.loading,
        )
        self.frames = Frames(num_samples, layer.n_fft, layer.hop_length)
        bins = layer.bins.cpu().numpy() + layer.bin_range[0]
        self.transform = FrameTransform(bins, layer.window.cpu().numpy())
        self.num_bins = len(bins)
        self.register_buffer('rows', torch.from_numpy(self.transform.real_and_imaginary()), persistent=False)
        weights, self.spans = layer.frame_weights(num_samples)
        self.register_buffer('frame_weights', torch.from_numpy(weights).float(), persistent=False)
        self.register_buffer('to_features', gram_features(number), persistent=False)
        self.register_buffer('identity', identity_features(number, self.to_features), persistent=False)
        rows, columns = torch.triu_indices(number, number, 1)
        both = [torch.cat([torch.arange(number), each, each]) for each in (rows, columns)]
        self.register_buffer('pairs', torch.stack(both), persistent=False)
        self.register_buffer('cells', layer.cells.clone(), persistent=False)
        self.inverse = HermitianInverse(number)
        for band in range(len(self.bands)):
            self.register_buffer(f'steering_{band}', layer.steering(band).detach().float(), persistent=False)
        self.spectra = ClipSpectra(layer, num_samples)

    def forward(self, waveform: Tensor) -> Tensor:
        """Acoustic images (B, C, rows, columns) of waveforms (B, M, L); see :class:`AcousticImage`."""
        live = live_microphones(waveform)
        features, trace, level = self._covariance(waveform, live)
        if self.adaptive:
            features = self._inverse_features(features, trace, live)
        else:
            features = unit_trace(features, trace, self.identity / self.num_microphones)
        shares = []
        for number, (start, stop) in enumerate(self.bands):
            weights = bin_weights(trace[:, :, start:stop], self.weighting == 'level')
            steering = getattr(self, f'steering_{number}')
            shares.append(band_shares(features[:, :, start:stop], steering, weights, live, self.adaptive))
        constants = dict(level=level, **self.spectra(waveform, live))
        image = image_channels(self.channels, torch.stack(shares, dim=2), constants)
        return image[..., self.cells].unflatten(-1, self.grid)

    def _covariance(self, waveform: Tensor, live: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, S, F, M * M) of the spatial covariance, its trace (B, S, F), and the level (B, K)."""
        number, times = self.num_microphones, self.frames.number
        spectrum = self.transform(self.frames(waveform).flatten(2))  # (B, H, 2, K, M T)
        spectrum = spectrum.flatten(1, 3)[:, self.rows.flatten()]
        spectrum = spectrum.reshape(-1, self.num_bins, 2 * number, times)  # real parts, then imaginary ones
        loudness = None
        if self.weighting == 'phat':
            parts = spectrum.reshape(-1, self.num_bins, 2, number, times)
            power = parts.square().sum(2, keepdim=True)  # (B, F, 1, M, T)
            loudness = power.sum((2, 3)) @ self.frame_weights[-1]
            spectrum = (parts * power.clamp_min(torch.finfo(power.dtype).tiny).rsqrt()).flatten(2, 3)
        windows = []
        for window, span in enumerate(self.spans):
            frames = spectrum[..., span]
            products = (frames * self.frame_weights[window, span]) @ frames.transpose(
                -1, -2
            )  # (B, F, 2 M, 2 M)
            windows.append(products.flatten(2) @ self.to_features)
        features = torch.stack(windows, dim=1)
        trace = features[..., :number].sum(-1)
        loudness = trace[:, -1] if loudness is None else loudness
        counts = live.to(loudness.dtype).sum(1, keepdim=True)
        return features, trace, band_levels(loudness / counts, [slice(*band) for band in self.bands])

    def _inverse_features(self, features: Tensor, trace: Tensor, live: Tensor) -> Tensor:
        """:func:`inverse_features` of features."""
        counts = live.to(trace.dtype)
        silent = (self.identity / counts.sum(1, keepdim=True))[:, None, None]  # (B, 1, 1, M * M)
        loaded = (unit_trace(features, trace, silent) + self.loading * silent) / (1 + self.loading)
        windows, bins = trace.shape[1:]
        flat = loaded.permute(3, 0, 1, 2).reshape(self.num_microphones**2, -1)
        inverse = self.inverse(flat).reshape(self.num_microphones**2, -1, windows, bins).permute(1, 2, 3, 0)
        both = counts[:, self.pairs[0]] * counts[:, self.pairs[1]]  # (B, M * M)
        return inverse * both[:, None, None]
