"""Front ends for windows that overlap: frames of the Fourier transform that a window before had are kept.

Shapes: C or M channels, L samples of a window, F frequencies or mel bands, T frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from .acoustic_image import AcousticImage
from .log_mel_spectrogram import LogMelSpectrogram

Layer = TypeVar('Layer', AcousticImage, LogMelSpectrogram)


class _FrameCache:
    """Frames at multiples of ``hop_length`` samples of a stream, the last axis of a tensor.

    Args:
        hop_length: Samples from frame to frame.
    """

    def __init__(self, hop_length: int) -> None:
        self.hop_length = hop_length
        self.clear()

    def clear(self) -> None:
        """Forget all frames."""
        self._frames: Tensor | None = None
        self._start = 0

    def complete(self, start: int, count: int, compute: Callable[[int], Tensor]) -> Tensor:
        """``count`` frames from sample ``start`` on, of which the kept ones are not computed.

        ``compute(first)`` gives those from number ``first`` to the last. What lies before is dropped.
        """
        skipped, remainder = divmod(start - self._start, self.hop_length)
        known = None
        if self._frames is not None and remainder == 0 and 0 <= skipped < self._frames.shape[-1]:
            known = self._frames[..., skipped : skipped + count]
        first = 0 if known is None else known.shape[-1]
        parts = [known] if known is not None else []
        if first < count:
            parts.append(compute(first))
        self._frames, self._start = torch.cat(parts, dim=-1), start
        return self._frames


class _SlidingFrontEnd(Generic[Layer]):
    """What the front ends of a stream share.

    Args:
        layer: The layer, whose values these are.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer: Layer = layer
        self._cache = _FrameCache(layer.hop_length)

    def reset(self) -> None:
        """Forget the stream."""
        self._cache.clear()


class SlidingAcousticImage(_SlidingFrontEnd[AcousticImage]):
    """An :class:`AcousticImage` of windows of a stream that overlap.

    The transform's frames are shared by windows whose starts differ by a multiple of ``hop_length``. The
    channels 'spectrum' and 'modulation' are transforms of the window as a whole, which are made anew.

    Args:
        layer: The layer, whose values these are.
    """

    @torch.no_grad()
    def __call__(self, waveform: Tensor, start: int) -> Tensor:
        """Compute the acoustic image of a window.

        Args:
            waveform: (M, L) float in -1..1, on the layer's device.
            start: Sample of the stream with which it begins.

        Returns:
            (C, rows, columns) float32.

        Raises:
            ValueError: If the waveform has another shape or is too short.
        """
        layer, hop = self.layer, self.layer.hop_length
        spectra = None
        if waveform.shape[-1] >= layer.n_fft:
            count = 1 + (waveform.shape[-1] - layer.n_fft) // hop
            spectra = [
                self._cache.complete(start, count, lambda first: layer.spectrum(waveform[:, first * hop :]))
            ]
        return layer(waveform[None], spectra=spectra)[0]


class SlidingLogMel(_SlidingFrontEnd[LogMelSpectrogram]):
    """A :class:`LogMelSpectrogram` of windows of a stream that overlap.

    Frames that lie within the window are shared by windows whose starts differ by a multiple of
    ``hop_length``; those at its two ends, which reach into the padding, are made anew.

    Args:
        layer: The layer, whose values these are. It has no phase channels.

    Raises:
        ValueError: If it has.
    """

    def __init__(self, layer: LogMelSpectrogram) -> None:
        if layer.phase_channels:
            raise ValueError('SlidingLogMel: a layer with phase_channels has no frames to share')
        super().__init__(layer)

    @torch.no_grad()
    def __call__(self, waveform: Tensor, start: int) -> Tensor:
        """Compute the spectrograms of a window.

        Args:
            waveform: (C, L) float in -1..1, on the layer's device.
            start: Sample of the stream with which it begins.

        Returns:
            (C, M, T) float32 decibel.
        """
        layer, hop = self.layer, self.layer.hop_length
        length, half = waveform.shape[-1], layer.n_fft // 2
        edge = -(-half // hop)  # frames that reach into the padding before the window
        inside = (length - half) // hop + 1 - edge  # those that reach into neither
        if inside < 1 or layer.n_fft % 2:
            return layer(waveform[None])[0]
        head = self._mel_power(waveform[:, : edge * hop + half])[..., :edge]
        tail: list[Tensor] = []

        def compute(first: int) -> Tensor:
            rest = self._mel_power(waveform[:, first * hop :])[..., edge:]
            tail.append(rest[..., inside - first :])
            return rest[..., : inside - first]

        body = self._cache.complete(start, inside, compute)
        if not tail:  # the same window again
            compute(inside)
        power = torch.cat([head, body, tail[0]], dim=-1)  # (C, M, T)
        return layer.to_decibel(power.transpose(-1, -2)[None])[0].transpose(-1, -2)

    def _mel_power(self, waveform: Tensor) -> Tensor:
        """(C, L) to (C, M, T)."""
        return self.layer.mel_power(waveform[None])[0].transpose(-1, -2)
