"""The spectrogram of a running recording, column by column.

Shapes: M microphones, n samples of a chunk, T columns, B mel bands.
"""

from __future__ import annotations

import numpy as np
import torch

from mmav.models.layers import LogMelSpectrogram
from mmav.utils.precision import as_float

DECIBEL_RANGE = (-80.0, 0.0)
"""What 0 and 255 stand for."""


class RunningSpectrogram:
    """Log-mel spectrogram, averaged over the microphones.

    Args:
        sample_rate: Hertz.
        num_bands: B. Defaults to 64.

    Example:
        >>> spectrogram = RunningSpectrogram(44100)
        >>> spectrogram.push(np.zeros((2, 2048), np.int16)).shape, spectrogram.columns
        ((3, 64), 3)
    """

    def __init__(self, sample_rate: int, num_bands: int = 64) -> None:
        self.layer = LogMelSpectrogram(
            sample_rate, n_fft=1024, hop_length=512, n_mels=num_bands, reference=1.0, top_db=None
        )
        self.rate = sample_rate / self.layer.hop_length  # columns a second
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.columns = 0  # that there were
        self._rest: np.ndarray | None = None

    @torch.no_grad()
    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take samples (M, n) of int16 or float; return the new columns, (T, B) of uint8."""
        values = np.nan_to_num(as_float(samples), nan=0.0, posinf=0.0, neginf=0.0)
        if self._rest is not None:
            values = np.concatenate([self._rest, values], axis=1)
        hop = self.layer.hop_length
        count = values.shape[1] // hop - 1  # frames of two hops that lie within
        if count < 1:
            self._rest = values
            return np.zeros((0, self.layer.n_mels), np.uint8)
        used = values[:, : (count + 1) * hop]
        # the first frame and the last reach beyond the samples
        power = self.layer.mel_power(torch.from_numpy(np.ascontiguousarray(used))[None])[:, :, 1:-1]
        self._rest = values[:, count * hop :].copy()
        self.columns += count
        decibel = self.layer.to_decibel(power.mean(1, keepdim=True))[0, 0].numpy()
        low, high = DECIBEL_RANGE
        scaled: np.ndarray = ((decibel - low) / (high - low)).clip(0, 1)
        return np.round(255 * scaled).astype(np.uint8)

    def skip(self, lost: int) -> None:
        """Go on ``lost`` samples later."""
        self.columns += round(lost / self.layer.hop_length)
        self._rest = None
