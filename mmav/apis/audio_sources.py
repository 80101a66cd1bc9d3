"""Where a running recording comes from: a file, a pipe of raw samples, or a sound card.

Shapes: M microphones, n samples of a chunk.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mmav.media.audio_files import audio_length, read_audio_blocks
from mmav.utils.checks import check_choice, check_positive
from mmav.utils.errors import SampleError

PCM_FORMATS: dict[str, tuple[np.dtype, int]] = {
    's16le': (np.dtype('<i2'), 1),
    's24le': (np.dtype('u1'), 3),
    's32le': (np.dtype('<i4'), 1),
    'f32le': (np.dtype('<f4'), 1),
}
"""Raw formats by ffmpeg's names: type of an element, and elements of a sample."""

_SILENT_CARD = 5  # seconds after which a sound card that gives nothing is taken for lost
_CLOSING = 2  # seconds that closing it may take


@dataclass(frozen=True)
class AudioChunk:
    """Samples as they came in; the arguments of :meth:`StreamingAudioDetector.push`.

    Attributes:
        samples: (M, n) int16, or float32 in -1..1.
        sample_rate: Hertz.
        lost: Samples that are missing before it.
        arrived: ``time.perf_counter()`` when its last sample came in.
    """

    samples: np.ndarray
    sample_rate: int
    lost: int
    arrived: float


def file_chunks(path: str | Path, seconds: float = 0.1, real_time: bool = False) -> Iterator[AudioChunk]:
    """A sound file, chunk by chunk.

    Args:
        path: The file, with a channel for each microphone.
        seconds: Length of a chunk. Defaults to 0.1.
        real_time: Wait for the time at which each chunk would have been recorded; where the reader is late,
            what has been recorded meanwhile is one chunk. Defaults to False.

    Raises:
        SampleError: The file is missing or damaged, or does not tell its sample rate.
    """
    check_positive('file_chunks', seconds=seconds)
    _, rate = audio_length(str(path))
    blocks, begin, place = [], time.perf_counter(), 0
    for block in read_audio_blocks(path, max(1, round(seconds * rate))):
        blocks.append(block.values)
        place += blocks[-1].shape[1]
        arrived = time.perf_counter()
        if real_time:
            if arrived - begin >= place / rate + seconds:
                continue  # the reader is late: more has been recorded meanwhile
            time.sleep(max(0.0, begin + place / rate - arrived))
            arrived = begin + place / rate
        yield AudioChunk(np.concatenate(blocks, axis=1), rate, 0, arrived)
        blocks = []
    if blocks:
        yield AudioChunk(np.concatenate(blocks, axis=1), rate, 0, begin + place / rate)


def pcm_chunks(
    stream: BinaryIO, num_channels: int, sample_rate: int, pcm_format: str = 's16le', seconds: float = 0.1
) -> Iterator[AudioChunk]:
    """Raw interleaved samples, such as ``arecord``, ``ffmpeg`` and ``sox`` write to a pipe.

    Args:
        stream: Binary stream, such as ``sys.stdin.buffer``.
        num_channels: M.
        sample_rate: Hertz.
        pcm_format: Key of :data:`PCM_FORMATS`. Defaults to 's16le'.
        seconds: Length of a chunk. Defaults to 0.1.

    Raises:
        SampleError: The stream ends within a sample.
    """
    check_choice('pcm_chunks', 'pcm_format', pcm_format, PCM_FORMATS)
    check_positive('pcm_chunks', num_channels=num_channels, sample_rate=sample_rate, seconds=seconds)
    dtype, elements = PCM_FORMATS[pcm_format]
    frame = num_channels * elements * dtype.itemsize
    size = max(1, round(seconds * sample_rate)) * frame
    rest = b''
    # what there is, so that a pipe's last part does not wait for more
    read = getattr(stream, 'read1', stream.read)
    while data := read(size - len(rest)):
        rest += data
        if len(rest) < size:
            continue
        yield AudioChunk(decode_pcm(rest, num_channels, pcm_format), sample_rate, 0, time.perf_counter())
        rest = b''
    whole = len(rest) // frame * frame
    if whole:
        yield AudioChunk(
            decode_pcm(rest[:whole], num_channels, pcm_format), sample_rate, 0, time.perf_counter()
        )
    if whole < len(rest):
        raise SampleError(
            'standard input',
            f'ends within a sample of {num_channels} channels of {pcm_format}: check both',
        )


