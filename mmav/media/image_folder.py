"""A folder of images that stands for a video's images."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import mmcv
import numpy as np

from mmav.utils.errors import SampleError

from .suffixes import IMAGE_SUFFIXES, files_with


def list_images(folder: str | Path) -> list[Path]:
    """Images of a folder, in the order of the numbers in their names: 10.jpg comes after 9.jpg.

    Raises:
        SampleError: If there is no such folder, or no image in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SampleError(str(folder), 'there is no such folder of images')
    files = files_with(folder, IMAGE_SUFFIXES)
    if not files:
        raise SampleError(str(folder), f'the folder holds no images ({", ".join(IMAGE_SUFFIXES)})')
    return sorted(
        files, key=lambda file: [int(p) if p.isdigit() else p for p in re.split(r'(\d+)', file.stem)]
    )


def iter_image_files(files: Sequence[Path], files_fps: float, fps: float, end: float) -> Iterator[np.ndarray]:
    """Images (H, W, 3) uint8 RGB of files at a steady rate, as :func:`iter_video_frames` gives them.

    ``files_fps`` of the files are a second, ``fps`` images a second are given, up to ``end`` seconds or the
    last file. Where an image is repeated, it is the same array. SampleError if a file is no image.
    """
    now, shown = 0, -1
    while now / fps < end:
        index = math.floor(now / fps * files_fps + 1e-6)
        if index >= len(files):
            return
        if index != shown:
            shown, image = index, mmcv.imread(str(files[index]))
            if image is None:
                raise SampleError(str(files[index]), 'cannot be read as an image')
            image = np.ascontiguousarray(image[..., ::-1])
        yield image
        now += 1
