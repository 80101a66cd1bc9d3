"""Log-mel spectrograms of many microphones.

Shapes: B clips, C microphones, N = B C waveforms, L samples, F frequency bins, M mel bands, T frames.
"""

import math
from itertools import pairwise

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.utils.precision import check_float_samples

# The mel product is done in bands of filters, cut at these shares: a filter is narrow, so a band of
# neighbors reads a short stretch of bins. Measured best of one to ten bands.
_BAND_EDGES = (0.0, 0.3, 0.6, 0.8, 1.0)

# Frames that a CPU takes at a time (their arrays fit its cache), and microphones that an accelerator does
# (which bounds its memory to 0.5 GB at the default sizes).
_FRAMES_PER_STEP = 176
_MICROPHONES_PER_STEP = 128


@MODELS.register_module()
class LogMelSpectrogram(nn.Module):
    """Waveform to mel spectrogram in decibel, equal to librosa's.

    The same as ``librosa.feature.melspectrogram`` (Slaney's filters, Hann window, centered frames,
    power) followed by ``librosa.power_to_db``, to 1e-3 dB, on any device, for any number
    of clips and microphones. Computed in full precision under autocast, too; differentiable.

    Args:
        sample_rate: Of the waveform, in hertz. Defaults to 44100.
        n_fft: Length of the transform, and of its Hann window, in samples. Defaults to 1024.
        hop_length: Samples between frames. Defaults to 256.
        n_mels: Mel bands. Defaults to 80.
        reference: Power that becomes 0 dB. 'channel': each microphone's own maximum, as in
            MM-DistillNet's released data (level differences between microphones are lost); 'clip': the
            maximum over all microphones of a clip; a number: that power. Defaults to 'channel'.
        f_min: Lowest frequency of the filters in hertz. Defaults to 0.
        f_max: Highest; half the sample rate by default.
        amin: Least power, which guards the logarithm. Defaults to 1e-10.
        top_db: Values lie at most this far below the maximum of the microphone
            (reference 'channel') or of the clip (else). Defaults to 80; None: no limit.
        phase_channels: Append, for each pair of neighboring microphones (k, k + 1), the cosine
            and the sine of their phase difference, averaged over each mel band: 2 (C - 1) channels in
            -1..1, all cosines first. Defaults to False.
        double_precision: Take the Fourier transform in float64, as librosa does. False (float32): half
            as much again as fast, and up to 0.01 dB off in cells 80 dB below a strong tone. Defaults to True.
        pad_mode: What the frames at the edges see beyond the clip: 'constant': silence; 'reflect': its
            mirror image, as PANNs do. Defaults to 'constant'.
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sample_rate: int = 44100,
        n_fft: int = 1024,
        hop_length: int = 256,
        n_mels: int = 80,
        reference: str | float = 'channel',
        f_min: float = 0.0,
        f_max: float | None = None,
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        phase_channels: bool = False,
        double_precision: bool = True,
        pad_mode: str = 'constant',
    ) -> None:
        super().__init__()
        if isinstance(reference, str):
            if reference not in ('channel', 'clip'):
                raise ValueError(f"reference must be 'channel', 'clip' or a power, got {reference!r}")
        elif not reference > 0:
            raise ValueError(f'a fixed reference is a power above 0, got {reference}')
        if min(sample_rate, n_fft, hop_length, n_mels) <= 0 or not amin > 0:
            raise ValueError('sample_rate, n_fft, hop_length, n_mels and amin must be above 0')
        if pad_mode not in ('constant', 'reflect'):
            raise ValueError(f"pad_mode must be 'constant' or 'reflect', got {pad_mode!r}")
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.reference = reference
        self.f_min = f_min
        self.f_max = sample_rate / 2 if f_max is None else f_max
        self.amin = amin
        self.top_db = top_db
        self.phase_channels = phase_channels
        self.pad_mode = pad_mode

        # Importing librosa's filters costs a second (numba): paid by those who build this layer.
        from librosa.filters import mel

        filters = torch.from_numpy(
            mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=self.f_min, fmax=self.f_max)
        ).float()
        # Constants of the configuration, so no part of a checkpoint.
        self.fft_dtype = torch.float64 if double_precision else torch.float32
        self.register_buffer('window', torch.hann_window(n_fft, dtype=self.fft_dtype), persistent=False)
        self.register_buffer('filters', filters, persistent=False)
        self._bands = []
        edges = sorted({round(share * n_mels) for share in _BAND_EDGES})
        for first, last in pairwise(edges):
            band = filters[first:last]
            used = band.sum(0).nonzero().flatten()
            start, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
            weights = band[:, start:stop].t().contiguous()
            self.register_buffer(f'band_{first}', weights, persistent=False)
            self._bands.append((start, stop, f'band_{first}'))

    def settings(self) -> dict:
        """What determines the values, as plain types: the constructor's arguments."""
        names = ['sample_rate', 'n_fft', 'hop_length', 'n_mels', 'reference', 'f_min', 'f_max', 'amin']
        names += ['top_db', 'phase_channels']
        if self.pad_mode != 'constant':  # stores older than the option do not name it
            names.append('pad_mode')
        return {name: getattr(self, name) for name in names}

    def num_frames(self, num_samples: int) -> int:
        """Frames of a waveform of ``num_samples`` samples."""
        return 1 + (num_samples - self.n_fft % 2) // self.hop_length

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrograms.

        Args:
            waveform: (B, C, L), float in -1..1.

        Returns:
            (B, C, M, T) float32 decibel, T = 1 + L // hop_length; with ``phase_channels``
            (B, C + 2 (C - 1), M, T).

        Raises:
            ValueError: If the waveform has another shape or no samples, or is too short to be mirrored.
            TypeError: If it is not of a floating-point type.
        """
        if waveform.dim() != 3 or 0 in waveform.shape:
            raise ValueError(f'expected a waveform of shape (B, C, L), got {tuple(waveform.shape)}')
        check_float_samples(waveform)
        if self.pad_mode == 'reflect' and waveform.shape[-1] <= self.n_fft // 2:
            raise ValueError(
                f"{waveform.shape[-1]} samples are too few for pad_mode='reflect': it takes more than "
                f'{self.n_fft // 2}'
            )
        with torch.autocast(waveform.device.type, enabled=False):
            decibel = self.to_decibel(self.mel_power(waveform))
            if self.phase_channels:
                decibel = torch.cat([decibel, self._phase_differences(waveform)], dim=1)
            return decibel.transpose(-1, -2)

    def mel_power(self, waveform: Tensor) -> Tensor:
        """Power of each mel band, (B, C, L) to (B, C, T, M); the first step of :meth:`forward`."""
        needs_grad = torch.is_grad_enabled() and waveform.requires_grad
        streamed = waveform.device.type == 'cpu' and not needs_grad
        power = (self._stream_mel_power if streamed else self._mel_power)(waveform.flatten(0, 1))
        return power.view(*waveform.shape[:2], -1, self.n_mels)

    def _spectrum(self, waveform: Tensor) -> Tensor:
        """(N, L) to (N, T, F) complex."""
        half = self.n_fft // 2
        padded = nn.functional.pad(waveform.to(self.fft_dtype), (half, half), mode=self.pad_mode)
        return torch.fft.rfft(padded.unfold(-1, self.n_fft, self.hop_length) * self.window)

    def _mel_power(self, waveform: Tensor) -> Tensor:
        """(N, L) to (N, T, M)."""
        powers = []
        for some in waveform.split(_MICROPHONES_PER_STEP):
            real, imaginary = torch.view_as_real(self._spectrum(some)).float().unbind(-1)
            squares = torch.addcmul(real.square(), imaginary, imaginary)  # (N, T, F)
            powers.append(
                torch.cat([squares[..., a:b] @ getattr(self, w) for a, b, w in self._bands], dim=-1)
            )
        return torch.cat(powers)

    def _stream_mel_power(self, waveform: Tensor) -> Tensor:
        """The same for a CPU, where fresh memory costs more than the arithmetic.

        A few frames at a time go through the same buffer, which stays in the cache; it is one piece, which
        the allocator keeps between calls.
        """
        (num_mics, num_samples), half = waveform.shape, self.n_fft // 2
        num_frames, num_bins = self.num_frames(num_samples), half + 1
        count = min(num_frames, _FRAMES_PER_STEP)
        # numbers of: complex spectra (count, F), their two parts in single precision, windowed frames
        # (count, n_fft), one padded waveform
        sizes = [2 * count * num_bins, 2 * count * num_bins, count * self.n_fft, num_samples + 2 * half]
        spectrum, parts, windowed, padded = self.window.new_empty(sum(sizes)).split(sizes)
        spectrum = spectrum.view(count, num_bins, 2)  # real and imaginary last
        # Real and imaginary parts apart: added before the mel product, which is then half as long.
        squares, imaginary = parts.view(torch.float32)[: sizes[1]].view(2, count, num_bins)  # (count, F) each
        windowed = windowed.view(count, self.n_fft)
        padded[:half] = padded[half + num_samples :] = 0
        frames = padded.unfold(0, self.n_fft, self.hop_length)  # (T, n_fft), a view

        bands = [(a, b, getattr(self, weights)) for a, b, weights in self._bands]
        power = self.filters.new_empty(num_mics, num_frames, self.n_mels)
        for row, mel in zip(waveform, power):  # (L,), (T, M)
            padded[half : half + num_samples] = row
            if self.pad_mode == 'reflect':
                padded[:half] = row[1 : half + 1].flip(0)
                padded[half + num_samples :] = row[num_samples - half - 1 : -1].flip(0)
            for start in range(0, num_frames, count):
                some = frames[start : start + count]  # (n, n_fft)
                n = len(some)
                torch.mul(some, self.window, out=windowed[:n])
                torch.fft.rfft(windowed[:n], out=torch.view_as_complex(spectrum[:n]))
                squared = squares[:n].copy_(spectrum[:n, :, 0]).square_()  # (n, F)
                other = imaginary[:n].copy_(spectrum[:n, :, 1])
                squared.addcmul_(other, other)
                columns = mel[start : start + n].split([weights.shape[1] for _, _, weights in bands], dim=1)
                # (n, m) for the m filters of a band, whose weights are (b - a, m)
                for column, (a, b, weights) in zip(columns, bands):
                    torch.mm(squared[:, a:b], weights, out=column)
        return power

    def to_decibel(self, power: Tensor) -> Tensor:
        """Power (B, C, T, M) in decibel of the reference; the second step of :meth:`forward`."""
        decibel = 10.0 * power.clamp_min(self.amin).log10()
        dims = (-2, -1) if self.reference == 'channel' else (-3, -2, -1)
        peak = decibel.amax(dims, keepdim=True)
        if not isinstance(self.reference, str):
            zero = 10.0 * math.log10(max(self.reference, self.amin))
            decibel, peak = decibel - zero, peak - zero
        else:
            decibel, peak = decibel - peak, torch.zeros_like(peak)
        return decibel if self.top_db is None else decibel.maximum(peak - self.top_db)

    def _phase_differences(self, waveform: Tensor) -> Tensor:
        """(B, C, L) to (B, 2 (C - 1), T, M) in -1..1."""
        weights = self.filters / self.filters.sum(1, keepdim=True).clamp_min(1e-20)
        clips = []
        for clip in waveform:
            spectrum = self._spectrum(clip)  # (C, T, F)
            cross = torch.view_as_real(spectrum[1:] * spectrum[:-1].conj()).float()  # (C - 1, T, F, 2)
            unit = cross / cross.norm(dim=-1, keepdim=True).clamp_min(1e-20)
            # cosines, then sines, (C - 1, T, M) each
            clips.append(torch.cat([unit[..., 0] @ weights.t(), unit[..., 1] @ weights.t()]))
        return torch.stack(clips)
