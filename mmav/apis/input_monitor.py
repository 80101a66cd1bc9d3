"""What is wrong with the channels of a running recording.

Shapes: M microphones, n samples of a chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCK_SECONDS = 0.25
FULL_SCALE = 0.999
CLIPPED_SHARE = 1e-3
QUIET_DECIBEL = 40.0
KINDS = {
    'nan': 'holds NaN or infinite samples, which are taken as 0',
    'dead': 'is constant: no sound arrives',
    'clipped': f'is clipped: more than {CLIPPED_SHARE:.1%} of the samples are at full scale',
    'quiet': f'is more than {QUIET_DECIBEL:g} dB below the other channels',
}
"""Faults of a channel, and how messages tell of them."""


class InputMonitor:
    """Watches each channel for faults, in blocks of a quarter of a second, however the sound arrives.

    Args:
        num_channels: M.
        sample_rate: Hertz.

    Example:
        >>> monitor = InputMonitor(2, 8000)
        >>> noise = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 2000)).astype(np.float32)
        >>> monitor.push(noise)
        []
        >>> noise[1] = 0
        >>> [(event['kind'], event['channel'], event['time']) for event in monitor.push(noise)]
        [('dead', 1, 0.25)]
    """

    def __init__(self, num_channels: int, sample_rate: float) -> None:
        self.faults = {kind: np.zeros(num_channels, bool) for kind in KINDS}
        self.levels = np.full(num_channels, -np.inf)
        self.restart(sample_rate, 0.0)

    def restart(self, sample_rate: float, time: float) -> None:
        """Go on at another sample rate, or after a gap, from ``time`` in seconds on."""
        self.sample_rate = sample_rate
        self._length = max(1, round(BLOCK_SECONDS * sample_rate))
        self._time, self._blocks = time, 0
        self._rest: np.ndarray = np.zeros((len(self.levels), 0), np.float32)

    def push(self, samples: np.ndarray) -> list[dict[str, Any]]:
        """Take samples (M, n) of float, and tell which faults began or ended, in blocks that are complete.

        Returns:
            Dicts of ``time`` (seconds, start of the block), ``kind`` (of :data:`KINDS`), ``channel``,
            ``begins`` (False: it ended) and ``message``.
        """
        samples = np.concatenate([self._rest, samples], axis=1)
        number = samples.shape[1] // self._length
        self._rest = samples[:, number * self._length :]
        events = []
        for block in np.split(samples[:, : number * self._length], number, axis=1) if number else ():
            time = self._time + self._blocks * self._length / self.sample_rate
            self._blocks += 1
            for kind, faulty in self._examine(block).items():
                for channel in np.flatnonzero(faulty != self.faults[kind]).tolist():
                    begins = bool(faulty[channel])
                    message = (
                        f'channel {channel} {KINDS[kind]}' if begins else f'channel {channel}: {kind} no more'
                    )
                    events.append(dict(time=time, kind=kind, channel=channel, begins=begins, message=message))
                self.faults[kind] = faulty
        return events

    def _examine(self, block: np.ndarray) -> dict[str, np.ndarray]:
        """Faults (M,) of each kind in a block (M, n)."""
        finite = np.isfinite(block)
        block = np.where(finite, block, 0)
        power = np.square(block, dtype=np.float64).mean(1)
        self.levels = 10 * np.log10(np.maximum(power, 1e-12))  # 16-bit samples are rounded by 8e-11
        dead = np.ptp(block, axis=1) == 0
        others = np.median(self.levels[~dead]) if not dead.all() else -np.inf
        return dict(
            nan=~finite.all(1),
            dead=dead,
            clipped=(np.abs(block) >= FULL_SCALE).mean(1) > CLIPPED_SHARE,
            quiet=~dead & (self.levels < others - QUIET_DECIBEL),
        )
