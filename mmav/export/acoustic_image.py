"""Acoustic images by real products of matrices.

Shapes: B clips, M microphones, L samples, F frequency bins, T frames, S windows in time, K bands, P points.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmav.models.layers import AcousticImage
from mmav.models.layers.acoustic_channels import image_channels
from mmav.models.layers.beamforming import (
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
        self.num_bins = len(bins)
        self.transform = FrameTransform(bins, layer.window.cpu().numpy())
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
            # Points first: the product is then twice as fast in onnxruntime as with the layer's order.
            steering = layer.steering(band).detach().float().transpose(1, 2).contiguous()  # (F, P, M * M)
            self.register_buffer(f'steering_{band}', steering, persistent=False)
            squares = steering[..., :number].contiguous()  # of the vectors' entries
            self.register_buffer(f'squares_{band}', squares, persistent=False)
        self.spectra = ClipSpectra(layer, num_samples)

    def forward(self, waveform: Tensor) -> Tensor:
        """Acoustic images (B, C, rows, columns) of waveforms (B, M, L); see :class:`AcousticImage`."""
        live = live_microphones(waveform)
        features, trace, level = self._covariance(waveform, live)
        if self.adaptive:
            features = self._inverse_features(features, trace, live)
        else:
            features = unit_trace(features, trace, self.identity / self.num_microphones).permute(3, 0, 1, 2)
        shares = self._shares(features.permute(2, 0, 1, 3).flatten(2), trace, live)
        image = image_channels(
            self.channels, shares[..., self.cells], dict(level=level, **self.spectra(waveform, live))
        )
        return image.reshape(-1, image.shape[1], *self.grid)

    def _covariance(self, waveform: Tensor, live: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, F, S, M * M) of the spatial covariance, its trace (B, F, S), and the level (B, K)."""
        number, times = self.num_microphones, self.frames.number
        spectrum = self.transform(self.frames(waveform).flatten(2))  # (B, H, 2, K, M T)
        spectrum = spectrum.flatten(1, 3)[:, self.rows.flatten()]
        spectrum = spectrum.reshape(-1, self.num_bins, 2 * number, times)  # real parts, then imaginary ones
        power = None
        if self.weighting == 'phat':
            parts = spectrum.reshape(-1, self.num_bins, 2, number, times)
            squares = parts.square().sum(2, keepdim=True)  # (B, F, 1, M, T)
            power = squares.sum((2, 3)) @ self.frame_weights[-1]
            parts = parts * squares.clamp_min(torch.finfo(squares.dtype).tiny).rsqrt()
            spectrum = parts.reshape(-1, self.num_bins, 2 * number, times)
        windows = []
        for window, span in enumerate(self.spans):
            frames = spectrum[..., span]
            products = (frames * self.frame_weights[window, span]) @ frames.transpose(-1, -2)
            windows.append(products.reshape(-1, self.num_bins, 4 * number**2) @ self.to_features)
        features = torch.stack(windows, dim=2)
        trace = features[..., :number].sum(-1)
        power = trace[..., -1] if power is None else power
        counts = live.to(power.dtype).sum(1, keepdim=True)
        return features, trace, band_levels(power / counts, [slice(*band) for band in self.bands])

    def _inverse_features(self, features: Tensor, trace: Tensor, live: Tensor) -> Tensor:
        """:func:`inverse_features` of features, (B, F, S, M * M) to (M * M, B, F, S)."""
        counts, number = live.to(trace.dtype), self.num_microphones**2
        silent = (self.identity / counts.sum(1, keepdim=True))[:, None, None]  # (B, 1, 1, M * M)
        loaded = (unit_trace(features, trace, silent) + self.loading * silent) / (1 + self.loading)
        inverse = self.inverse(loaded.reshape(-1, number).t())
        both = (counts[:, self.pairs[0]] * counts[:, self.pairs[1]]).t()  # (M * M, B)
        inverse = inverse.reshape(number, -1, self.num_bins * len(self.spans)) * both[..., None]
        return inverse.reshape(number, -1, self.num_bins, len(self.spans))

    def _shares(self, features: Tensor, trace: Tensor, live: Tensor) -> Tensor:
        """:func:`band_shares` (B, S, K, P) of features (F, M * M, B S) and traces (B, F, S) of the bins."""
        windows = len(self.spans)
        # which microphones count, for each window anew: broadcasting along the last axis would be slow
        counts = live.to(trace.dtype).t()[..., None].expand(-1, -1, windows).flatten(1)  # (M, B S)
        shares = []
        for number, (start, stop) in enumerate(self.bands):
            power = getattr(self, f'steering_{number}') @ features[start:stop]  # (F, P, B S)
            length = getattr(self, f'squares_{number}') @ counts
            power = length / power.clamp_min(1e-6) if self.adaptive else power / length
            if self.weighting == 'level':
                weights = bin_weights(trace[:, start:stop].transpose(1, 2), True)  # (B, S, F)
                shares.append((power * weights.permute(2, 0, 1).flatten(1)[:, None]).sum(0))
            else:
                shares.append(power.mean(0))
        points = shares[0].shape[0]
        return torch.stack(shares).reshape(len(self.bands), points, -1, windows).permute(2, 3, 0, 1)
