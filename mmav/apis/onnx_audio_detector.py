"""Vehicles by sound on a machine without PyTorch: runs the files of tools/model_converters/export_onnx.py.

This file needs onnxruntime, numpy and soundfile alone. It also works copied beside the detector::

    python onnx_audio_detector.py detector.onnx street.wav --hop 0.5

prints a line of JSON for each window: its start and duration in seconds, boxes in pixels of the cropped
camera image, scores, labels and names of the classes.

Shapes: B windows, M microphones, L samples of a window, N samples of a recording.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

try:
    import numpy as np
    import onnxruntime
    import soundfile
except ImportError as error:
    raise ImportError(
        f'{error.name} is missing: pip install onnxruntime numpy soundfile', name=error.name
    ) from error

METADATA = 'mmav'


class OnnxAudioDetector:
    """A detector in an ONNX file.

    Attributes ``sample_rate`` (hertz), ``num_channels`` (M), ``window_length`` (L), ``classes``,
    ``image_size`` (width and height of the cropped camera image in pixels) and ``metadata``, all that the
    file tells of itself.

    Args:
        path: The file.
        threads: Threads that onnxruntime computes with. Defaults to its own choice, one per core.
        providers: onnxruntime's execution providers, best first. Defaults to the CPU.

    Raises:
        ValueError: The file is missing, damaged, or no detector that mmav has exported.

    Example::

        detector = OnnxAudioDetector('detector.onnx')
        (found,) = detector(waveform[None])  # (8, 44100)
        print(found['bboxes'], found['scores'])
    """

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        providers: Sequence[str] = ('CPUExecutionProvider',),
    ) -> None:
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        if not Path(path).is_file():
            raise ValueError(f'{path}: the file is missing')
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
        except Exception as error:  # onnxruntime's errors have no base class of their own
            raise ValueError(f'{path}: not a readable ONNX file ({str(error).splitlines()[0]})') from error
        self.path = str(path)
        self.metadata = json.loads(self.session.get_modelmeta().custom_metadata_map.get(METADATA, '{}'))
        if self.metadata.get('kind') != 'audio_detector':
            raise ValueError(f'{path}: no detector that export_onnx.py has written')
        self.sample_rate = int(self.metadata['sample_rate'])
        self.num_channels = int(self.metadata['num_channels'])
        self.window_length = int(self.metadata['window_length'])
        self.classes = list(self.metadata['classes'])
        self.image_size = tuple(self.metadata['image_size'])
        (self._input,) = self.session.get_inputs()

    def __call__(self, waveform: np.ndarray) -> list[dict[str, np.ndarray]]:
        """Detect vehicles in windows.

        Args:
            waveform: (B, M, L) int16, or floats in -1..1, at the detector's sample rate.

        Returns:
            For each window a dict of ``bboxes`` (n, 4), x1, y1, x2, y2 in pixels of the cropped camera image,
            ``scores`` (n,) in falling order, and ``labels`` (n,).

        Raises:
            ValueError: The waveform has another shape or type, or holds NaN.
        """
        waveform = np.asarray(waveform)
        if waveform.ndim != 3 or waveform.shape[1:] != (self.num_channels, self.window_length):
            raise ValueError(
                f'waveform must be (B, {self.num_channels}, {self.window_length}), got {waveform.shape}'
            )
        if not len(waveform):
            return []
        boxes, scores, labels = self.session.run(None, {self._input.name: self._convert(waveform)})
        found = []
        for box, score, label in zip(boxes, scores, labels):
            there = score >= 0
            found.append(dict(bboxes=box[there], scores=score[there], labels=label[there]))
        return found

    def _convert(self, waveform: np.ndarray) -> np.ndarray:
        """Samples of the file's type."""
        if waveform.dtype.kind == 'f':
            if not np.isfinite(waveform).all():
                raise ValueError('waveform holds NaN or infinite values')
        elif waveform.dtype != np.int16:
            raise ValueError(f'waveform must be int16 or floating point, got {waveform.dtype}')
        if self._input.type == 'tensor(int16)':
            if waveform.dtype == np.int16:
                return waveform
            return np.clip(np.rint(waveform * 32768), -32768, 32767).astype(np.int16)
        if waveform.dtype == np.int16:
            return waveform.astype(np.float32) / 32768
        return waveform.astype(np.float32, copy=False)

    def detect_file(
        self, path: str | Path, hop: float = 1.0, batch_size: int = 8
    ) -> Iterator[dict[str, Any]]:
        """Go through a recording in windows.

        Args:
            path: Sound file with a channel for each microphone, at the detector's sample rate.
            hop: Seconds between the starts of the windows; the last window ends with the recording.
            batch_size: Windows at a time.

        Yields:
            For each window what a call gives, as plain numbers, with ``start`` and ``duration`` in seconds
            and ``classes``, the names of the labels.

        Raises:
            ValueError: ``hop`` or ``batch_size`` is not above 0, or the recording cannot be read, is shorter
                than a window, or has other channels or another sample rate; the message names it.
        """
        if not hop > 0 or batch_size < 1:
            raise ValueError(f'hop and batch_size must be above 0, got {hop} and {batch_size}')
        step = max(1, round(hop * self.sample_rate))
        try:
            with soundfile.SoundFile(path) as file:
                self._check_file(file, path)
                last = len(file) - self.window_length
                starts = [*range(0, last + 1, step)]
                starts += [last] if starts[-1] != last else []
                for first in range(0, len(starts), batch_size):
                    some = starts[first : first + batch_size]
                    yield from self._detect_windows(some, np.stack([self._read(file, s, path) for s in some]))
        except soundfile.LibsndfileError as error:
            raise ValueError(f'{path}: not a readable sound file ({error.error_string})') from error

    def _check_file(self, file: soundfile.SoundFile, path: str | Path) -> None:
        wanted = dict(samplerate=('sample rate', self.sample_rate), channels=('channels', self.num_channels))
        for name, (what, value) in wanted.items():
            if getattr(file, name) != value:
                raise ValueError(f'{path}: {what} {getattr(file, name)}, but the detector takes {value}')
        if len(file) < self.window_length:
            raise ValueError(
                f'{path}: {len(file)} samples are fewer than the {self.window_length} of a window'
            )

    def _read(self, file: soundfile.SoundFile, start: int, path: str | Path) -> np.ndarray:
        """A window (M, L)."""
        file.seek(start)
        dtype = 'int16' if file.subtype in ('PCM_16', 'PCM_S8', 'PCM_U8') else 'float32'
        samples = file.read(self.window_length, dtype=dtype, always_2d=True)
        if len(samples) < self.window_length:
            raise ValueError(f'{path}: truncated at {(start + len(samples)) / self.sample_rate:.3f} s')
        return samples.T

    def _detect_windows(self, starts: Sequence[int], waveform: np.ndarray) -> Iterator[dict[str, Any]]:
        for start, found in zip(starts, self(waveform), strict=True):
            labels = found['labels'].tolist()
            yield dict(
                start=start / self.sample_rate,
                duration=self.window_length / self.sample_rate,
                bboxes=found['bboxes'].tolist(),
                scores=found['scores'].tolist(),
                labels=labels,
                classes=[self.classes[label] for label in labels],
            )


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('detector', help='.onnx file')
    parser.add_argument('recording', help='sound file with a channel for each microphone')
    parser.add_argument('--hop', type=float, default=1.0, help='seconds between windows; default: 1')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score printed; default: 0.3')
    parser.add_argument('--batch-size', type=int, default=8, help='windows at a time; default: 8')
    parser.add_argument('--threads', type=int, help='default: one per core')
    args = parser.parse_args()
    try:
        detector = OnnxAudioDetector(args.detector, args.threads)
        for window in detector.detect_file(args.recording, args.hop, args.batch_size):
            kept = [index for index, score in enumerate(window['scores']) if score >= args.score_thr]
            for key in ('bboxes', 'scores', 'labels', 'classes'):
                window[key] = [window[key][index] for index in kept]
            print(json.dumps(window), flush=True)
    except BrokenPipeError:  # whoever read the lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ValueError as error:
        print(f'{Path(sys.argv[0]).name}: error: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
