"""Vehicles by sound, while the sound is still coming in.

Shapes: M microphones, n samples of a chunk, N samples of a window.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from logging import WARNING
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from torch import Tensor

from mmav.models.layers.sliding_front_ends import SlidingAcousticImage, SlidingLogMel
from mmav.models.trackers.frame_tracker import FrameTracker
from mmav.utils.checks import check_positive
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float

from .audio_det_inferencer import AudioDetInferencer
from .input_monitor import InputMonitor
from .stream_buffer import StreamBuffer

if TYPE_CHECKING:
    from .onnx_audio_detector import OnnxAudioDetector


class StreamingAudioDetector:
    """Detect vehicles in a running recording: chunks of any length go in, one result a hop comes out.

    The results are those of :class:`AudioDetInferencer` with ``stride=hop``: each is of the model's window
    (1 s) that ends with the hop. Chunks do not matter, nor does resampling. Where ``hop`` is a multiple of
    the front end's hop length, windows share the frames of the Fourier transform (``align_hop``).

    Channels are watched for faults (:class:`InputMonitor`); with one, detection goes on: NaN are taken as
    0, and acoustic images leave out microphones of which a window holds zeros alone.

    Attribute ``last_inputs``: what the front ends made of the last window, by name: ``acoustic_image``
    (C, rows, columns), ``spectrogram`` (M, bands, frames).

    Args:
        model: Config or config file of the detector, an :class:`AudioDetInferencer`, or an
            :class:`OnnxAudioDetector` or its file.
        weights: Checkpoint. Defaults to none: random weights, or those of the inferencer.
        hop: Seconds from result to result. Defaults to 0.1.
        tracker: Config of a tracker, such as ``dict(type='IoUTracker')``, or one. Defaults to none.
        sample_rate: Of the chunks, in hertz. Defaults to the model's.
        align_hop: Round ``hop`` to a multiple of the front end's hop length, so that only what is new is
            transformed; attribute ``hop`` tells it. Defaults to False.
        real_time: Where several results are due at once, give the newest alone and count the others as
            ``skipped``. Defaults to False.
        **options: Further arguments of :class:`AudioDetInferencer`.

    Raises:
        ValueError: ``hop`` or ``sample_rate`` is not above 0; or as the inferencer does.

    Example::

        detector = StreamingAudioDetector('config.py', 'checkpoint.pth', tracker=dict(type='IoUTracker'))
        for chunk in chunks:  # (8, n) each
            for result in detector.push(chunk):
                print(result['time'], result['bboxes'], result['track_ids'])
    """

    def __init__(
        self,
        model: AudioDetInferencer | OnnxAudioDetector | str | Path | Config | Mapping[str, Any] | None,
        weights: str | None = None,
        hop: float = 0.1,
        tracker: FrameTracker | Mapping[str, Any] | None = None,
        sample_rate: int | None = None,
        align_hop: bool = False,
        real_time: bool = False,
        **options: Any,
    ) -> None:
        check_positive(
            'StreamingAudioDetector', hop=hop, sample_rate=1 if sample_rate is None else sample_rate
        )
        self.inferencer = _as_inferencer(model, weights, options)
        self.sample_rate = sample_rate or self.inferencer.sample_rate
        self.tracker = MODELS.build(dict(tracker)) if isinstance(tracker, Mapping) else tracker
        self.real_time = real_time
        self._front_ends = self._make_front_ends()
        grid = math.lcm(*(front.layer.hop_length for front in self._front_ends.values())) if align_hop else 1
        rate = self.inferencer.sample_rate
        self._step = max(round(hop * rate / grid), 1) * grid
        self.hop = self._step / rate
        self.reset()

    def _make_front_ends(self) -> dict[str, SlidingAcousticImage | SlidingLogMel]:
        """By what a prepared store calls what they make; none where the model has another front end."""
        if not self.inferencer.takes_features:
            return {}
        preprocessor = self.inferencer.model.data_preprocessor
        acoustic = getattr(preprocessor, 'acoustic_image', None)
        log_mel = getattr(preprocessor, 'log_mel', None)
        if log_mel is not None and log_mel.phase_channels:
            return {}  # made of the waveform
        front_ends: dict[str, SlidingAcousticImage | SlidingLogMel] = {}
        if acoustic is not None:
            front_ends['acoustic_image'] = SlidingAcousticImage(acoustic)
        if log_mel is not None:
            front_ends['spectrogram'] = SlidingLogMel(log_mel)
        return front_ends

    def reset(self) -> None:
        """Begin a new recording."""
        channels = self.inferencer.num_channels
        self._buffer = StreamBuffer(channels, self.inferencer.sample_rate, self.sample_rate)
        self._monitor = InputMonitor(channels, self.sample_rate)
        self._events: list[dict[str, Any]] = []
        self._next = 0  # start of the next window
        self._last: int | None = None  # start of the last one
        self._skipped = 0
        self.last_inputs: dict[str, Tensor] = {}
        for front_end in self._front_ends.values():
            front_end.reset()
        if self.tracker is not None:
            self.tracker.reset()

    @property
    def position(self) -> float:
        """Seconds of the recording so far."""
        return self._buffer.end / self._buffer.sample_rate

    def push(
        self,
        samples: np.ndarray | Tensor,
        sample_rate: int | None = None,
        lost: int = 0,
        arrived: float | None = None,
    ) -> list[dict[str, Any]]:
        """Take the next chunk.

        Args:
            samples: (M, n) int16, or floats in -1..1; n may be 0.
            sample_rate: Its sample rate in hertz, where it may change. Defaults to that of the last chunk.
            lost: Samples that are missing before it, known to the source. Defaults to 0.
            arrived: ``time.perf_counter()`` when it came in, for ``latency``. Defaults to now.

        Returns:
            A dict for each hop that is complete: ``time`` and ``start``, end and start of its window in
            seconds of the recording; ``duration`` of the window; ``bboxes``, ``scores``, ``labels`` and
            ``classes`` as of the inferencer; ``track_ids``, -1 for boxes without a track; ``latency``,
            seconds from the arrival of its last samples; ``skipped``, results left out before it;
            ``events``, what happened to the input since the last result: dicts of ``time``, ``kind`` ('dead',
            'clipped', 'quiet', 'nan', 'gap', 'rate') and ``message``, of faults of a channel also ``channel``
            and ``begins``; ``levels``, of the channels in decibel of full scale.

        Raises:
            SampleError: The samples have another shape or type.
        """
        arrived = time.perf_counter() if arrived is None else arrived
        values = self._check(samples)
        if sample_rate is not None and sample_rate != self._buffer.input_rate:
            self._change_rate(sample_rate)
        if lost:
            self._skip(lost)
        results = []
        window = self.inferencer.window_length
        for first in range(0, values.shape[1], window):
            piece = values[:, first : first + window]
            self._add_events(self._monitor.push(piece))
            self._buffer.push(np.where(np.isfinite(piece), piece, 0))
            if self.real_time:
                self._skip_late()
            else:
                results += self._due(arrived)
        return results + self._due(arrived)

    def flush(self) -> list[dict[str, Any]]:
        """End the recording and begin a new one.

        Returns:
            The results that are left, as of :meth:`push`; the last window ends with the recording. One
            that is shorter than a window has none.
        """
        arrived, length = time.perf_counter(), self.inferencer.window_length
        self._buffer.finish()
        if self._last is None and self._buffer.end == length - 1:  # rounding of the resampler
            self._buffer.skip(1, keep=1)
        results = self._due(arrived)
        rest = self._buffer.end - length
        if self._last is not None and rest - self._last > 1:
            results.append(self._detect(rest, arrived))
        self.reset()
        return results

    def _check(self, samples: np.ndarray | Tensor) -> np.ndarray:
        values = samples.numpy(force=True) if isinstance(samples, Tensor) else np.asarray(samples)
        channels = self.inferencer.num_channels
        if values.ndim != 2 or len(values) != channels:
            raise SampleError('chunk', f'samples must have the shape ({channels}, n), got {values.shape}')
        if values.dtype != np.int16 and values.dtype.kind != 'f':
            raise SampleError('chunk', f'samples must be int16 or floating point, got {values.dtype}')
        return as_float(values)

    def _change_rate(self, sample_rate: int) -> None:
        check_positive('StreamingAudioDetector.push', sample_rate=sample_rate)
        message = f'the sample rate changes from {self._buffer.input_rate} to {sample_rate} Hz'
        self._buffer.finish()
        self._buffer.set_input_rate(sample_rate)
        self._monitor.restart(sample_rate, self.position)
        self._add_events([dict(time=self.position, kind='rate', message=message)])

    def _skip(self, lost: int) -> None:
        check_positive('StreamingAudioDetector.push', lost=lost)
        start, length = self.position, self.inferencer.window_length
        self._buffer.finish()
        self._buffer.skip(round(lost * self._buffer.sample_rate / self._buffer.input_rate), keep=length)
        silent = max(-(-(self._buffer.start - self._next) // self._step), 0)
        self._next += silent * self._step
        self._skipped += silent
        self._monitor.restart(self._monitor.sample_rate, self.position)
        message = f'{self.position - start:.3f} s are missing; they are taken as silence'
        self._add_events([dict(time=start, kind='gap', message=message)])

    def _add_events(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            print_log(f'{event["time"]:.2f} s: {event["message"]}', 'current', WARNING)
        self._events += events

    def _skip_late(self) -> None:
        """Leave out all windows that are due but the newest."""
        late = (self._buffer.end - self.inferencer.window_length - self._next) // self._step
        if late > 0:
            self._next += late * self._step
            self._skipped += late
        self._drop_used()

    def _due(self, arrived: float) -> list[dict[str, Any]]:
        results = []
        while self._next + self.inferencer.window_length <= self._buffer.end:
            results.append(self._detect(self._next, arrived))
            self._next += self._step
        self._drop_used()
        return results

    def _drop_used(self) -> None:
        """Forget what neither the next window nor the last one, which :meth:`flush` may take, holds."""
        self._buffer.drop_before(min(self._next, self._buffer.end - self.inferencer.window_length))

    @torch.no_grad()
    def _detect(self, start: int, arrived: float) -> dict[str, Any]:
        inferencer, rate = self.inferencer, self.inferencer.sample_rate
        window = self._buffer.window(start, inferencer.window_length)
        packed = inferencer.pack(window, 'stream', start / rate)
        if self._front_ends:
            device = inferencer.model.data_preprocessor.device
            audio = as_float(packed['inputs'].pop('audio')).to(device)
            self.last_inputs = {key: front(audio, start) for key, front in self._front_ends.items()}
            packed['inputs'] |= self.last_inputs
        (sample,) = inferencer.forward(pseudo_collate([packed]))
        found = inferencer.pred2dict(sample)
        ids = [-1] * len(found['scores'])
        if self.tracker is not None:
            instances = sample.pred_instances
            ids = self.tracker.step(instances.bboxes, instances.scores, instances.labels).tolist()
        result = dict(
            time=(start + inferencer.window_length) / rate,
            **{key: found[key] for key in ('start', 'duration', 'bboxes', 'scores', 'labels', 'classes')},
            track_ids=ids,
            skipped=self._skipped,
            events=self._events,
            levels=self._monitor.levels.tolist(),
            latency=time.perf_counter() - arrived,
        )
        self._events, self._skipped, self._last = [], 0, start
        return result


def _as_inferencer(model: Any, weights: str | None, options: dict[str, Any]) -> AudioDetInferencer:
    if isinstance(model, AudioDetInferencer):
        if weights is not None or options:
            raise ValueError('StreamingAudioDetector: an inferencer has its weights and options already')
        return model
    file = isinstance(model, (str, Path)) and str(model).endswith('.onnx')
    if file or type(model).__name__ == 'OnnxAudioDetector':
        from .onnx_det_inferencer import OnnxDetInferencer  # needs an optional package

        if weights is not None:
            raise ValueError('StreamingAudioDetector: an ONNX file has its weights already')
        return OnnxDetInferencer(model, show_progress=False, **options)
    return AudioDetInferencer(model, weights, show_progress=False, **options)
