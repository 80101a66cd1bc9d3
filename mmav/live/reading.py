"""Chunks of a source, read by a thread of its own, so that the source is read while the detector computes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import numpy as np

from mmav.apis.audio_sources import AudioChunk
from mmav.utils.checks import check_positive

_WAIT = 0.2  # seconds after which a waiting thread looks whether it should stop


class SourceReader:
    """Reads a source ahead.

    Args:
        chunks: The source; an iterator with ``close()`` is closed at the end, by the thread that read it.
        most_seconds: Sound that may wait to be taken; the source is then read no further. Defaults to 5.
    """

    def __init__(self, chunks: Iterator[AudioChunk], most_seconds: float = 5.0) -> None:
        check_positive('SourceReader', most_seconds=most_seconds)
        self._chunks, self._most = chunks, most_seconds
        self._waiting: deque[AudioChunk] = deque()
        self._changed = threading.Condition()
        self._stopped = self._ended = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._read, name='source', daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no further. A thread that waits for a source ends with the program at the latest."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take(self, newest: bool = False) -> list[AudioChunk]:
        """Wait for sound.

        Args:
            newest: Take all that waits, joined to as few chunks as can be. Defaults to False: one chunk.

        Returns:
            Chunks; none at the end of the source, or when it is stopped.

        Raises:
            Exception: What the source raised, behind its last chunk.
        """
        with self._changed:
            while not (self._waiting or self._ended or self._stopped):
                self._changed.wait(_WAIT)
            if self._stopped:
                return []
            if not self._waiting and self._error is not None:
                raise self._error
            count = len(self._waiting) if newest else min(len(self._waiting), 1)
            taken = [self._waiting.popleft() for _ in range(count)]
            self._changed.notify_all()
        return _joined(taken)

    def _read(self) -> None:
        error = None
        try:
            for chunk in self._chunks:
                with self._changed:
                    while self._full() and not self._stopped:
                        self._changed.wait(_WAIT)
                    if self._stopped:
                        break
                    self._waiting.append(chunk)
                    self._changed.notify_all()
        except Exception as failed:  # raised again by take()
            error = failed
        finally:
            close = getattr(self._chunks, 'close', None)
            if close is not None:
                close()
            with self._changed:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def _full(self) -> bool:
        return sum(chunk.samples.shape[1] / chunk.sample_rate for chunk in self._waiting) >= self._most


def _joined(chunks: list[AudioChunk]) -> list[AudioChunk]:
    """Neighbors of one rate and type, between which nothing is lost, as one."""
    groups: list[list[AudioChunk]] = []
    for chunk in chunks:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and not chunk.lost
            and chunk.sample_rate == last.sample_rate
            and chunk.samples.dtype == last.samples.dtype
            and len(chunk.samples) == len(last.samples)
        ):
            groups[-1].append(chunk)
        else:
            groups.append([chunk])
    return [
        AudioChunk(
            np.concatenate([chunk.samples for chunk in group], axis=1),
            group[0].sample_rate,
            group[0].lost,
            group[-1].arrived,
        )
        for group in groups
    ]
