"""Suffixes of files, in lower case, that can be read."""

from collections.abc import Collection
from pathlib import Path, PurePath

AUDIO_SUFFIXES = ('.wav', '.flac', '.mp3', '.ogg')
"""Files of audio, as soundfile reads them."""

ARRAY_SUFFIXES = ('.npy', '.pkl')
"""Files of arrays: NumPy's, and pickles of one array, which are parsed and not run."""

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
"""Files of images, as OpenCV reads them."""

VIDEO_SUFFIXES = ('.mp4', '.mkv', '.webm', '.avi', '.mov')
"""Files of videos, as FFmpeg reads them."""


def has_suffix(path: str | PurePath, suffixes: Collection[str]) -> bool:
    """Whether a file name ends in one of the suffixes (in lower case, with their dot), in any case.

    Example:
        >>> has_suffix('street.WAV', AUDIO_SUFFIXES)
        True
    """
    return PurePath(path).suffix.lower() in suffixes


def files_with(folder: str | Path, suffixes: Collection[str]) -> list[Path]:
    """Files of a folder that end in one of the suffixes, in any case, sorted.

    Names that begin with a dot are none: macOS writes ``._x.wav`` beside ``x.wav``, and temporary files have
    such names.

    Args:
        folder: The folder.
        suffixes: In lower case, with their dot.
    """
    return sorted(
        path
        for path in Path(folder).iterdir()
        if has_suffix(path, suffixes) and not path.name.startswith('.') and path.is_file()
    )
