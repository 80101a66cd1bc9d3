"""Reading of one sound file: waveform or decibel spectrogram.

Shapes: C channels, L samples, M mel bands, T spectrogram frames.
"""

import io
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from mmav.utils.errors import SampleError
from mmav.utils.readers import read_bytes
from mmav.utils.storage import local_copy

from .array_files import parse_npy
from .audio_containers import check_sound_length
from .numpy_pickle import load_numpy_pickle

_BLOCK = 1 << 22  # samples that are read at a time


class AudioArray(NamedTuple):
    """Content of a sound file.

    Attributes:
        values: (C, L) waveform, int16, or float32 in -1..1; or (M, T) decibel, float32.
        sample_rate: In hertz; None where the file does not say (npy, pkl).
        is_spectrogram: Whether ``values`` is a spectrogram.
    """

    values: np.ndarray
    sample_rate: int | None
    is_spectrogram: bool


def read_audio(path: str, backend_args: dict | None = None) -> AudioArray:
    """Read a whole sound file; its extension says how.

    wav, flac and mp3 go through libsndfile (16-bit files stay int16), npy through numpy without
    pickles, pkl through a restricted unpickler. A 2-d npy or pkl array of floats is a decibel
    spectrogram, one of int16 a waveform.

    Args:
        path: The file.
        backend_args: Of mmengine's file backends.

    Returns:
        Waveform (C, L) or spectrogram (M, T).

    Raises:
        SampleError: If the file is missing, empty, damaged, of an unknown type, or holds NaN.
    """
    data = read_bytes(path, backend_args)
    extension = path.rsplit('.', 1)[-1].lower()
    if extension in ('npy', 'pkl'):
        array = parse_npy(data, path) if extension == 'npy' else load_numpy_pickle(data, path)
        return _from_array(array, path)
    with _open(io.BytesIO(data), path) as file:
        _check_has_sound(file, path)
        return AudioArray(_read(file, path, len(file), may_end=True), file.samplerate, False)


def read_audio_segment(
    path: str, center: float, duration: float, backend_args: dict | None = None, pad: bool = False
) -> AudioArray:
    """Read a stretch of a long recording without reading the rest.

    Args:
        path: wav or flac file.
        center: Center of the stretch in seconds from the recording's start.
        duration: Its length in seconds.
        backend_args: Of mmengine's file backends. A remote recording is fetched whole.
        pad: Fill with zeros what lies outside the recording, instead of raising.

    Returns:
        Waveform (C, L) at the file's own sample rate.

    Raises:
        SampleError: If the file is missing or damaged, or the stretch lies outside of it.
    """
    try:
        with local_copy(path, backend_args) as local, _open(local, path) as file:
            length = round(duration * file.samplerate)
            start = round(center * file.samplerate) - length // 2
            stop = start + length
            before, after = max(-start, 0), max(stop - len(file), 0)
            if (before or after) and (not pad or before + after >= length):
                raise SampleError(
                    path,
                    f'the clip of {duration} s around {center:.3f} s sticks out of the recording of '
                    f'{len(file) / file.samplerate:.3f} s',
                )
            values = _read(file, path, length - before - after, start + before)
            if before or after:
                values = np.pad(values, ((0, 0), (before, after)))
            return AudioArray(values, file.samplerate, False)
    except OSError as error:
        raise SampleError(path, f'cannot be read ({error})') from error


def read_audio_blocks(path: str | Path, length: int) -> Iterator[AudioArray]:
    """Read a recording ``length`` samples at a time; the last block holds the rest.

    Args:
        path: wav, flac or mp3 file on this machine.
        length: Samples.

    Yields:
        Waveform (C, ``length``).

    Raises:
        SampleError: If the file is missing, empty or damaged, or holds NaN.
    """
    with _open(path, str(path)) as file:
        _check_has_sound(file, str(path))
        for place in range(0, len(file), length):
            count = min(length, len(file) - place)
            values = _read(file, str(path), count, may_end=place + count == len(file))
            yield AudioArray(values, file.samplerate, False)


