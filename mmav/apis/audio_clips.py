"""From files, folders and arrays to clips of the length that a model takes.

C: microphones; L: samples of a recording; N: samples of a window.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import soxr
import torch

from mmav.datasets.transforms.load_visual_modalities import read_image
from mmav.media.audio_files import read_audio
from mmav.media.suffixes import ARRAY_SUFFIXES, AUDIO_SUFFIXES, files_with
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float

_SUFFIXES = (*AUDIO_SUFFIXES, *ARRAY_SUFFIXES)
# files of one microphone in MAVD: audio_<microphone>_<frame id>.<suffix>
_MICROPHONE_FILE = re.compile(r'audio_(\d+)_(.+)$')

Source = str | Path | np.ndarray | torch.Tensor


@dataclass
class AudioClip:
    """One recording of all microphones, not yet read.

    Attributes:
        name: What messages and files call it.
        sources: One path or array (C, L), or one path for each microphone.
        rate: Sample rate of arrays in hertz, if it came with them.
    """

    name: str
    sources: list
    rate: float | None = None

    def read(self, sample_rate: int, num_channels: int, array_rate: int | None = None) -> np.ndarray:
        """Read and resample the recording.

        Args:
            sample_rate: Rate to resample to, in hertz (by soxr).
            num_channels: Expected number of microphones.
            array_rate: Rate of arrays and of files that do not tell theirs (npy, pkl), in
                hertz. Defaults to ``sample_rate``.

        Returns:
            (C, L) of int16, or of float32 in -1..1.

        Raises:
            SampleError: The recording is missing, damaged, empty, holds NaN or another number of microphones.
        """
        own_rate = self.rate or array_rate or sample_rate
        parts = [self._read_source(source, own_rate, num_channels) for source in self.sources]
        waves, rates = zip(*parts)
        if len(set(rates)) > 1 or len({wave.shape[1] for wave in waves}) > 1:
            listed = ', '.join(
                f'{Path(str(source)).name}: {wave.shape[1]} samples at {rate} Hz'
                for source, wave, rate in zip(self.sources, waves, rates)
            )
            raise SampleError(self.name, f'the microphones differ in length or sample rate: {listed}')
        if len({wave.dtype for wave in waves}) > 1:
            waves = [as_float(wave) for wave in waves]
        wave, rate = np.concatenate(waves), rates[0]
        if len(wave) != num_channels:
            raise SampleError(
                self.name, f'{len(wave)} channels, but the model takes {num_channels} microphones'
            )
        if rate != sample_rate:
            wave = np.ascontiguousarray(soxr.resample(as_float(wave).T, rate, sample_rate).T)
        return wave

    def _read_source(self, source: Source, array_rate: float, num_channels: int) -> tuple[np.ndarray, float]:
        if isinstance(source, (str, Path)):
            audio = read_audio(str(source))
            # files of floats do not say what they hold: samples of all microphones lie in -1..1
            samples = len(audio.values) == num_channels and np.abs(audio.values).max() <= 1.5
            if audio.is_spectrogram and not samples:
                raise SampleError(str(source), 'holds a spectrogram; detection needs the waveform')
            return audio.values, audio.sample_rate or array_rate
        values = source.detach().cpu().numpy() if isinstance(source, torch.Tensor) else np.asarray(source)
        return check_samples(values, self.name, ndim=2), array_rate


def check_samples(values: np.ndarray, name: str, ndim: int) -> np.ndarray:
    """Check the samples of an array.

    Args:
        values: Samples of int16, or floats in -1..1.
        name: What messages call them.
        ndim: 1 for (L,), 2 for (C, L).

    Returns:
        The samples, of int16 or float32.

    Raises:
        SampleError: They are of another shape or type, or NaN, or too large.
    """
    if values.ndim != ndim or values.size == 0:
        shape = '(L,)' if ndim == 1 else '(C, L)'
        raise SampleError(name, f'an array must have the shape {shape}, got {values.shape}')
    if values.dtype.newbyteorder('=') == np.int16:
        return values.astype(np.int16, copy=False)
    if values.dtype.kind != 'f':
        raise SampleError(name, f'samples must be int16 or floating point, got {values.dtype}')
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise SampleError(name, 'the audio holds NaN or infinite values')
    if np.abs(values).max() > 1.5:
        raise SampleError(
            name,
            f'floating point samples must lie in -1..1, the largest is {np.abs(values).max():.3g}; '
            'divide 16-bit samples by 32768 or pass them as int16',
        )
    return values


def split_rate(value: Any, name: str) -> tuple[Any, float | None]:
    """Array and sample rate of a pair ``(wave, rate)``, as torchaudio and librosa give it.

    Args:
        value: The pair, or anything else.
        name: What messages call it.

    Returns:
        The array and its rate in hertz; or what was given and None.

    Raises:
        SampleError: The rate is no number above 0.
    """
    arrays = (np.ndarray, torch.Tensor)
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return value, None
    wave, rate = value
    if not isinstance(wave, arrays) or not (isinstance(rate, Real) or getattr(rate, 'ndim', None) == 0):
        return value, None
    if isinstance(rate, bool) or not 0 < float(rate) < float('inf'):
        raise SampleError(name, f'the sample rate must be a number of hertz above 0, got {rate!r}')
    return wave, float(rate)


def collect_clips(inputs: Source | Sequence, num_channels: int = 8) -> list[AudioClip]:
    """List the clips that the user's inputs name.

    Args:
        inputs: A file of all microphones; a folder of such files, or of MAVD's files
            ``audio_<microphone>_<id>``, or both; an array (C, L), or a pair of it and its sample rate in
            hertz, as torchaudio gives it; a list of any of these; or a list of one
            file for each microphone (files of one channel, as many as there are microphones).
        num_channels: Number of microphones. Defaults to 8.

    Returns:
        At least one.

    Raises:
        SampleError: A path does not exist, an array is empty, a folder holds no sound, or lacks files of a
            microphone.
        TypeError: Something else was given.
    """
    inputs, rate = split_rate(inputs, 'inputs')
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise SampleError('inputs', 'the list is empty')
        if _are_microphone_files(inputs, num_channels):
            return [AudioClip(f'{Path(inputs[0]).stem}..{Path(inputs[-1]).stem}', list(inputs))]
        clips = []
        for index, item in enumerate(inputs):
            split_rate(item, f'inputs[{index}]')  # names the item
            nested = collect_clips(item, num_channels)
            for clip in nested if not isinstance(item, (str, Path)) else ():
                clip.name = f'inputs[{index}]' if clip.name == 'array' else clip.name
            clips += nested
        return clips
    if isinstance(inputs, (np.ndarray, torch.Tensor)):
        if 0 in inputs.shape:
            raise SampleError('inputs', f'the array is empty, its shape is {tuple(inputs.shape)}')
        if inputs.ndim == 3:
            return [AudioClip(f'inputs[{index}]', [array], rate) for index, array in enumerate(inputs)]
        return [AudioClip('array', [inputs], rate)]
    if not isinstance(inputs, (str, Path)):
        raise TypeError(f'expected a path, an array or a list of them, got {type(inputs).__name__}')
    path = Path(inputs)
    if path.is_dir():
        return _folder_clips(path, num_channels)
    if not path.exists():
        raise SampleError(str(path), 'no such file or folder')
    return [AudioClip(path.name, [path])]


def _are_microphone_files(inputs: Sequence, num_channels: int) -> bool:
    if len(inputs) != num_channels or not all(isinstance(item, (str, Path)) for item in inputs):
        return False
    if any(Path(item).is_dir() or not Path(item).exists() for item in inputs):
        return False
    return all(len(read_audio(str(item)).values) == 1 for item in inputs)


def _folder_clips(folder: Path, num_channels: int) -> list[AudioClip]:
    groups: dict[str, dict[int, Path]] = defaultdict(dict)
    clips = []
    for path in files_with(folder, _SUFFIXES):
        match = _MICROPHONE_FILE.match(path.stem)
        if match is None:
            clips.append(AudioClip(path.name, [path]))
            continue
        microphone, frame = int(match[1]), match[2]
        if microphone in groups[frame]:
            raise SampleError(str(path), f'{groups[frame][microphone].name} is the same microphone and frame')
        groups[frame][microphone] = path
    for frame, files in groups.items():
        if sorted(files) != list(range(num_channels)):
            missing = sorted(set(range(num_channels)) - set(files))
            extra = sorted(set(files) - set(range(num_channels)))
            raise SampleError(
                f'{folder}/audio_*_{frame}', f'microphones missing: {missing}, beyond {num_channels}: {extra}'
            )
        clips.append(AudioClip(frame, [files[microphone] for microphone in range(num_channels)]))
    if not clips:
        raise SampleError(str(folder), f'the folder holds no sound files ({", ".join(_SUFFIXES)})')
    return clips


def windows(
    wave: np.ndarray, name: str, length: int, stride: int | None, sample_rate: int
) -> Iterator[tuple[float, np.ndarray]]:
    """Cut a recording into windows of the length that the model takes.

    Args:
        wave: (C, L).
        name: What messages call the recording.
        length: N, samples of a window.
        stride: Samples between the windows' starts. The last window ends with the recording,
            so that nothing is left out. None: the recording must be of one window's length.
        sample_rate: In hertz, for start times.

    Yields:
        Start in seconds and window (C, N).

    Raises:
        SampleError: The recording is shorter than a window, or longer although ``stride`` is None.
    """
    total = wave.shape[1]
    if total == length - 1:  # rounding of the resampler
        wave, total = np.pad(wave, ((0, 0), (0, 1))), length
    seconds = f'{total / sample_rate:.3f} s, the model takes {length / sample_rate:.3f} s'
    if total < length:
        raise SampleError(name, f'too short: {seconds}')
    if stride is None:
        if total > length + 1:
            raise SampleError(name, f'too long: {seconds}; give a stride to go through it in windows')
        stride = length
    starts = list(range(0, total - length + 1, stride))
    if starts[-1] + length < total - 1:
        starts.append(total - length)
    for start in starts:
        yield start / sample_rate, wave[:, start : start + length]


def read_camera_images(
    images: str | Path | np.ndarray | Sequence[str | Path | np.ndarray | None] | None, count: int
) -> list[np.ndarray | None]:
    """The camera image of each recording.

    Args:
        images: One file or RGB image (H, W, 3) for all recordings, one or None for each, or None.
        count: Number of recordings.

    Returns:
        RGB images (H, W, 3), None where there is none.

    Raises:
        ValueError: If there is another number of images than of recordings.
        SampleError: If a file is no whole image.
    """
    if images is None or isinstance(images, (str, Path, np.ndarray)):
        return [read_rgb(images)] * count
    if len(images) != count:
        raise ValueError(f'{len(images)} images for {count} recordings')
    return [read_rgb(image) for image in images]


def read_rgb(image: str | Path | np.ndarray | None) -> np.ndarray | None:
    """An image file as RGB (H, W, 3); arrays and None stay as they are."""
    if image is None or isinstance(image, np.ndarray):
        return image
    return cv2.cvtColor(read_image(str(image), flags=cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
