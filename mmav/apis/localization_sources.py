"""From images and audio, or videos, to the pairs that a sound localizer takes.

H, W: height and width of an image in pixels; L: samples of a recording; N: samples of the model's input.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from mmav.media.suffixes import VIDEO_SUFFIXES, has_suffix
from mmav.media.video import iter_video_frames, read_video_audio
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float

from ..datasets.transforms import LoadAudioSegment
from .audio_clips import check_samples, read_rgb, split_rate

Source = str | Path | Mapping


@dataclass
class ImageAudioPair:
    """An image and the audio that goes with it.

    Attributes:
        name: What messages and files call it.
        image: (H, W, 3) of uint8, RGB.
        audio: (N,) float32, N samples, as many as the model takes.
        time: Time of a video's image, in seconds from its start; None for a pair.
        fps: Images of the video that are taken a second; None for a pair.
        recording: Whole audio of the video, (L,) float32; None for a pair.
    """

    name: str
    image: np.ndarray
    audio: np.ndarray
    time: float | None = None
    fps: float | None = None
    recording: np.ndarray | None = None


def check_source(source: Source, number: int) -> None:
    """Check an input of a user.

    Args:
        source: A video's path, or a dict of ``image`` and ``audio``.
        number: What messages call it.

    Raises:
        SampleError: Naming a file that is no video.
        TypeError: For anything else.
    """
    if isinstance(source, Mapping):
        if set(source) - {'sample_rate'} != {'image', 'audio'}:
            raise TypeError(
                f'inputs[{number}] has the keys {sorted(source)}, expected image, audio and, for audio '
                'that is an array, sample_rate'
            )
    elif not isinstance(source, (str, Path)):
        raise TypeError(
            f"inputs[{number}] is a {type(source).__name__}, expected a video's path or "
            'dict(image=..., audio=...)'
        )
    elif not is_video(source):
        raise SampleError(
            str(source),
            f'is no video ({", ".join(VIDEO_SUFFIXES)}); give an image and its sound as '
            'dict(image=..., audio=...)',
        )


def is_video(source: Source) -> bool:
    """Whether an input is a video, by its extension."""
    return isinstance(source, (str, Path)) and has_suffix(source, VIDEO_SUFFIXES)


def read_pair(source: Mapping, number: int, loader: LoadAudioSegment) -> ImageAudioPair:
    """Read an image and its audio.

    Args:
        source: ``image``: a path, or an array (H, W, 3) of uint8, RGB. ``audio``: the path of an
            audio or video file, or an array (L,) of int16 or of floats in -1..1, with ``sample_rate`` in
            hertz if it is not the model's; or a pair of an array, (L,) or (C, L), and its rate.
        number: What messages call the input.
        loader: Knows sample rate and length of the model's input.

    Returns:
        The pair, with the middle of the audio.

    Raises:
        SampleError: Naming what cannot be used, and why.
    """
    image, audio = source['image'], source['audio']
    name = Path(image).name if isinstance(image, (str, Path)) else f'inputs[{number}]'
    image = np.asarray(read_rgb(image))
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise SampleError(name, f'an image must be (H, W, 3) of uint8, got {image.shape} {image.dtype}')
    if isinstance(audio, (str, Path)) and not is_video(audio):
        return ImageAudioPair(name, image, loader.load(str(audio)))
    if isinstance(audio, (str, Path)):
        wave = read_video_audio(audio, loader.sample_rate)
    else:
        what = f'audio of inputs[{number}]'
        audio, own_rate = split_rate(audio, what)
        wave = np.asarray(audio)
        has_channels = own_rate is not None and wave.ndim == 2
        wave = as_float(check_samples(wave, what, ndim=2 if has_channels else 1))
        wave = wave.mean(0) if has_channels else wave  # as files of several channels
        rate = own_rate or source.get('sample_rate') or loader.sample_rate
        wave = wave if rate == loader.sample_rate else soxr.resample(wave, rate, loader.sample_rate)
    return ImageAudioPair(name, image, audio_around(wave, len(wave) / 2, loader.num_samples))


def video_pairs(path: str | Path, fps: float, loader: LoadAudioSegment) -> Iterator[ImageAudioPair]:
    """Images of a video, each with the audio around it.

    Args:
        path: The video.
        fps: Images a second.
        loader: Knows sample rate and length of the model's input.

    Yields:
        One after the other; at both ends of the video the audio is its first or last window.

    Raises:
        SampleError: Naming the video, if it is damaged or has no audio.
    """
    wave = read_video_audio(path, loader.sample_rate)
    for index, image in enumerate(iter_video_frames(path, fps)):
        time = index / fps
        audio = audio_around(wave, time * loader.sample_rate, loader.num_samples)
        yield ImageAudioPair(Path(path).name, image, audio, time, fps, wave)


def audio_around(wave: np.ndarray, center: float, length: int) -> np.ndarray:
    """The window of a recording around a place, moved inward where it would stick out; short ones repeat.

    Args:
        wave: (L,), L > 0.
        center: Middle of the window, in samples.
        length: N, samples of the window.

    Returns:
        (N,) float32.
    """
    start = min(max(int(center - length / 2), 0), max(len(wave) - length, 0))
    return np.resize(wave[start : start + length], length).astype(np.float32, copy=False)
