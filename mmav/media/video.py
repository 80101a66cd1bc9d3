"""Videos by PyAV: images at any rate, sound at any sample rate, and files of both.

Times are seconds from the file's start, which is the earliest of its streams. Shapes: n images; H, W their
height and width in pixels; L samples.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import soxr

from mmav.utils.errors import SampleError
from mmav.utils.storage import local_copy

# Containers round times, some to the millisecond: an image is shown from this much before its time.
_TOLERANCE = 1e-3

# Kinds of files that say how long each stream is, and seconds that rounding and padding may take from that.
_TELLING = ('mov,', 'matroska,', 'avi')
_MISSING = 0.07

# Seconds without sound that are taken as silence.
_LONGEST_GAP = 3600


class VideoInfo(NamedTuple):
    """What a file says of itself.

    Attributes:
        duration: Seconds, of the longest stream.
        fps: Mean images a second; None without images.
        size: Width and height in pixels as stored, not rotated; None without images.
        sample_rate: Of the sound, in hertz; None without sound.
    """

    duration: float
    fps: float | None
    size: tuple[int, int] | None
    sample_rate: int | None


def read_video_info(path: str | Path, backend_args: dict | None = None) -> VideoInfo:
    """Read what the header of a video or sound file tells.

    Raises:
        SampleError: If the file is missing or no video, or does not tell its duration.
    """
    with _open(path, backend_args) as container:
        if container.duration is None:
            raise SampleError(str(path), 'the file does not say how long it is: write it anew with ffmpeg')
        fps = size = sample_rate = None
        for stream in container.streams.video[:1]:
            fps, size = float(stream.average_rate or 0) or None, (stream.width, stream.height)
        for sound in container.streams.audio[:1]:
            sample_rate = sound.rate
        return VideoInfo(container.duration / av.time_base, fps, size, sample_rate)


def iter_video_frames(
    path: str | Path,
    fps: float,
    start: float = 0.0,
    end: float | None = None,
    backend_args: dict | None = None,
) -> Iterator[np.ndarray]:
    """Images (H, W, 3) uint8 RGB of a video at a steady rate, one after the other.

    Image k is what a player shows at ``start + k / fps``: the last image whose time is not later, or the
    first one where the video begins later. A rotation that the file asks for (phones) is applied. Where an
    image is repeated, it is the same array. ``end`` itself is left out; images stop earlier where the video
    does.

    Raises:
        ValueError: If ``fps`` is not above 0, or ``start`` negative or not before ``end`` (seconds).
        SampleError: If the file is missing or damaged, has no images, or ends before ``start``.
    """
    if not fps > 0 or start < 0 or (end is not None and end <= start):
        raise ValueError(f'bad fps {fps}, start {start} or end {end}')
    with _open(path, backend_args) as container:
        if not container.streams.video:
            raise SampleError(str(path), 'has no images')
        count = 0
        for frame, until in _shown_frames(container, start, str(path)):
            limit = until if end is None else min(until, end)
            image = None
            while start + count / fps + _TOLERANCE < limit:
                image = _to_rgb(frame) if image is None else image
                yield image
                count += 1
            if limit == end:
                break
        if not count:
            raise SampleError(str(path), f'its images end before {start} s')


def read_video_frames(
    path: str | Path,
    fps: float,
    start: float = 0.0,
    end: float | None = None,
    backend_args: dict | None = None,
) -> np.ndarray:
    """The images of :func:`iter_video_frames` as one array (n, H, W, 3), which needs more memory."""
    return np.stack(list(iter_video_frames(path, fps, start, end, backend_args)))


def read_video_audio(path: str | Path, sample_rate: int, backend_args: dict | None = None) -> np.ndarray:
    """The whole sound of a video or sound file as one channel (L,), float32 in -1..1 but for overshoot.

    Channels are averaged, then resampled by soxr. Sound that begins later than the file, or has a gap by its
    time stamps, has zeros there, and so stays with the images. SampleError if the file is missing or damaged,
    has no sound or an hour and more without, or holds NaN.
    """
    with _open(path, backend_args) as container:
        if not container.streams.audio:
            raise SampleError(str(path), 'has no sound')
        as_float = av.AudioResampler(format='fltp')
        parts: list[np.ndarray] = []
        rate = length = 0
        for frame in _decode(container, container.streams.audio[0], str(path)):
            rate = rate or frame.sample_rate
            if frame.sample_rate != rate:
                raise SampleError(str(path), f'changes its sample rate from {rate} to {frame.sample_rate} Hz')
            if frame.time is not None:
                gap = round((frame.time - _origin(container)) * rate) - length
                # time stamps are rounded, and wander by a packet or so without anything missing
                if gap > _LONGEST_GAP * rate:
                    raise SampleError(
                        str(path), f'is damaged: time stamps of its sound leap by {gap / rate:.0f} s'
                    )
                if gap > (frame.samples if parts else 0):
                    parts.append(np.zeros(gap, np.float32))
                    length += gap
            for part in as_float.resample(frame):
                parts.append(part.to_ndarray().mean(0))
                length += part.samples
    if not parts:
        raise SampleError(str(path), 'no sound of it can be decoded')
    wave = np.concatenate(parts)
    if not np.isfinite(wave).all():
        raise SampleError(str(path), 'the sound holds NaN or infinite values')
    return wave if rate == sample_rate else soxr.resample(wave, rate, sample_rate)


@contextmanager
def _open(path: str | Path, backend_args: dict | None) -> Iterator['av.container.InputContainer']:
    """Open for reading; whatever FFmpeg finds wrong is a SampleError of this file."""
    try:
        with local_copy(path, backend_args) as local, av.open(local) as container:
            yield container
    except FileNotFoundError:
        raise SampleError(str(path), 'the file is missing') from None
    except SampleError:
        raise
    # PyAV decodes names and counts times of a damaged file as they stand
    except (av.error.FFmpegError, OSError, ValueError, ArithmeticError) as error:
        raise SampleError(str(path), f'not a readable video, or a damaged one ({error})') from error


def _origin(container: 'av.container.InputContainer') -> float:
    return (container.start_time or 0) / av.time_base


def _decode(container: 'av.container.InputContainer', stream: 'av.stream.Stream', path: str) -> Iterator[Any]:
    """Frames of a stream; an error at the end of a file that was cut off, which FFmpeg takes for its end."""
    end, missing = 0.0, _MISSING
    length = 1 / float(stream.average_rate) if stream.type == 'video' and stream.average_rate else 0.0
    for packet in container.demux(stream):
        if packet.pts is not None:
            known = float(packet.duration * packet.time_base) if packet.duration else 0.0
            end = max(end, float(packet.pts * packet.time_base) + (known or length))
            # of images that tell how long they last, none may be missing
            missing = min(_MISSING, known / 2) if known and length else _MISSING
        yield from packet.decode()
    told = _told_end(container, stream)
    if told is not None and end < told - missing:
        raise SampleError(path, f'is truncated: its {stream.type} ends at {end:.2f} of {told:.2f} s')


def _told_end(container: 'av.container.InputContainer', stream: 'av.stream.Stream') -> float | None:
    """Time stamp at which a stream ends by what the file's header says; None where that is a guess."""
    if not container.format.name.startswith(_TELLING):
        return None
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    if 'DURATION' in stream.metadata:  # Matroska's, as FFmpeg writes it: the end, as 00:00:04.000000000
        hours, minutes, seconds = stream.metadata['DURATION'].split(':')
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    rate = getattr(stream, 'average_rate' if stream.type == 'video' else 'rate', None)
    if container.format.name == 'avi' and stream.frames and rate:
        return start + stream.frames / float(rate)  # its duration is of what is there
    if stream.duration and stream.time_base:
        return start + float(stream.duration * stream.time_base)
    return None


