"""Videos written by PyAV: images and audio, H.264 and AAC, whole or not at all.

Shapes: H, W height and width of the images, L audio samples.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from mmav.utils.fileio import whole_file


class VideoWriter:
    """A video that is written image by image; a context manager.

    The file is there when the context ends without an error, if any image was written. The codec needs even
    sizes: the last column or row of images with an odd one is repeated.

    Args:
        path: File to write, .mp4, .mkv or .mov; its folder is made if missing.
        fps: Images a second.
        audio: (L,) of float in -1..1; need not end with the images.
        sample_rate: Of ``audio``, in hertz; one that AAC knows, such as 16000, 22050, 44100.
        crf: Quality, 0 (lossless but for color) to 51.
        pixel_format: Order of the colors: 'bgr24', as OpenCV has it, or 'rgb24'.

    Raises:
        ValueError: If audio comes without a sample rate or has another shape; in use, for an image of another
            size or type.
        av.error.FFmpegError: In use, if a codec refuses the settings, or the disk is full.

    Example:
        >>> with VideoWriter('out/gray.mp4', fps=10) as video:
        ...     for value in range(0, 250, 10):
        ...         video.write(np.full((64, 96, 3), value, np.uint8))
    """

    def __init__(
        self,
        path: str | Path,
        fps: float,
        audio: np.ndarray | None = None,
        sample_rate: int | None = None,
        crf: int = 18,
        pixel_format: str = 'bgr24',
    ) -> None:
        if audio is not None and (np.ndim(audio) != 1 or not sample_rate):
            raise ValueError(
                f'{path}: audio must be (L,) with a sample rate, got {np.shape(audio)}, {sample_rate}'
            )
        self.path = Path(path)
        self.fps = fps
        self.audio = audio
        self.sample_rate = sample_rate
        self.crf = crf
        self.pixel_format = pixel_format
        self._files = ExitStack()
        self._shape: tuple[int, ...] | None = None
        self._images = self._samples = 0  # written

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, *error: Any) -> bool | None:
        try:
            if error[0] is None and self._shape is not None:
                self._finish()
        except BaseException as failed:
            self._files.__exit__(type(failed), failed, failed.__traceback__)
            raise
        return self._files.__exit__(*error)

    def write(self, image: np.ndarray) -> None:
        """Append an image (H, W, 3) of uint8."""
        image = np.asarray(image)
        shape = self._shape or image.shape
        if image.shape != shape or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f'{self.path}: images must be (H, W, 3) of uint8 and of one size, got {image.shape} '
                f'{image.dtype} after {shape}'
            )
        if self._shape is None:
            self._shape = shape
            self._open(*shape[:2])
        height, width = shape[:2]
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge')
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=self.pixel_format)
        self._container.mux(self._video.encode(frame))
        self._images += 1
        if self.audio is not None:  # that of each image after it, so that players need not seek
            self._write_audio(self.audio[: round(self._images * self._sound.rate / self.fps)])

    def _open(self, height: int, width: int) -> None:
        temporary = self._files.enter_context(whole_file(self.path, flush=False, keep_suffix=True))
        self._container = self._files.enter_context(av.open(str(temporary), 'w'))
        rate = Fraction(self.fps).limit_denominator(100_000)
        self._video = self._container.add_stream('libx264', rate, options={'crf': str(self.crf)})
        self._video.pix_fmt = 'yuv420p'
        self._video.width, self._video.height = width + width % 2, height + height % 2
        if self.audio is not None:
            self._sound = self._container.add_stream('aac', self.sample_rate, layout='mono')

    def _write_audio(self, audio: np.ndarray) -> None:
        """Encode the samples that were not yet; ``audio`` holds all up to the last one of them."""
        samples = np.asarray(audio[self._samples :], np.float32)[None]
        if not samples.size:
            return
        frame = av.AudioFrame.from_ndarray(samples, format='fltp', layout='mono')
        frame.sample_rate, frame.pts = self._sound.rate, self._samples
        frame.time_base = Fraction(1, self._sound.rate)
        self._container.mux(self._sound.encode(frame))
        self._samples += samples.shape[1]

    def _finish(self) -> None:
        self._container.mux(self._video.encode())
        if self.audio is not None:
            self._write_audio(self.audio)
            self._container.mux(self._sound.encode())


def write_video(
    path: str | Path,
    images: Iterable[np.ndarray],
    fps: float,
    audio: np.ndarray | None = None,
    sample_rate: int | None = None,
    crf: int = 18,
) -> None:
    """Write RGB images and audio to a video; see :class:`VideoWriter`.

    Args:
        path: File to write.
        images: (H, W, 3) of uint8, RGB, all of one size.
        fps: Images a second.
        audio: (L,) of float in -1..1.
        sample_rate: Of ``audio``, in hertz.
        crf: Quality, 0 to 51.

    Raises:
        ValueError: If there is no image, or as :class:`VideoWriter` does.
        av.error.FFmpegError: If a codec refuses the settings, or the disk is full.
    """
    count = 0
    with VideoWriter(path, fps, audio, sample_rate, crf, pixel_format='rgb24') as video:
        for image in images:
            video.write(image)
            count += 1
    if not count:
        raise ValueError(f'{path}: no image to write')
