"""The log-mel spectrogram that VGGish was trained on.

Shapes: B clips, L samples, T frames.
"""

import numpy as np
import torch
from torch import Tensor, nn

from mmav.utils.precision import check_float_samples

SAMPLE_RATE = 16000
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
N_FFT = 512
N_MELS = 64
F_MIN, F_MAX = 125.0, 7500.0  # hertz
OFFSET = 0.01

# Frames taken at a time: on a CPU few, which stay in its cache; elsewhere as many as the memory shall hold.
_FRAMES_PER_STEP = dict(cpu=256)
_MANY_FRAMES = 16384


def mel_filters() -> np.ndarray:
    """Triangles (257 bins, 64 bands) that are straight over the mel axis, mel(f) = 1127 ln(1 + f / 700).

    librosa's and torchaudio's HTK filters have the same corners, but are straight over hertz.
    """

    def mel(hertz: np.ndarray | float) -> np.ndarray:
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    bins = mel(np.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1))[:, None]
    edges = np.linspace(mel(F_MIN), mel(F_MAX), N_MELS + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    weights = np.minimum((bins - lower) / (center - lower), (upper - bins) / (upper - center)).clip(min=0)
    weights[0] = 0  # the constant part is no sound
    return weights


class VGGishLogMel(nn.Module):
    """Waveform to log-mel spectrogram, equal to the published front end of VGGish.

    Magnitudes (no powers) of 25 ms periodic Hann windows every 10 ms, from the first sample on without
    padding, padded to 512 for the transform; 64 mel bands of 125-7500 Hz; natural logarithm of the sum plus
    0.01. (:class:`LogMelSpectrogram` gives librosa's: centered windows, powers, decibel.) Hershey et al.,
    *CNN architectures for large-scale audio classification*, ICASSP 2017.

    The Fourier transform is taken in float64, or a quiet band beside a loud one would be off by more than
    1e-4.
    """

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64)
        self.register_buffer('window', window, persistent=False)
        self.register_buffer('filters', torch.from_numpy(mel_filters()).float(), persistent=False)

    def num_frames(self, num_samples: int) -> int:
        """Whole frames in a waveform of ``num_samples`` samples."""
        return max(0, 1 + (num_samples - WINDOW) // HOP)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrograms.

        Args:
            waveform: (B, L) mono at 16 kHz, float in -1..1.

        Returns:
            (B, T, 64) of float32, T = 1 + (L - 400) // 160.

        Raises:
            ValueError: If the waveform has another shape or fewer than 400 samples.
            TypeError: If it is not of a floating-point type.
        """
        if waveform.dim() != 2 or waveform.shape[1] < WINDOW:
            raise ValueError(f'expected a waveform (B, L) with L >= {WINDOW}, got {tuple(waveform.shape)}')
        check_float_samples(waveform)
        with torch.autocast(waveform.device.type, enabled=False):
            frames = waveform.double().unfold(-1, WINDOW, HOP)  # a view
            step = _FRAMES_PER_STEP.get(waveform.device.type, _MANY_FRAMES)
            parts = frames.split(max(1, step // len(waveform)), dim=1)
            return torch.cat([self._log_mel(part) for part in parts], dim=1)

    def _log_mel(self, frames: Tensor) -> Tensor:
        """(B, T, 400) to (B, T, 64)."""
        spectrum = torch.fft.rfft(frames * self.window.double(), N_FFT)
        real, imaginary = torch.view_as_real(spectrum).float().unbind(-1)
        magnitudes = torch.addcmul(real.square(), imaginary, imaginary).sqrt()
        return (magnitudes @ self.filters.float() + OFFSET).log()
