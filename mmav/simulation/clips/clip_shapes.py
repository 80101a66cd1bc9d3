"""Outlines of the things that sound, as flat colored polygons.

Coordinates are x to the right and y downwards in a square of about -1..1; letters: P points.
"""

from __future__ import annotations

import numpy as np

# Each part is a polygon (P, 2) and its color: lightness against the thing's own (1 = as it is), or the name
# of a color that does not change with the thing.
Part = tuple[np.ndarray, float | str]


def _polygon(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, dtype=np.float64)


def _rectangle(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return _polygon((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def _ellipse(x: float, y: float, a: float, b: float, begin: float = 0.0, end: float = 1.0) -> np.ndarray:
    """Ellipse, or the part of it between two angles in turns, clockwise from the right."""
    angle = 2 * np.pi * np.linspace(begin, end, 28)
    return np.stack((x + a * np.cos(angle), y + b * np.sin(angle)), axis=1)


def _bell() -> list[Part]:
    side = _polygon((0.18, -0.8), (0.45, -0.6), (0.52, -0.1), (0.6, 0.3), (0.95, 0.65))
    dome = np.concatenate((side, side[::-1] * [-1, 1]))
    return [
        (_ellipse(0, 0.78, 0.2, 0.2), 'dark'),
        (_ellipse(0, -0.85, 0.14, 0.14), 0.7),
        (dome, 1.0),
        (_rectangle(-0.98, 0.6, 0.98, 0.74), 0.6),
        (_polygon((-0.3, -0.55), (-0.16, -0.55), (-0.36, 0.5), (-0.56, 0.5)), 1.4),
    ]


def _bird() -> list[Part]:
    return [
        (_polygon((-0.5, 0.0), (-1.0, -0.3), (-0.95, 0.25)), 0.7),
        (_ellipse(-0.05, 0.15, 0.62, 0.45), 1.0),
        (_ellipse(0.5, -0.35, 0.32, 0.32), 1.0),
        (_polygon((0.76, -0.48), (1.0, -0.3), (0.76, -0.2)), 'orange'),
        (_ellipse(0.58, -0.42, 0.07, 0.07), 'dark'),
        (_ellipse(-0.15, 0.1, 0.4, 0.22), 0.6),
        (_rectangle(-0.1, 0.55, -0.02, 0.9), 'orange'),
        (_rectangle(0.12, 0.55, 0.2, 0.9), 'orange'),
    ]


def _clock() -> list[Part]:
    return [
        (_ellipse(-0.55, -0.72, 0.3, 0.26), 0.7),
        (_ellipse(0.55, -0.72, 0.3, 0.26), 0.7),
        (_polygon((-0.6, 0.7), (-0.45, 0.6), (-0.6, 1.0), (-0.75, 1.0)), 'dark'),
        (_polygon((0.6, 0.7), (0.45, 0.6), (0.6, 1.0), (0.75, 1.0)), 'dark'),
        (_ellipse(0, 0.1, 0.85, 0.85), 1.0),
        (_ellipse(0, 0.1, 0.66, 0.66), 'light'),
        (_rectangle(-0.05, -0.4, 0.05, 0.14), 'dark'),
        (_rectangle(-0.05, 0.06, 0.4, 0.16), 'dark'),
    ]


def _drum() -> list[Part]:
    body = _polygon((-0.9, -0.45), (0.9, -0.45), (0.8, 0.75), (-0.8, 0.75))
    stripes = [
        (_polygon((x, -0.35), (x + 0.18, -0.35), (x + 0.36, 0.7), (x + 0.18, 0.7)), 'light')
        for x in (-0.8, -0.35, 0.1)
    ]
    return [
        (_ellipse(0, 0.75, 0.8, 0.25), 0.7),
        (body, 1.0),
        *stripes,
        (_ellipse(0, -0.45, 0.9, 0.32), 'dark'),
        (_ellipse(0, -0.48, 0.78, 0.24), 'light'),
    ]


def _fountain() -> list[Part]:
    angle = np.linspace(0, np.pi, 20)
    jets = []
    for reach in (-0.75, -0.35, 0.35, 0.75):
        across = reach * (1 - np.cos(angle)) / 2
        down = 0.45 - 1.3 * np.sin(angle) * (1.1 - abs(reach) / 2)
        outer, inner = np.stack((across, down), 1), np.stack((across + 0.12, down + 0.1), 1)
        jets.append((np.concatenate((outer, inner[::-1])), 1.3))
    return [
        *jets,
        (_polygon((-1.0, 0.4), (1.0, 0.4), (0.6, 0.95), (-0.6, 0.95)), 0.65),
        (_ellipse(0, 0.4, 1.0, 0.16), 1.0),
    ]


def _gear() -> list[Part]:
    turns = np.arange(40) / 40
    radius = np.where(np.arange(40) % 4 < 2, 1.0, 0.76)
    rim = np.stack((radius * np.cos(2 * np.pi * turns), radius * np.sin(2 * np.pi * turns)), axis=1)
    holes = [
        (_ellipse(0.45 * np.cos(a), 0.45 * np.sin(a), 0.15, 0.15), 'dark')
        for a in 2 * np.pi * np.arange(5) / 5
    ]
    return [(rim, 1.0), (_ellipse(0, 0, 0.66, 0.66), 0.7), *holes, (_ellipse(0, 0, 0.2, 0.2), 'light')]


def _siren() -> list[Part]:
    return [
        (_rectangle(-0.9, 0.55, 0.9, 0.95), 'dark'),
        (_rectangle(-0.65, 0.3, 0.65, 0.58), 0.6),
        (
            np.concatenate((_ellipse(0, -0.1, 0.55, 0.75, 0.5, 1.0), _polygon((0.55, 0.35), (-0.55, 0.35)))),
            1.0,
        ),
        (_polygon((-0.35, -0.4), (-0.22, -0.5), (-0.22, 0.25), (-0.35, 0.25)), 'light'),
        (_polygon((-0.62, -0.35), (-1.0, -0.6), (-1.0, -0.4)), 'orange'),
        (_polygon((0.62, -0.35), (1.0, -0.6), (1.0, -0.4)), 'orange'),
    ]


def _trumpet() -> list[Part]:
    valves = [(_rectangle(x, -0.5, x + 0.13, 0.25), 0.7) for x in (-0.45, -0.22, 0.01)]
    return [
        (_ellipse(-0.15, 0.12, 0.5, 0.42), 0.75),
        (_ellipse(-0.15, 0.12, 0.34, 0.26), 'dark'),
        (_rectangle(-0.95, -0.12, 0.5, 0.06), 1.0),
        (_polygon((0.3, -0.1), (0.98, -0.75), (0.98, 0.7), (0.3, 0.04)), 1.0),
        (_ellipse(0.95, -0.02, 0.1, 0.72), 1.3),
        *valves,
        (_rectangle(-1.0, -0.2, -0.9, 0.14), 'light'),
    ]


SHAPES = dict(
    bell=_bell(),
    bird=_bird(),
    clock=_clock(),
    drum=_drum(),
    fountain=_fountain(),
    gear=_gear(),
    siren=_siren(),
    trumpet=_trumpet(),
)


def shape_in_box(
    kind: str, box: tuple[float, float, float, float], angle: float = 0.0, mirrored: bool = False
) -> list[Part]:
    """The parts of a thing of ``SHAPES``, turned, mirrored and stretched so that they exactly fill a box.

    The box is x1, y1, x2, y2, in any unit, ``angle`` in radians. The polygons (P, 2) in the box's unit are to
    be painted one over the other, in their colors.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, sine], [-sine, cosine]]) * ([[-1], [1]] if mirrored else 1)
    turned = [points @ matrix for points, _ in SHAPES[kind]]
    low = np.min([points.min(0) for points in turned], axis=0)
    high = np.max([points.max(0) for points in turned], axis=0)
    scale = (np.array(box[2:]) - box[:2]) / (high - low)
    return [((points - low) * scale + box[:2], color) for points, (_, color) in zip(turned, SHAPES[kind])]
