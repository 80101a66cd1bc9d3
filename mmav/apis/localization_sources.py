"""From what a user has - images and sounds, or videos - to the pairs that a sound localizer takes.

H, W: height and width of an image in pixels; L: samples of a recording.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soxr

from mmav.media.suffixes import VIDEO_SUFFIXES, has_suffix
from mmav.media.video import iter_video_frames, read_video_audio
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float

from ..datasets.transforms import LoadAudioSegment
from ..datasets.transforms.load_visual_modalities import read_image

Source = str | Path | Mapping


@dataclass
class Shot:
    """An image and the sound that goes with it.

    Attributes:
        source: Number of the input it is from.
        name: What messages and files call it.
        image: (H, W, 3) of uint8, RGB.
        audio: (L,) float32, as long as the model hears.
        time: Of a video's image, in seconds from its start; None for a pair.
    """

    source: int
    name: str
    image: np.ndarray
    audio: np.ndarray
    time: float | None = None


def list_sources(inputs: Source | Sequence[Source]) -> list[Source]:
    """Check what a user gave.

    Args:
        inputs: A video's path; a dict of ``image`` and ``audio``; or a list of these.

    Returns:
        At least one path or dict.

    Raises:
        SampleError: Naming a file that is missing or no video, or a list that is empty.
        TypeError: For anything else.
    """
    sources = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    if not sources:
        raise SampleError('inputs', 'the list is empty')
    for number, source in enumerate(sources):
        if isinstance(source, Mapping):
            if set(source) - {'sample_rate'} != {'image', 'audio'}:
                raise TypeError(
                    f'inputs[{number}] has the keys {sorted(source)}, expected image, audio and, for a sound '
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
    return sources


def is_video(source: Source) -> bool:
    """Whether an input is a video, by its extension."""
    return isinstance(source, (str, Path)) and has_suffix(source, VIDEO_SUFFIXES)


def pair_shot(source: Mapping, number: int, loader: LoadAudioSegment) -> Shot:
    """Read an image and its sound.

    Args:
        source: ``image``: a path, or an array (H, W, 3) of uint8, RGB. ``audio``: the path of a
            sound or video file, or an array (L,) of int16 or of floats in -1..1, with ``sample_rate`` in
            hertz if it is not the model's.
        number: Of the input.
        loader: Knows rate and length of what the model hears.

    Returns:
        With the middle of the sound.

    Raises:
        SampleError: Naming what cannot be used, and why.
    """
    image, audio = source['image'], source['audio']
    name = Path(image).name if isinstance(image, (str, Path)) else f'inputs[{number}]'
    if isinstance(image, (str, Path)):
        image = cv2.cvtColor(read_image(str(image), flags=cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise SampleError(name, f'an image must be (H, W, 3) of uint8, got {image.shape} {image.dtype}')
    if isinstance(audio, (str, Path)) and not is_video(audio):
        return Shot(number, name, image, loader.load(str(audio)))
    if isinstance(audio, (str, Path)):
        wave = read_video_audio(audio, loader.sample_rate)
    else:
        wave = _checked_wave(np.asarray(audio), f'audio of inputs[{number}]')
        rate = source.get('sample_rate') or loader.sample_rate
        wave = wave if rate == loader.sample_rate else soxr.resample(wave, rate, loader.sample_rate)
    return Shot(number, name, image, sound_around(wave, len(wave) / 2, loader.num_samples))


def video_shots(
    path: str | Path, number: int, wave: np.ndarray, fps: float, loader: LoadAudioSegment
) -> Iterator[Shot]:
    """Pictures of a video, each with the sound around it.

    Args:
        path: The video.
        number: Of the input.
        wave: (L,) its sound at the model's rate.
        fps: Images a second.
        loader: Knows rate and length of what the model hears.

    Yields:
        One after the other; at both ends of the video the sound is the first or last stretch of it.

    Raises:
        SampleError: Naming the video, if it is damaged.
    """
    for index, image in enumerate(iter_video_frames(path, fps)):
        time = index / fps
        audio = sound_around(wave, time * loader.sample_rate, loader.num_samples)
        yield Shot(number, Path(path).name, image, audio, time)


def sound_around(wave: np.ndarray, center: float, length: int) -> np.ndarray:
    """The stretch of a recording around a place, moved inward where it would stick out; short ones repeat.

    Args:
        wave: (L,), L > 0.
        center: In samples.
        length: Samples to give.

    Returns:
        (length,) float32.
    """
    start = min(max(int(center - length / 2), 0), max(len(wave) - length, 0))
    return np.resize(wave[start : start + length], length).astype(np.float32, copy=False)


def _checked_wave(wave: np.ndarray, name: str) -> np.ndarray:
    if wave.ndim != 1 or not wave.size or (wave.dtype != np.int16 and wave.dtype.kind != 'f'):
        raise SampleError(name, f'must be (L,) of int16 or floats, got {wave.shape} of {wave.dtype}')
    wave = as_float(wave)
    if not np.isfinite(wave).all() or np.abs(wave).max() > 1.5:
        raise SampleError(
            name, 'floats must be finite and lie in -1..1: divide 16-bit samples by 32768 or pass int16'
        )
    return wave
