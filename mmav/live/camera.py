"""The camera images below the boxes: files, or a camera that runs.

Shapes: H and W height and width of an image; all are of uint8, BGR.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from mmdet.structures import DetDataSample

from mmav.datasets.transforms.load_visual_modalities import read_image
from mmav.media.image_folder import list_images
from mmav.media.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES, has_suffix
from mmav.media.video import iter_video_frames
from mmav.utils.checks import check_positive
from mmav.utils.errors import SampleError
from mmav.visualization import crop_to_sample

MOST_PIXELS = 960
"""Width to which larger images are brought: they are for people to look at."""

Fit = Callable[[np.ndarray, str], np.ndarray]


def make_fit(image_size: tuple[int, int], crop: tuple[int, ...] | None) -> Fit:
    """A function that cuts and scales camera images (H, W, 3), of which messages say where they are from.

    Args:
        image_size: (width, height) that boxes refer to.
        crop: (x1, y1, x2, y2) of the whole camera image, or None.

    Returns:
        It gives images of ``image_size``, or of its shape and ``MOST_PIXELS`` wide where that is less.
        SampleError if an image is neither of the camera's size nor cropped.
    """
    width, height = image_size

    def fit(image: np.ndarray, source: str) -> np.ndarray:
        found = image.shape[1::-1]
        if found != (width, height):
            try:
                image = crop_to_sample(image, DetDataSample(metainfo=dict(crop=crop, img_path=source)))
            except ValueError as error:
                raise SampleError(source, str(error)) from error
        if image.shape[1::-1] != (width, height):
            raise SampleError(
                source,
                f'is of {found[0]} x {found[1]} pixels, but boxes refer to {width} x {height}: give the '
                "camera's image, or one that is cropped as the rig says",
            )
        if width > MOST_PIXELS:
            size = (MOST_PIXELS, max(1, round(height * MOST_PIXELS / width)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return image

    return fit


class Camera:
    """Base of the cameras; itself one without an image."""

    def image(self, when: float, clock: float) -> tuple[int, np.ndarray] | None:
        """The image of a time, which does not go backwards but where a recording begins anew.

        Args:
            when: Seconds of the recording.
            clock: The same as ``time.perf_counter()``, for a camera that runs.

        Returns:
            A number, the same for the same image, and the image (H, W, 3); None without one.
        """
        return None

    def close(self) -> None:
        """Release what it holds."""


class ImageFiles(Camera):
    """Image files at a steady rate; one file is a still image.

    Args:
        files: The files, in order.
        fit: See :func:`make_fit`.
        fps: Images a second. Defaults to 10.
        start: Seconds of the recording at the first image. Defaults to 0.

    Raises:
        SampleError: The first image cannot be used; :meth:`image` raises it for others.
    """

    def __init__(self, files: list[Path], fit: Fit, fps: float = 10.0, start: float = 0.0) -> None:
        check_positive('ImageFiles', fps=fps)
        self.files, self.fps, self.start = files, fps, start
        self._fit = fit
        self._shown = 0, self._read(0)

    def image(self, when: float, clock: float) -> tuple[int, np.ndarray]:
        """That of the time, the first or the last one where there is none."""
        number = math.floor((when - self.start) * self.fps + 1e-6)
        number = min(max(number, 0), len(self.files) - 1)
        if number != self._shown[0]:
            self._shown = number, self._read(number)
        return self._shown

    def _read(self, number: int) -> np.ndarray:
        path = str(self.files[number])
        return self._fit(read_image(path, flags=cv2.IMREAD_COLOR), path)


class VideoFile(Camera):
    """A video.

    Args:
        path: The file.
        fit: See :func:`make_fit`.
        fps: Images a second that are shown. Defaults to 10.
        start: Seconds of the recording at the video's beginning. Defaults to 0.

    Raises:
        SampleError: The file is no video, or its images are of another size; :meth:`image` raises it where
            it is damaged further on.
    """

    def __init__(self, path: Path, fit: Fit, fps: float = 10.0, start: float = 0.0) -> None:
        check_positive('VideoFile', fps=fps)
        self.path, self.fps, self.start = path, fps, start
        self._fit, self._place = fit, 0
        self._open()
        self._shown = 0, self._prepare(next(self._frames))

    def image(self, when: float, clock: float) -> tuple[int, np.ndarray]:
        """That of the time, the first or the last one where there is none."""
        wanted = max(math.floor((when - self.start) * self.fps + 1e-6), 0)
        if wanted < self._place:  # the recording has begun anew
            self._frames.close()
            self._open()
            self._shown = self._shown[0] + 1, self._prepare(next(self._frames))
        image = None
        while self._place < wanted:
            image = next(self._frames, image)
            self._place += 1
            if image is None:  # the video has ended
                self._place = wanted
        if image is not None:
            self._shown = self._shown[0] + 1, self._prepare(image)
        return self._shown

    def close(self) -> None:
        """Close the file."""
        self._frames.close()

    def _open(self) -> None:
        self._frames = cast('Generator[np.ndarray]', iter_video_frames(self.path, self.fps))
        self._place = 0

    def _prepare(self, image: np.ndarray) -> np.ndarray:
        return self._fit(np.ascontiguousarray(image[..., ::-1]), str(self.path))


class VideoDevice(Camera):
    """A camera that runs, by OpenCV; its images wait for the results of their time.

    Args:
        device: Number, or name such as ``/dev/video0``.
        fit: See :func:`make_fit`.
        fps: Most images a second. Defaults to 10.
        seconds: How long images wait. Defaults to 3.

    Raises:
        SampleError: The camera cannot be opened or gives no image, or one of another size;
            :meth:`image` raises it when it gives no more.
    """

    def __init__(self, device: str, fit: Fit, fps: float = 10.0, seconds: float = 3.0) -> None:
        check_positive('VideoDevice', fps=fps, seconds=seconds)
        self.device, self._fit, self._pause = device, fit, 0.8 / fps  # cameras are not on time
        self._capture = cv2.VideoCapture(int(device) if device.isdigit() else device)
        self._frames: deque[tuple[float, int, np.ndarray]] = deque(maxlen=round(fps * seconds * 1.25))
        self._failed: SampleError | None = None
        if not self._grab(0):
            self._capture.release()
            raise self._failed or SampleError(self._name, 'cannot be opened, or gives no image')
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='camera', daemon=True)
        self._thread.start()

    @property
    def _name(self) -> str:
        return f'camera {self.device}'

    def image(self, when: float, clock: float) -> tuple[int, np.ndarray]:
        """The newest that is not later than the clock, or the oldest that is there."""
        if self._failed is not None:
            raise self._failed
        frames = list(self._frames)
        earlier = [frame for frame in frames if frame[0] <= clock]
        _, number, image = earlier[-1] if earlier else frames[0]
        return number, image

    def close(self) -> None:
        """Stop the camera."""
        self._stop.set()
        self._thread.join(2)
        self._capture.release()

    def _run(self) -> None:
        number = 1
        while not self._stop.is_set():
            if not self._grab(number):
                self._failed = self._failed or SampleError(self._name, 'gives no more images')
                return
            number += 1

    def _grab(self, number: int) -> bool:
        """Take the next image, unless it comes too soon."""
        found, image = self._capture.read()
        clock = time.perf_counter()
        if not found:
            return False
        if self._frames and clock - self._frames[-1][0] < self._pause:
            return True
        try:
            self._frames.append((clock, number, self._fit(image, self._name)))
        except SampleError as error:
            self._failed = error
            return False
        return True


def open_camera(source: str | None, fit: Fit, fps: float = 10.0, start: float = 0.0) -> Camera:
    """The camera that a command line names.

    Args:
        source: Image file, folder of images, video, or V4L2 camera (``/dev/video0`` or its number).
            None: without an image.
        fit: See :func:`make_fit`.
        fps: Images a second of a folder; most images a second that are shown of others. Defaults to 10.
        start: Seconds of the recording at the first image of a folder or video. Defaults to 0.

    Raises:
        SampleError: There is no such thing, or its images are of another size than boxes refer to.
    """
    if source is None:
        return Camera()
    path = Path(source)
    if source.isdigit() or source.startswith('/dev/'):
        return VideoDevice(source, fit, fps)
    if path.is_dir():
        return ImageFiles(list_images(path), fit, fps, start)
    if has_suffix(path, IMAGE_SUFFIXES):
        return ImageFiles([path], fit)
    if has_suffix(path, VIDEO_SUFFIXES):
        return VideoFile(path, fit, fps, start)
    kinds = ', '.join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
    raise SampleError(source, f'is no camera: give a file ({kinds}), a folder of images, or /dev/video0')
