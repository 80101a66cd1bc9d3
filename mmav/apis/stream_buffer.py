"""The newest stretch of a running recording, at the model's sample rate.

Shapes: M microphones, n samples of a chunk.
"""

from __future__ import annotations

import numpy as np
import soxr


class StreamBuffer:
    """Takes samples at one rate and keeps them at another, until they are dropped.

    Resampling (soxr) goes on from chunk to chunk: the samples equal those of the whole recording's.

    Args:
        num_channels: M.
        sample_rate: Of what is kept, in hertz.
        input_rate: Of what comes in, in hertz.

    Example:
        >>> buffer = StreamBuffer(2, 44100, 44100)
        >>> buffer.push(np.ones((2, 100), np.float32))
        >>> buffer.start, buffer.end, buffer.window(90, 10).shape
        (0, 100, (2, 10))
        >>> buffer.drop_before(90)
        >>> buffer.start
        90
    """

    def __init__(self, num_channels: int, sample_rate: int, input_rate: int) -> None:
        self.num_channels, self.sample_rate = num_channels, sample_rate
        self._held = np.zeros((num_channels, sample_rate), np.float32)
        self._used = 0
        self.start = 0  # sample of the stream with which it begins
        self.set_input_rate(input_rate)

    @property
    def end(self) -> int:
        """Sample of the stream behind the last one held."""
        return self.start + self._used

    def set_input_rate(self, input_rate: int) -> None:
        """Go on with samples of another rate."""
        self.input_rate = input_rate
        self._resampler = None
        if input_rate != self.sample_rate:
            self._resampler = soxr.ResampleStream(input_rate, self.sample_rate, self.num_channels, 'float32')

    def push(self, samples: np.ndarray) -> None:
        """Add samples (M, n) of float32."""
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(np.ascontiguousarray(samples.T)).T
        self._append(samples)

    def finish(self) -> None:
        """Add what the resampler still holds; it begins anew."""
        if self._resampler is not None:
            rest = np.zeros((0, self.num_channels), np.float32)
            self._append(self._resampler.resample_chunk(rest, last=True).T)
            self.set_input_rate(self.input_rate)

    def skip(self, count: int, keep: int) -> None:
        """Go on ``count`` samples later; up to ``keep`` of those are held, as silence."""
        silent = min(count, keep)
        if silent < count:  # nothing that is held would be in a window with what follows
            self.start, self._used = self.end + count - silent, 0
        self._append(np.zeros((self.num_channels, silent), np.float32))

    def window(self, start: int, length: int) -> np.ndarray:
        """A copy of ``length`` samples from sample ``start`` of the stream on, (M, length)."""
        first = start - self.start
        return self._held[:, first : first + length].copy()

    def drop_before(self, start: int) -> None:
        """Forget what lies before sample ``start`` of the stream."""
        count = min(max(start - self.start, 0), self._used)
        self._held[:, : self._used - count] = self._held[:, count : self._used].copy()
        self.start, self._used = self.start + count, self._used - count

    def _append(self, samples: np.ndarray) -> None:
        needed = self._used + samples.shape[1]
        if needed > self._held.shape[1]:
            larger = np.zeros((self.num_channels, max(needed, 2 * self._held.shape[1])), np.float32)
            larger[:, : self._used] = self._held[:, : self._used]
            self._held = larger
        self._held[:, self._used : needed] = samples
        self._used = needed