def decode_pcm(data: bytes, num_channels: int, pcm_format: str) -> np.ndarray:
    """Interleaved raw samples as (M, n) int16, or float32 in -1..1.

    Example:
        >>> decode_pcm(b'\\x00\\x00\\x40' + b'\\x00\\x00\\xc0', 2, 's24le').tolist()
        [[0.5], [-0.5]]
    """
    dtype, elements = PCM_FORMATS[pcm_format]
    values = np.frombuffer(data, dtype)
    if elements == 3:  # the three bytes are the upper ones of 32 bits
        wide = np.zeros((len(values) // 3, 4), np.uint8)
        wide[:, 1:] = values.reshape(-1, 3)
        values = wide.view('<i4')[:, 0]
    if values.dtype.itemsize == 4 and values.dtype.kind == 'i':
        values = (values / 2.0**31).astype(np.float32)
    return np.ascontiguousarray(values.reshape(-1, num_channels).T)


def _close(stream: Any) -> None:
    """Close a stream of PortAudio, which waits for ever, now and then, for a card that is gone."""
    closing = threading.Thread(target=stream.close, daemon=True)
    closing.start()
    closing.join(_CLOSING)


def sound_card_chunks(
    num_channels: int,
    sample_rate: int,
    device: int | str | None = None,
    seconds: float = 0.1,
    dtype: str = 'int16',
    most_seconds: float = 5.0,
) -> Iterator[AudioChunk]:
    """What a sound card records, by the package ``sounddevice``, until the iterator is closed.

    Args:
        num_channels: M.
        sample_rate: Hertz.
        device: Number or name of the device; ``python -m sounddevice`` lists them. Defaults to the system's.
        seconds: Length of a chunk. Defaults to 0.1.
        dtype: 'int16' or 'float32'. Defaults to 'int16'.
        most_seconds: What may wait to be read; of more, the oldest is left out and counted as ``lost``.
            Defaults to 5.

    Raises:
        SampleError: The card cannot be opened so, or has given nothing for some seconds.
        ImportError: sounddevice is missing.
        OSError: Its system library, PortAudio, is missing.
    """
    import sounddevice  # an optional dependency, which needs a system library

    check_choice('sound_card_chunks', 'dtype', dtype, ('int16', 'float32'))
    check_positive('sound_card_chunks', num_channels=num_channels, sample_rate=sample_rate, seconds=seconds)
    length = max(1, round(seconds * sample_rate))
    waiting: queue.Queue[tuple[np.ndarray, bool, float]] = queue.Queue(max(1, round(most_seconds / seconds)))
    left_out = 0

    def callback(samples: np.ndarray, frames: int, times: Any, status: Any) -> None:
        nonlocal left_out
        item = samples.T.copy(), bool(status.input_overflow), time.perf_counter()
        try:
            waiting.put_nowait(item)
        except queue.Full:
            dropped, _, _ = waiting.get_nowait()
            left_out += dropped.shape[1]
            waiting.put_nowait(item)

    options = dict(channels=num_channels, samplerate=sample_rate, blocksize=length, dtype=dtype)
    name = 'sound card' if device is None else f'sound card {device}'
    with ExitStack() as opened:
        try:
            stream = sounddevice.InputStream(device=device, callback=callback, **options)
            opened.callback(_close, stream)
            stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SampleError(name, str(error)) from error
        while True:
            try:
                samples, overflow, arrived = waiting.get(timeout=_SILENT_CARD + seconds)
            except queue.Empty:
                raise SampleError(name, f'has given nothing for {_SILENT_CARD} s: is it there?') from None
            # how much an overflow has lost is not told: at least a sample, so that it is an event
            lost, left_out = left_out + overflow, 0
            yield AudioChunk(samples, sample_rate, lost, arrived)