def _shown_frames(
    container: 'av.container.InputContainer', start: float, path: str
) -> Iterator[tuple['av.VideoFrame', float]]:
    """Images, each with the time at which the next one follows or, for the last, its own end."""
    stream, origin = container.streams.video[0], _origin(container)
    stream.thread_type = 'AUTO'
    if start:
        container.seek(round((start + origin) * av.time_base))
    frames = _decode(container, stream, path)
    shown = next(frames, None)
    if start and (shown is None or shown.time is None or shown.time - origin > start + _TOLERANCE):
        container.seek(
            round(origin * av.time_base)
        )  # its index leads past the start: decode from the beginning
        frames = _decode(container, stream, path)
        shown = next(frames, None)
    if shown is None:
        raise SampleError(path, 'no image of it can be decoded')
    for frame in frames:
        if (frame.width, frame.height) != (shown.width, shown.height):
            raise SampleError(
                path,
                f'its images change their size, from {shown.width} x {shown.height} to '
                f'{frame.width} x {frame.height}',
            )
        yield shown, _time(frame, path) - origin
        shown = frame
    length = (shown.duration or 0) * shown.time_base or 1 / (stream.average_rate or 25)
    yield shown, _time(shown, path) - origin + float(length)


def _time(frame: 'av.VideoFrame', path: str) -> float:
    if frame.time is None:
        raise SampleError(path, 'its images carry no times: put them into an mp4 with ffmpeg')
    return frame.time


def _to_rgb(frame: 'av.VideoFrame') -> np.ndarray:
    image = frame.to_ndarray(format='rgb24')
    turns = round(frame.rotation / 90) % 4  # counter-clockwise, as numpy turns
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
