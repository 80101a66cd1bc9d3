"""Log spectrograms as scipy computes them.

Shapes: L samples, N length of a frame in samples, F frequency bins, T frames.
"""

from collections.abc import Callable

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.utils.precision import check_float_samples

# Waveforms that are transformed at a time: on a CPU their frames fit its cache, on an accelerator this
# bounds the memory (to 0.6 GB at the default sizes).
_WAVEFORMS_PER_STEP = dict(cpu=2)
_WAVEFORMS_PER_STEP_OF_ACCELERATORS = 256


@MODELS.register_module()
class LogSpectrogram(nn.Module):
    """Waveform to the logarithm of its power spectral density; batched, on any device.

    Equals ``numpy.log(scipy.signal.spectrogram(x, sample_rate, nperseg=n_fft, noverlap=n_fft - hop_length)[2]
    + floor)`` to 1e-5, scipy's other arguments left as they are: frames without padding, each less its mean,
    under a Tukey window (0.25); one-sided density in (sample value)^2 / Hz. The front end of the
    sound-localization networks (EZ-VSL; Yaghoubi et al., ICMI 2023, section 3.6: 3 s at 22,050 Hz give
    257 x 276). Computed in full precision under autocast, too; differentiable.

    Args:
        sample_rate: Of the waveform, in hertz. Defaults to 22050.
        n_fft: N, samples of a frame and of its transform. Defaults to 512.
        hop_length: Samples between frames. Defaults to 238, an overlap of 274.
        floor: Density added before the logarithm. Defaults to 1e-7.
        double_precision: Take the Fourier transform in float64. False (float32): faster, and a few
            1e-5 off in quiet bins beside loud ones. Defaults to True.
    """

    window: Tensor
    density: Tensor

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 512,
        hop_length: int = 238,
        floor: float = 1e-7,
        double_precision: bool = True,
    ) -> None:
        super().__init__()
        if min(sample_rate, hop_length) <= 0 or n_fft < 2 or not floor > 0:
            raise ValueError(
                'LogSpectrogram: sample_rate, hop_length and floor must be above 0 and n_fft above 1, got '
                f'{sample_rate}, {hop_length}, {floor} and {n_fft}'
            )
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.floor = floor
        self.double_precision = double_precision

        from scipy.signal import get_window  # a tenth of a second, for this layer alone

        window = torch.from_numpy(get_window(('tukey', 0.25), n_fft))
        density = torch.full((n_fft // 2 + 1,), 1 / (sample_rate * float(window.square().sum()))).double()
        # Bins that stand for a negative frequency, too: all but 0 and, of an even length, the highest.
        density[1 : (n_fft + 1) // 2] *= 2
        dtype = torch.float64 if double_precision else torch.float32
        # Constants of the configuration, so no part of a checkpoint.
        self.register_buffer('window', window.to(dtype), persistent=False)
        self.register_buffer('density', density.to(dtype), persistent=False)

    def num_frames(self, num_samples: int) -> int:
        """Frames of a waveform of ``num_samples`` samples."""
        return (num_samples - self.n_fft) // self.hop_length + 1

    def _apply(self, fn: Callable, recurse: bool = True) -> 'LogSpectrogram':
        """Move to another device, but keep the precision: the model's is not the transform's."""
        window, density = self.window, self.density
        super()._apply(fn, recurse)
        self.window, self.density = window.to(self.window.device), density.to(self.density.device)
        return self

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrograms.

        Args:
            waveform: (..., L), float, in -1..1.

        Returns:
            (..., F, T), F = N // 2 + 1; float64 for a waveform of float64, else float32.

        Raises:
            ValueError: If the waveform is shorter than a frame.
            TypeError: If it is not of a floating-point type.
        """
        check_float_samples(waveform)
        if waveform.dim() == 0 or waveform.shape[-1] < self.n_fft:
            raise ValueError(
                f'expected waveforms (..., L) of at least {self.n_fft} samples, got {tuple(waveform.shape)}'
            )
        device = waveform.device.type
        step = _WAVEFORMS_PER_STEP.get(device, _WAVEFORMS_PER_STEP_OF_ACCELERATORS)
        rows = waveform.reshape(-1, waveform.shape[-1])
        with torch.autocast(device, enabled=False):
            logs = [self._log_density(some).transpose(-1, -2) for some in rows.split(step)]
            spectrogram = torch.cat(logs).contiguous()
        return spectrogram.view(*waveform.shape[:-1], *spectrogram.shape[-2:])

    def _log_density(self, waveform: Tensor) -> Tensor:
        """(n, L) to (n, T, F)."""
        frames = waveform.to(self.window.dtype).unfold(-1, self.n_fft, self.hop_length)
        frames = (frames - frames.mean(-1, keepdim=True)).mul_(self.window)
        real, imaginary = torch.view_as_real(torch.fft.rfft(frames)).unbind(-1)
        power = torch.addcmul(real.square(), imaginary, imaginary)
        density = power.mul_(self.density).add_(self.floor)
        # The logarithm itself is as good in float32, and the slowest step.
        return (density if waveform.dtype == torch.float64 else density.float()).log()
