"""Log-mel spectrograms by real products of matrices.

Shapes: B clips, C microphones, L samples, M mel bands, T frames, R rows of a transform.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mmav.models.layers import LogMelSpectrogram

from .real_fourier import Frames, FrameTransform


class ExportableLogMel(nn.Module):
    """A :class:`LogMelSpectrogram` that can be written as an ONNX file of standard operators.

    It takes waveforms of one length and any number of clips. The transform is computed in float32: values
    differ by less than 0.01 dB where they are not more than 60 dB below the maximum.

    Args:
        layer: The layer, whose values these are.
        num_samples: L.

    Raises:
        ValueError: If that is too short to be mirrored.

    Example:
        >>> layer, waveform = LogMelSpectrogram(n_fft=64, hop_length=16, n_mels=4), torch.rand(1, 2, 800)
        >>> (ExportableLogMel(layer, 800)(waveform) - layer(waveform)).abs().max() < 0.01
        tensor(True)
    """

    filters: Tensor
    shares: Tensor

    def __init__(self, layer: LogMelSpectrogram, num_samples: int) -> None:
        super().__init__()
        padding = layer.n_fft // 2
        if layer.pad_mode == 'reflect' and num_samples <= padding:
            raise ValueError(
                f"{num_samples} samples are too few for pad_mode='reflect': it takes more than {padding}"
            )
        self.layer, self.padding, self.n_mels = layer, padding, layer.n_mels
        self.frames = Frames(num_samples + 2 * padding, layer.n_fft, layer.hop_length)
        filters = layer.filters.cpu()
        used = filters.any(0)
        bins = np.flatnonzero(used.numpy()) if used.any() else np.arange(1)
        self.transform = FrameTransform(bins, layer.window.cpu().numpy())
        self.register_buffer('filters', self._in_rows(filters[:, bins]), persistent=False)
        if layer.phase_channels:
            shares = filters / filters.sum(1, keepdim=True).clamp_min(1e-20)
            self.register_buffer('shares', self._in_rows(shares[:, bins]), persistent=False)

    def _in_rows(self, filters: Tensor) -> Tensor:
        """Filters of the bins as filters of the transform's rows: (M, R)."""
        rows = filters.new_zeros(len(filters), self.transform.num_rows)
        rows[:, self.transform.rows] = filters
        return rows

    def forward(self, waveform: Tensor) -> Tensor:
        """See :meth:`LogMelSpectrogram.forward`."""
        padded = nn.functional.pad(waveform, (self.padding, self.padding), mode=self.layer.pad_mode)
        spectrum = self.transform(self.frames(padded).flatten(2))  # (B, H, 2, K, C T)
        power = spectrum.square().sum(2).flatten(1, 2)  # (B, R, C T)
        decibel = self.layer.to_decibel(self._of_channels(self.filters @ power))
        if self.layer.phase_channels:
            decibel = torch.cat([decibel, self._phase_differences(spectrum)], dim=1)
        return decibel.transpose(-1, -2)

    def _of_channels(self, values: Tensor) -> Tensor:
        """(B, M, C T) to (B, C, T, M)."""
        count = self.frames.number
        return values.reshape(-1, self.n_mels, values.shape[-1] // count, count).permute(0, 2, 3, 1)

    def _phase_differences(self, spectrum: Tensor) -> Tensor:
        """(B, H, 2, K, C T) to (B, 2 (C - 1), T, M): those of the layer, in real numbers."""
        count = self.frames.number
        real, imaginary = spectrum.transpose(1, 2).flatten(2, 3).unbind(1)  # (B, R, C T)
        (left, right), (low, high) = (
            (values[..., :-count], values[..., count:]) for values in (real, imaginary)
        )
        # (right + j high) (left - j low)
        cosine, sine = right * left + high * low, high * left - right * low
        length = (cosine.square() + sine.square()).sqrt().clamp_min(1e-20)
        parts = [self._of_channels(self.shares @ (part / length)) for part in (cosine, sine)]
        return torch.cat(parts, dim=1)
