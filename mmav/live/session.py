"""A running detection: its source, detector and camera, and whom it tells of what it finds.

Shapes: M microphones, n samples of a chunk.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mmav.apis import StreamingAudioDetector
from mmav.apis.audio_sources import AudioChunk
from mmav.utils.errors import SampleError
from mmav.visualization import acoustic_map

from .camera import Camera
from .encoding import Message, box_color, color_map, jpeg_file
from .reading import SourceReader
from .recent import RecentMinute
from .spectrogram import RunningSpectrogram

TAIL_SECONDS = 3.0
"""How long a track's centers stay."""

Listener = Callable[[Message | dict[str, Any]], None]


class LiveSession:
    """Detects in a source by a thread of its own, and tells listeners.

    Listeners are called by that thread. They get a :class:`Message` for each result, while ``watched``, and
    dicts with a ``type``: 'event' (``number``, ``time``, ``kind``, ``message``), 'paused' (``paused``), and
    at the end 'ended' (``error``: text or None).

    Args:
        detector: Of which ``real_time`` says what happens when it falls behind: results are left out, or
            the source waits. A source that waits also stands still in a pause; else what comes in a pause is
            lost to the detector.
        chunks: The source.
        source: What messages call it. Defaults to 'sound'.
        camera: Defaults to none.
        period: Seconds after which the source, and with it the camera, begins anew. Defaults to never.
        score_thr: Lowest score that viewers show at first. Defaults to 0.3.
        on_result: Called with every result, as :meth:`StreamingAudioDetector.push` gives it.
    """

    def __init__(
        self,
        detector: StreamingAudioDetector,
        chunks: Iterator[AudioChunk],
        source: str = 'sound',
        camera: Camera | None = None,
        period: float | None = None,
        score_thr: float = 0.3,
        on_result: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.detector, self.source, self.period, self.score_thr = detector, source, period, score_thr
        self.name = uuid.uuid4().hex  # viewers see by it that another session has begun
        self.camera: Camera | None = camera or Camera()
        self.recent = RecentMinute(detector.hop)
        self.watched = False
        self.error: Exception | None = None
        self.ended = threading.Event()
        self._events: deque[dict[str, Any]] = deque(maxlen=200)
        self._reader = SourceReader(chunks)
        self._on_result, self._listeners = on_result, list[Listener]()
        self._running = threading.Event()  # not paused
        self._running.set()
        self._stopped = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name='detection', daemon=True)
        self._lost = 0  # samples that the detector was not given
        self._skipped = self._results = self._event_count = 0
        self._tails: dict[int, deque[tuple[float, float, float]]] = {}
        self._jpeg: tuple[int, bytes] | None = None
        self._spectrogram: RunningSpectrogram | None = None
        self._columns: list[np.ndarray] = []
        layer = None
        if detector.inferencer.takes_features:  # an ONNX file keeps its acoustic images to itself
            layer = getattr(detector.inferencer.model.data_preprocessor, 'acoustic_image', None)
        drawable = layer is not None and {'broadband', 'contrast'} & set(layer.channels)
        self._acoustic_layer = layer if drawable else None

    def start(self) -> None:
        """Begin."""
        self._reader.start()
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End before the source does, and wait for it."""
        self._stopped = True
        self._reader.stop()
        self._running.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def wait(self) -> None:
        """Wait for the end of the source."""
        self._thread.join()

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` from now on; the first one before the session is started."""
        if self._spectrogram is None:  # to make it takes seconds
            self._spectrogram = RunningSpectrogram(self.detector.sample_rate)
        self._listeners.append(listener)

    @property
    def paused(self) -> bool:
        """Whether nothing is detected for now."""
        return not self._running.is_set()

    def pause(self, paused: bool) -> None:
        """Pause, or go on."""
        if paused == self.paused or self.ended.is_set():
            return
        (self._running.clear if paused else self._running.set)()
        self._tell(dict(type='paused', paused=paused))
        self._add_event('pause' if paused else 'resume', 'paused' if paused else 'goes on')

    def description(self) -> dict[str, Any]:
        """What a viewer needs to know at first, of type 'hello'."""
        detector = self.detector
        return dict(
            type='hello',
            session=self.name,
            source=self.source,
            image_size=list(detector.inferencer.image_size),
            channels=detector.inferencer.num_channels,
            hop=detector.hop,
            score_thr=self.score_thr,
            tail_seconds=TAIL_SECONDS,
            color_map=color_map(),
            acoustic=self._acoustic_layer is not None,
            events=self.events(),
            paused=self.paused,
            ended=self.ended.is_set(),
            error=None if self.error is None else str(self.error),
        )

    def events(self) -> list[dict[str, Any]]:
        """The last 200: ``number``, ``time``, ``kind``, ``message``."""
        with self._lock:
            return list(self._events)

    def _run(self) -> None:
        try:
            while chunks := self._take():
                for chunk in chunks:
                    self._push(chunk)
            if not self._stopped:
                for result in self.detector.flush():
                    self._publish(result, time.perf_counter())
        except Exception as error:  # told to viewers, and raised by whoever waits
            self.error = error
        finally:
            self._reader.stop()
            if self.camera is not None:
                self.camera.close()
        if self.error is not None:
            self._add_event('error', str(self.error))
        elif not self._stopped:
            self._add_event('end', 'the recording has ended')
        self.ended.set()
        self._tell(dict(type='ended', error=None if self.error is None else str(self.error)))

    def _take(self) -> list[AudioChunk]:
        chunks = self._reader.take(newest=self.detector.real_time)
        if not self.detector.real_time:
            self._running.wait()
        return chunks

    def _push(self, chunk: AudioChunk) -> None:
        expected = self.detector.inferencer.num_channels
        if len(chunk.samples) != expected:
            raise SampleError(
                self.source, f'has {len(chunk.samples)} channels, but the model takes {expected} microphones'
            )
        self.recent.add_sound(chunk)
        if self.paused and self.detector.real_time:
            self._lost += chunk.lost + chunk.samples.shape[1]
            return
        lost, self._lost = chunk.lost + self._lost, 0
        self._add_columns(chunk, lost)
        results = self.detector.push(chunk.samples, chunk.sample_rate, lost, chunk.arrived)
        for result in results:
            clock = chunk.arrived - (self.detector.position - result['time'])
            self._publish(result, clock, newest=result is results[-1])

    def _publish(self, result: dict[str, Any], clock: float, newest: bool = True) -> None:
        self._results += 1
        self._skipped += result['skipped']
        self._add_centers(result)
        self.recent.add_result(result)
        if self._on_result is not None:
            self._on_result(result)
        for event in result['events']:
            self._add_event(event['kind'], event['message'], event['time'])
        if self.watched:
            self._tell(self._message(result, clock, newest))

    def _message(self, result: dict[str, Any], clock: float, newest: bool) -> Message:
        names = ('time', 'duration', 'scores', 'classes', 'track_ids', 'levels', 'latency')
        header = dict(
            {name: result[name] for name in names},
            type='result',
            number=self._results,
            bboxes=[[round(value, 1) for value in box] for box in result['bboxes']],
            colors=[box_color(identity) for identity in result['track_ids']],
            tails=[
                dict(color=box_color(identity), centers=[center[1:] for center in centers])
                for identity, centers in self._tails.items()
            ],
            skipped=self._skipped,
        )
        columns = None
        if self._columns:
            columns, self._columns = np.concatenate(self._columns), []
        if self._spectrogram is not None:
            header |= dict(columns=self._spectrogram.columns, column_rate=self._spectrogram.rate)
        # what the front end made is of the newest window alone
        acoustic = self._acoustic_map() if newest else None
        return Message(header, self._camera_image(result, clock), acoustic, columns)

    def _acoustic_map(self) -> np.ndarray | None:
        """(rows, columns) uint8 of what the detector has just seen."""
        values, layer = self.detector.last_inputs.get('acoustic_image'), self._acoustic_layer
        if values is None or layer is None:
            return None
        return np.round(255 * acoustic_map(values.cpu().numpy(), layer.settings())).astype(np.uint8)

    def _camera_image(self, result: dict[str, Any], clock: float) -> tuple[int, bytes] | None:
        """That of the window's middle, to which boxes refer."""
        if self.camera is None:
            return None
        middle, half = result['time'] - result['duration'] / 2, result['duration'] / 2
        try:
            found = self.camera.image(middle if self.period is None else middle % self.period, clock - half)
        except SampleError as error:  # detection needs no camera
            self._add_event('camera', str(error), result['time'])
            self.camera.close()
            self.camera = None
            return None
        if found is not None and (self._jpeg is None or self._jpeg[0] != found[0]):
            self._jpeg = found[0], jpeg_file(found[1])
        return None if found is None else self._jpeg

    def _add_centers(self, result: dict[str, Any]) -> None:
        now = result['time']
        for identity, (x1, y1, x2, y2) in zip(result['track_ids'], result['bboxes']):
            if identity >= 0:
                center = (now, round((x1 + x2) / 2, 1), round((y1 + y2) / 2, 1))
                self._tails.setdefault(identity, deque()).append(center)
        for identity, centers in list(self._tails.items()):
            while centers and centers[0][0] <= now - TAIL_SECONDS:
                centers.popleft()
            if not centers:
                del self._tails[identity]

    def _add_columns(self, chunk: AudioChunk, lost: int) -> None:
        if self._spectrogram is None:
            return
        if not self.watched:
            self._spectrogram.reset()
            self._columns = []
            return
        if self._spectrogram.layer.sample_rate != chunk.sample_rate:
            self._spectrogram, self._columns = RunningSpectrogram(chunk.sample_rate), []
        elif lost:
            self._spectrogram.skip(lost)
        self._columns.append(self._spectrogram.push(chunk.samples))
        # before the first result there is nobody to send them to
        del self._columns[:-100]

    def _add_event(self, kind: str, message: str, when: float | None = None) -> None:
        with self._lock:  # a pause comes from another thread
            self._event_count += 1
            event = dict(
                number=self._event_count,
                time=self.recent.time if when is None else when,
                kind=kind,
                message=message,
            )
            self._events.append(event)
        self._tell(dict(event, type='event'))

    def _tell(self, message: Message | dict[str, Any]) -> None:
        for listener in self._listeners:
            listener(message)
