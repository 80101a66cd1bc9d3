"""What goes to programs and viewers: JSON of results, and messages with images.

A message is four bytes (the length of the header, little endian), the header (JSON, UTF-8), and its parts one
after the other; ``parts`` of the header gives name and bytes of each.

Shapes: H and W height and width of an image, rows and columns of an acoustic image.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from mmav.utils.errors import SampleError
from mmav.visualization import track_color

NO_TRACK = '#c8ccd4'
"""Color of boxes without a track."""

Jpeg = tuple[int, bytes]
"""Number of a camera image, and its file."""


def plain(value: Any) -> Any:
    """What JSON can hold: NaN and infinite numbers become None.

    Example:
        >>> plain(dict(levels=[-float('inf'), -20.5]))
        {'levels': [None, -20.5]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def json_text(value: Any) -> str:
    """A result, or several, as JSON in one line."""
    return json.dumps(plain(value), allow_nan=False)


def box_color(track_id: int) -> str:
    """Color of a box by the number of its track.

    Example:
        >>> box_color(-1), box_color(1)
        ('#c8ccd4', '#4078ff')
    """
    if track_id < 0:
        return NO_TRACK
    blue, green, red = track_color(track_id)
    return f'#{red:02x}{green:02x}{blue:02x}'


def color_map() -> list[int]:
    """256 colors for values of 0 to 255, from dark to bright: red, green, blue of each."""
    colors = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_MAGMA)
    return colors[:, 0, ::-1].reshape(-1).tolist()


def jpeg_file(image: np.ndarray) -> bytes:
    """An image (H, W, 3) of uint8, BGR, as JPEG."""
    found, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not found:
        raise SampleError('camera', 'its image cannot be encoded')
    return data.tobytes()


class Message:
    """A result for viewers; it is encoded once, however many there are.

    Args:
        header: What is no image.
        image: Camera image, which viewers that have it are not sent again.
        acoustic: (rows, columns) uint8, the acoustic image.
        spectrogram: (columns, bands) uint8.
    """

    def __init__(
        self,
        header: Mapping[str, Any],
        image: Jpeg | None = None,
        acoustic: np.ndarray | None = None,
        spectrogram: np.ndarray | None = None,
    ) -> None:
        self.header = dict(header, image=None if image is None else image[0])
        self.image_number = self.header['image']
        self._image = image
        self._parts = []
        for name, values in dict(acoustic=acoustic, spectrogram=spectrogram).items():
            if values is not None:
                data = np.ascontiguousarray(values, np.uint8).tobytes()
                self._parts.append((dict(name=name, bytes=len(data), shape=list(values.shape)), data))

    @cached_property
    def with_image(self) -> bytes:
        """With the camera image."""
        if self._image is None:
            return self.without_image
        data = self._image[1]
        return self._pack([(dict(name='image', bytes=len(data)), data), *self._parts])

    @cached_property
    def without_image(self) -> bytes:
        """For those who have the camera image."""
        return self._pack(self._parts)

    def _pack(self, parts: list[tuple[dict[str, Any], bytes]]) -> bytes:
        header = json_text(dict(self.header, parts=[about for about, _ in parts])).encode()
        return b''.join([struct.pack('<I', len(header)), header, *(data for _, data in parts)])


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and parts of a message.

    Example:
        >>> header, parts = unpack(Message(dict(time=1.5), acoustic=np.ones((2, 2))).with_image)
        >>> header['time'], parts
        (1.5, {'acoustic': b'\\x01\\x01\\x01\\x01'})
    """
    (length,) = struct.unpack_from('<I', message)
    place = 4 + length
    header = json.loads(message[4:place])
    parts = {}
    for about in header['parts']:
        parts[about['name']] = message[place : place + about['bytes']]
        place += about['bytes']
    return header, parts
