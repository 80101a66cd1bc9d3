"""Suffixes of files, in lower case, that can be read."""

from collections.abc import Collection
from pathlib import PurePath

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
