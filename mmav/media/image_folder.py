"""A folder of images that stands for a video's images."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import mmcv
import numpy as np

from mmav.utils.errors import SampleError

from .suffixes import IMAGE_SUFFIXES, has_suffix


def list_pictures(folder: str | Path) -> list[Path]:
    """Pictures of a folder, in the order of the numbers in their names: 10.jpg comes after 9.jpg.

    Args:
        folder: The folder.

    Returns:
        At least one.

    Raises:
        SampleError: If there is no such folder, or no image in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SampleError(str(folder), 'there is no such folder of pictures')
    files = [file for file in folder.iterdir() if has_suffix(file, IMAGE_SUFFIXES)]
    if not files:
        raise SampleError(str(folder), f'the folder holds no images ({", ".join(IMAGE_SUFFIXES)})')
    return sorted(
        files, key=lambda file: [int(p) if p.isdigit() else p for p in re.split(r'(\d+)', file.stem)]
    )


def iter_picture_files(
    files: Sequence[Path], files_fps: float, fps: float, end: float
) -> Iterator[np.ndarray]:
    """Pictures of files at a steady rate, chosen as :func:`mmav.media.video.iter_video_frames` chooses them.

    Args:
        files: The images.
        files_fps: How many of them are a second.
        fps: Images a second to give.
        end: Seconds, itself left out; images stop earlier where the files do.

    Yields:
        (H, W, 3) of uint8, RGB; where an image is repeated, the same array again.

    Raises:
        SampleError: If a file cannot be read as an image.
    """
    now, shown = 0, -1
    while now / fps < end:
        index = math.floor(now / fps * files_fps + 1e-6)
        if index >= len(files):
            return
        if index != shown:
            shown, picture = index, mmcv.imread(str(files[index]))
            if picture is None:
                raise SampleError(str(files[index]), 'cannot be read as an image')
            picture = np.ascontiguousarray(picture[..., ::-1])
        yield picture
        now += 1