def audio_length(path: str, backend_args: dict | None = None) -> tuple[int, int]:
    """Samples and sample rate (hertz) of a sound file from its header; SampleError if that cannot be read."""
    try:
        with local_copy(path, backend_args) as local, _open(local, path) as file:
            return len(file), file.samplerate
    except OSError as error:
        raise SampleError(path, f'cannot be read ({error})') from error


def _open(file: str | Path | BinaryIO, path: str) -> soundfile.SoundFile:
    if isinstance(file, (str, Path)):
        if not Path(file).is_file():
            raise SampleError(path, 'the file is missing')
        with open(file, 'rb') as header:
            check_sound_length(header, path)
    else:
        check_sound_length(file, path)
    try:
        return soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise SampleError(path, f'not a readable sound file ({error.error_string})') from error


def _check_has_sound(file: soundfile.SoundFile, path: str) -> None:
    if not len(file):
        raise SampleError(path, 'the file holds no sound: it is empty, or was cut off within its header')


def _read(
    file: soundfile.SoundFile, path: str, length: int, start: int = 0, may_end: bool = False
) -> np.ndarray:
    """(C, length); of a file that only guesses its length less, if it ``may_end`` there."""
    dtype = 'int16' if file.subtype in ('PCM_16', 'PCM_S8', 'PCM_U8') else 'float32'
    try:
        if start:
            file.seek(start)
        values = _read_blocks(file, length, dtype)
    except soundfile.LibsndfileError as error:
        raise SampleError(path, f'damaged sound file ({error.error_string})') from error
    if len(values) != length and not (may_end and _length_is_a_guess(file)):
        raise SampleError(path, f'truncated: {len(values)} of {length} samples could be read')
    if dtype == 'float32':
        _check_float(values, path, is_spectrogram=False)
    return np.ascontiguousarray(values.T)


def _read_blocks(file: soundfile.SoundFile, length: int, dtype: str) -> np.ndarray:
    """(L, C) of at most ``length`` samples; memory for what is there, not for what the header says."""
    blocks: list[np.ndarray] = []
    while length > 0:
        wanted = min(length, _BLOCK)
        blocks.append(file.read(wanted, dtype=dtype, always_2d=True))
        length -= wanted
        if len(blocks[-1]) < wanted:
            break
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks or [np.empty((0, file.channels), dtype)])


def _length_is_a_guess(file: soundfile.SoundFile) -> bool:
    """Whether a file says nowhere how long it is: MP3 without the header of Xing or LAME."""
    if file.format != 'MP3':
        return False
    with nullcontext(file.name) if hasattr(file.name, 'read') else open(file.name, 'rb') as raw:
        place = raw.tell()
        raw.seek(0)
        start = raw.read(10)
        if start.startswith(b'ID3'):  # tags first; their length has 7 bits a byte
            raw.seek(10 + sum((byte & 127) << shift for byte, shift in zip(start[6:], (21, 14, 7, 0))))
        frame = start + raw.read(4096)
        raw.seek(place)
    return b'Xing' not in frame and b'Info' not in frame


def _check_float(values: np.ndarray, path: str, is_spectrogram: bool) -> None:
    if not np.isfinite(values).all():
        raise SampleError(path, 'the sound holds NaN or infinite values')
    # A loud float recording may exceed 1 somewhat; integers stored as floats exceed it by thousands.
    if not is_spectrogram and values.size and np.abs(values).max() > 100:
        raise SampleError(
            path, f'float samples up to {np.abs(values).max():.0f}, expected -1..1: rescale them'
        )


def _from_array(array: np.ndarray, path: str) -> AudioArray:
    if array.ndim not in (1, 2) or array.size == 0:
        raise SampleError(
            path, f'expected a waveform (L,) or (C, L) or a spectrogram (M, T), got {array.shape}'
        )
    if array.dtype.kind == 'f':
        array = array.astype(np.float32, copy=False)
        _check_float(array, path, is_spectrogram=array.ndim == 2)
    elif array.dtype.newbyteorder('=') != np.int16:
        raise SampleError(path, f'expected int16 or float samples or float decibel, got {array.dtype}')
    else:
        array = np.ascontiguousarray(array, np.int16)
    return AudioArray(np.atleast_2d(array), None, array.ndim == 2 and array.dtype != np.int16)
