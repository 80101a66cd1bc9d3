"""The last minute of a running recording, as files: its sound, and what was detected in it.

Shapes: M microphones, n samples of a chunk.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from typing import Any

import numpy as np
import soundfile

from mmav.apis.audio_sources import AudioChunk
from mmav.models.trackers.mot_challenge import mot_challenge_text
from mmav.utils.checks import check_positive
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float


class RecentMinute:
    """Keeps sound and results for a while; may be read by other threads than the one that adds.

    Args:
        hop: Seconds from result to result.
        seconds: How long. Defaults to 60.
    """

    def __init__(self, hop: float, seconds: float = 60.0) -> None:
        check_positive('RecentMinute', hop=hop, seconds=seconds)
        self.hop, self.seconds = hop, seconds
        self._lock = threading.Lock()
        self._pieces: deque[np.ndarray] = deque()
        self._results: deque[dict[str, Any]] = deque()
        self._rate = 0
        self.time = 0.0  # seconds of the recording so far

    def add_sound(self, chunk: AudioChunk) -> None:
        """Add a chunk; what is missing before it is silence. A new sample rate begins anew."""
        with self._lock:
            if chunk.sample_rate != self._rate:
                self._pieces.clear()
                self._rate = chunk.sample_rate
            limit = round(self.seconds * self._rate)
            if chunk.lost:
                count = min(chunk.lost, limit)
                self._pieces.append(np.zeros((len(chunk.samples), count), chunk.samples.dtype))
            self._pieces.append(chunk.samples)
            self.time += (chunk.lost + chunk.samples.shape[1]) / self._rate
            kept = sum(piece.shape[1] for piece in self._pieces)
            while self._pieces and kept - self._pieces[0].shape[1] >= limit:
                kept -= self._pieces.popleft().shape[1]
            if kept > limit:
                self._pieces[0] = self._pieces[0][:, kept - limit :]

    def add_result(self, result: dict[str, Any]) -> None:
        """Add a result of :meth:`StreamingAudioDetector.push`."""
        with self._lock:
            self._results.append(result)
            while self._results[0]['time'] <= result['time'] - self.seconds:
                self._results.popleft()

    def sound_file(self) -> bytes:
        """The sound as a wav file with a channel for each microphone, of 16 bits if it came as such.

        Raises:
            SampleError: There is none yet.
        """
        with self._lock:
            pieces, rate = list(self._pieces), self._rate
        if not pieces:
            raise SampleError('sound.wav', 'no sound has arrived yet')
        exact = all(piece.dtype == np.int16 for piece in pieces)
        if not exact:
            pieces = [as_float(piece) for piece in pieces]
        file = io.BytesIO()
        samples = np.concatenate(pieces, axis=1).T
        soundfile.write(file, samples, rate, 'PCM_16' if exact else 'FLOAT', format='WAV')
        return file.getvalue()

    def results(self) -> dict[str, Any]:
        """``results``, oldest first; ``sound``: ``start`` (seconds of the recording) and ``sample_rate``."""
        with self._lock:
            kept = sum(piece.shape[1] for piece in self._pieces)
            start = max(0.0, self.time - kept / self._rate) if kept else self.time
            sound = dict(start=start, sample_rate=self._rate)
            return dict(hop=self.hop, sound=sound, results=list(self._results))

    def tracks(self) -> str:
        """The tracks in the format of MOTChallenge; frame 1 is the oldest result, left out ones are empty."""
        with self._lock:
            results = list(self._results)
        frames: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        empty = np.zeros(0, int), np.zeros((0, 4)), np.zeros(0)
        for result in results:
            number = round((result['time'] - results[0]['time']) / self.hop)
            frames += [empty] * (number - len(frames))
            ids = np.asarray(result['track_ids'], int)
            boxes = np.asarray(result['bboxes'], float).reshape(-1, 4)
            linked = ids >= 1
            frames.append((ids[linked], boxes[linked], np.asarray(result['scores'], float)[linked]))
        return mot_challenge_text(frames)
