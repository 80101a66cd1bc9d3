"""Pictures of events in time: the truth and what was found, one below the other.

Letters: H height, W width of the picture in pixels.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ..utils.event_runs import Event

_LANE, _GAP, _TOP, _BOTTOM = 22, 12, 8, 26  # pixels
_FONT, _FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
_INK, _GRID, _PAPER = (40, 40, 40), (222, 222, 222), (255, 255, 255)
# Colours that differ to most eyes, from Okabe and Ito's set and darker companions.
_COLOURS = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (160, 110, 0),
    (117, 112, 179),
    (120, 120, 120),
)


def draw_timeline(
    rows: Mapping[str, Sequence[Event]], duration: float, width: int = 900, label_width: int = 170
) -> np.ndarray:
    """Draw rows of events over a common axis of time.

    Within a row each class has a lane; a class has one colour in all rows, and its name stands at its events.

    Args:
        rows: Events by the row's name, from top to bottom, e.g. 'sound, true' and 'sound, found'.
        duration: Length of the axis in seconds.
        width: W.
        label_width: Pixels on the left for the rows' names.

    Returns:
        np.ndarray: (H, W, 3) uint8, RGB; H as the lanes need.

    Raises:
        ValueError: If there are no rows, ``duration`` is not above 0, or an event lies outside of it.
    """
    if not rows or not duration > 0 or width <= label_width + 50:
        raise ValueError(f'{len(rows)} rows, {duration} s, {width} pixels are too little for a timeline')
    outside = [event for events in rows.values() for event in events if not _is_within(event, duration)]
    if outside:
        raise ValueError(f'{outside[0]} does not lie within 0..{duration} s')
    lanes = {name: list(dict.fromkeys(event.label for event in events)) for name, events in rows.items()}
    labels = list(dict.fromkeys(label for names in lanes.values() for label in names))
    colours = {label: _COLOURS[number % len(_COLOURS)] for number, label in enumerate(labels)}
    heights = [_LANE * max(1, len(names)) for names in lanes.values()]
    height = _TOP + sum(heights) + _GAP * len(heights) + _BOTTOM
    picture = np.full((height, width, 3), _PAPER, np.uint8)
    scale = (width - label_width - 12) / duration

    def x_of(seconds: float) -> int:
        return round(label_width + seconds * scale)

    _draw_axis(picture, duration, x_of, height - _BOTTOM)
    top = _TOP
    for (name, events), lane_height in zip(rows.items(), heights):
        _write(picture, name, (8, top + lane_height // 2 + 5), _INK)
        for event in events:
            lane = top + _LANE * lanes[name].index(event.label)
            box = (x_of(event.onset) + 1, lane + 2), (x_of(event.offset) - 1, lane + _LANE - 2)
            cv2.rectangle(picture, *box, colours[event.label], -1)
            _write_in(picture, event.label, *box)
        top += lane_height + _GAP
        cv2.line(picture, (0, top - _GAP // 2), (width, top - _GAP // 2), _GRID)
    return picture


def _is_within(event: Event, duration: float) -> bool:
    return 0 <= event.onset < event.offset <= duration + 1e-6


def _draw_axis(picture: np.ndarray, duration: float, x_of, bottom: int) -> None:
    step = next(step for step in (1, 2, 5, 10, 30, 60, 300, 600, 3600, float('inf')) if duration / step <= 20)
    for second in np.arange(0, duration + 1e-6, min(step, duration)):
        cv2.line(picture, (x_of(second), _TOP), (x_of(second), bottom), _GRID)
        text = f'{second:g}'
        (text_width, _), _ = cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)
        _write(picture, text, (x_of(second) - text_width // 2, bottom + 16), _INK)
    _write(picture, 'seconds', (8, bottom + 16), _INK)


def _write(picture: np.ndarray, text: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, place, _FONT, _FONT_SCALE, colour, 1, cv2.LINE_AA)


def _write_in(picture: np.ndarray, text: str, corner: tuple[int, int], other: tuple[int, int]) -> None:
    """Write into a box as much of a text as fits."""
    room = other[0] - corner[0] - 6
    while text and cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)[0][0] > room:
        text = text[:-1]
    _write(picture, text, (corner[0] + 4, other[1] - 5), _PAPER)
