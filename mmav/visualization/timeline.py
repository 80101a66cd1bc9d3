"""Images of what happens when in a video: events, values and maps of its seconds, one below the other.

Shapes: T segments, H height and W width of an image in pixels, h and w of a map.
"""

import colorsys
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

LEFT, RIGHT, TOP, GAP, AXIS = 130, 8, 8, 6, 18  # pixels
_ROW = 22
_VALUES = 36
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
_INK, _GRID, _BAR = (40, 40, 40), (225, 225, 225), (84, 120, 168)
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18000, 36000)


def event_color(label: str) -> tuple[int, int, int]:
    """Color of a class, RGB, the same in every image; dark enough for white letters."""
    hue = zlib.crc32(label.encode()) % 997 / 997
    red, green, blue = colorsys.hls_to_rgb(hue, 0.38, 0.55)
    return round(255 * red), round(255 * green), round(255 * blue)


class EventBand:
    """Events, in rows where they overlap.

    Args:
        name: Written on the left.
        events: (onset, offset, label) each, seconds.

    Raises:
        ValueError: If an event does not end after its start, or starts before 0.
    """

    def __init__(self, name: str, events: Sequence[tuple[float, float, str]]) -> None:
        for onset, offset, label in events:
            if not 0 <= onset < offset:
                raise ValueError(f'{name}: {label} from {onset} to {offset} s')
        self.name = name
        self.rows: list[list[tuple[float, float, str]]] = []
        for event in sorted(events):
            free = (row for row in self.rows if row[-1][1] <= event[0])
            row = next(free, None)
            if row is None:
                self.rows.append(row := [])
            row.append(event)

    def height(self, width: float) -> int:
        """Pixels."""
        return _ROW * max(1, len(self.rows))

    def draw(self, image: np.ndarray, top: int, duration: float) -> None:
        """Draw into an image, below ``top``."""
        for number, row in enumerate(self.rows):
            y = top + _ROW * number
            for onset, offset, label in row:
                if offset > duration + 1e-6:
                    raise ValueError(f'{self.name}: {label} ends at {offset} s, the axis at {duration} s')
                x1, x2 = (_x(image, second, duration) for second in (onset, offset))
                cv2.rectangle(image, (x1 + 1, y + 1), (x2 - 1, y + _ROW - 2), event_color(label), -1)
                _write(image, label, (x1 + 4, y + 14), (255, 255, 255), x2 - x1 - 6)


class ValueBand:
    """A bar for each segment.

    Args:
        name: Written on the left.
        values: (T,), 0..1.

    Raises:
        ValueError: If values are out of 0..1, NaN, or none.
    """

    def __init__(self, name: str, values: Sequence[float]) -> None:
        self.name, self.values = name, np.asarray(values, dtype=float)
        within = (self.values >= 0) & (self.values <= 1)
        if self.values.ndim != 1 or not len(self.values) or not within.all():
            raise ValueError(f'{name}: values must lie in 0..1, (segments,)')

    def height(self, width: float) -> int:
        """Pixels."""
        return _VALUES

    def draw(self, image: np.ndarray, top: int, duration: float) -> None:
        """Draw into an image, below ``top``."""
        edges = np.linspace(0, duration, len(self.values) + 1)
        for value, start, end in zip(self.values, edges, edges[1:]):
            bar = round(value * _VALUES)
            x1, x2 = (_x(image, second, duration) for second in (start, end))
            image[top + _VALUES - bar : top + _VALUES, x1 : max(x2 - 1, x1 + 1)] = _BAR


class MapBand:
    """A map of each segment, dark where it is great.

    Args:
        name: Written on the left.
        maps: (T, h, w), 0 or more; each is scaled to its own greatest value.

    Raises:
        ValueError: If maps have another shape, are negative or NaN.
    """

    def __init__(self, name: str, maps: np.ndarray) -> None:
        self.name, self.maps = name, np.asarray(maps, dtype=float)
        if self.maps.ndim != 3 or not self.maps.size or not (self.maps >= 0).all():
            raise ValueError(f'{name}: maps must be (segments, height, width), 0 or more')

    def height(self, width: float) -> int:
        """Pixels."""
        rows, columns = self.maps.shape[1:]
        return int(np.clip((width / len(self.maps) - 2) * rows / columns, 4, 160))

    def draw(self, image: np.ndarray, top: int, duration: float) -> None:
        """Draw into an image, below ``top``."""
        edges = np.linspace(0, duration, len(self.maps) + 1)
        height = self.height(image.shape[1] - LEFT - RIGHT)
        for values, start, end in zip(self.maps, edges, edges[1:]):
            x1, x2 = (_x(image, second, duration) for second in (start, end))
            gray = 255 * (1 - values / max(values.max(), 1e-12))
            size = (max(x2 - x1 - 2, 1), height)
            tile = cv2.resize(gray.round().astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            image[top : top + height, x1 : x1 + size[0]] = tile[..., None]


Band = EventBand | ValueBand | MapBand


def draw_timeline(bands: Sequence[Band], duration: float, width: int = 720) -> np.ndarray:
    """Draw bands over a common axis of time.

    Args:
        bands: From top to bottom.
        duration: Length of the axis in seconds.
        width: W.

    Returns:
        (H, W, 3) uint8, RGB; H as the bands need.

    Raises:
        ValueError: If there are no bands, ``duration`` is not above 0, ``width`` leaves too little space, or
            an event ends after ``duration``.
    """
    if not bands or not duration > 0:
        raise ValueError(f'a timeline needs bands and seconds, got {len(bands)} and {duration}')
    available = width - LEFT - RIGHT
    if available < 100:
        raise ValueError(f'{width} pixels leave too little for the bands, {LEFT + RIGHT + 100} are needed')
    heights = [band.height(available) for band in bands]
    image = np.full((TOP + sum(heights) + GAP * len(bands) + AXIS, width, 3), 255, np.uint8)
    _draw_axis(image, duration)
    top = TOP
    for band, height in zip(bands, heights):
        _write(image, band.name, (6, top + 14), _INK, LEFT - 10)
        band.draw(image, top, duration)
        top += height + GAP
    return image


def _x(image: np.ndarray, second: float, duration: float) -> int:
    return round(LEFT + second * (image.shape[1] - LEFT - RIGHT) / duration)


def _draw_axis(image: np.ndarray, duration: float) -> None:
    bottom = len(image) - AXIS
    step = next((step for step in _STEPS if duration / step <= 12), duration / 12)
    for second in np.arange(0, duration + 1e-6, step).tolist():
        x = _x(image, second, duration)
        cv2.line(image, (x, TOP), (x, bottom), _GRID)
        text = f'{second:g}'
        half = cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0] // 2
        _write(image, text, (min(x - half, image.shape[1] - 2 * half - 1), bottom + 13), _INK, LEFT)
    _write(image, 'seconds', (6, bottom + 13), _INK, LEFT - 10)


def _write(
    image: np.ndarray, text: str, place: tuple[int, int], color: tuple[int, int, int], available: int
) -> None:
    """Write as much of a text as fits."""
    while text and cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0] > available:
        text = text[:-1]
    cv2.putText(image, text, place, _FONT, _FONT_SCALE, color, 1, cv2.LINE_AA)
