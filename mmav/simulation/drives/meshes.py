"""Vehicles as a few convex parts made of flat, painted polygons.

Local axes: x right, y forward, z up, in metres; the origin lies on the ground under the vehicle's middle.
Polygons of one part are convex and flat and belong to a convex solid, so a part is drawn right by leaving out
the faces that look away; details lie on a face and are drawn after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from .geometry import plane_normal


@dataclass(frozen=True, eq=False)
class Face:
    """A flat convex polygon.

    Args:
        points: (P, 3) metres.
        normal: (3,) outward unit vector.
        material: Name that the renderer turns into color and temperature.
    """

    points: np.ndarray
    normal: np.ndarray
    material: str


@dataclass(frozen=True, eq=False)
class Part:
    """Faces that are drawn together.

    Args:
        layer: Parts of a lower layer are drawn first.
        center: (2,) ground position, by whose distance the parts of a layer are sorted.
        faces: In drawing order.
    """

    layer: int
    center: tuple[float, float]
    faces: tuple[Face, ...]


def _face(points: ArrayLike, material: str, outward: ArrayLike) -> Face:
    corners = np.asarray(points, dtype=np.float64)
    normal = plane_normal(corners)
    normal /= math.sqrt(normal @ normal)
    return Face(corners, normal if normal @ np.asarray(outward) > 0 else -normal, material)


def _extrusion(
    profile: Sequence[tuple[float, float]],
    half_width: float,
    top_width: float,
    material: str,
    z_split: float,
) -> list[Face]:
    """Solid over a convex side profile (y, z); it narrows to `top_width` above `z_split`."""

    def width(z: float) -> float:
        return half_width if z <= z_split else top_width

    left = np.array([(-width(z), y, z) for y, z in profile])
    right = np.array([(width(z), y, z) for y, z in profile])
    middle = np.array([0.0, *np.mean(profile, axis=0)])
    faces = []
    for i in range(len(profile)):
        j = (i + 1) % len(profile)
        quad = np.array([left[i], left[j], right[j], right[i]])
        faces.append(_face(quad, material, quad.mean(0) - middle))
    faces.append(_face(left, material, (-1, 0, 0)))
    faces.append(_face(right, material, (1, 0, 0)))
    return faces


def _box(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, material: str) -> list[Face]:
    faces = []
    for x, sign in ((x0, -1), (x1, 1)):
        faces.append(_face([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], material, (sign, 0, 0)))
    for y, sign in ((y0, -1), (y1, 1)):
        faces.append(_face([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)], material, (0, sign, 0)))
    for z, sign in ((z0, -1), (z1, 1)):
        faces.append(_face([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], material, (0, 0, sign)))
    return faces


def _across(x0: float, x1: float, z0: float, z1: float, y: float, material: str) -> Face:
    """Upright rectangle that looks forward (y > 0) or backward."""
    return _face([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)], material, (0, np.sign(y), 0))


def _along(y0: float, y1: float, z0: float, z1: float, x: float, material: str) -> Face:
    """Upright rectangle that looks right (x > 0) or left."""
    return _face([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], material, (np.sign(x), 0, 0))


def _disc(x: float, y: float, z: float, radius: float, material: str, sides: int = 18) -> Face:
    angle = 2 * np.pi * np.arange(sides) / sides
    points = np.stack((np.full(sides, x), y + radius * np.cos(angle), z + radius * np.sin(angle)), axis=-1)
    return Face(points, np.array([np.sign(x), 0.0, 0.0]), material)


def _wheels(x: float, positions: Sequence[float], radius: float, tire_width: float) -> list[Part]:
    """Tires as boxes (seen under the body) with round flanks."""
    parts = []
    for y in positions:
        for sign in (-1, 1):
            inner, outer = sorted((sign * (x - tire_width), sign * x))
            faces = _box(inner, outer, y - 0.7 * radius, y + 0.7 * radius, 0.0, 1.2 * radius, 'tire')
            faces.append(_disc(sign * x, y, radius, radius, 'tire'))
            parts.append(Part(0, (sign * x, y), tuple(faces)))
    return parts


def _wheel_flanks(x: float, positions: Sequence[float], radius: float) -> list[Face]:
    faces = []
    for sign in (-1, 1):
        for y in positions:
            faces.append(_disc(sign * x, y, 1.15 * radius, 1.13 * radius, 'arch'))
            faces.append(_disc(sign * (x + 0.01), y, radius, radius, 'tire'))
            faces.append(_disc(sign * (x + 0.02), y, radius, 0.62 * radius, 'rim', 12))
            faces.append(_disc(sign * (x + 0.03), y, radius, 0.2 * radius, 'arch', 8))
    return faces


def _car(width: float, length: float, height: float) -> list[Part]:
    w, b = width / 2, length
    radius = 0.32
    axles = (-0.31 * b, 0.31 * b)
    belt = 0.6 * height
    profile = [
        (-0.5 * b, 0.26), (-0.5 * b, 0.88 * belt), (-0.47 * b, belt), (0.16 * b, belt + 0.02),
        (0.45 * b, 0.8 * belt), (0.5 * b, 0.66 * belt), (0.5 * b, 0.26),
    ]  # fmt: skip
    body = _extrusion(profile, w, w * 0.97, 'paint', belt * 0.7)
    for edge in (3, 4):
        body[edge] = Face(body[edge].points, body[edge].normal, 'hood')
    for sign in (-1, 1):
        x = sign * (w + 0.004)
        body.append(_along(-0.5 * b, 0.5 * b, 0.26, 0.38, x, 'trim'))
        for y in (-0.14 * b, 0.17 * b):
            body.append(_along(y - 0.012, y + 0.012, 0.38, 0.97 * belt, x, 'seam'))
        body.append(_along(-0.1 * b, -0.05 * b, 0.83 * belt, 0.87 * belt, x, 'seam'))
    body += _wheel_flanks(w, axles, radius)
    front, rear = 0.5 * b + 0.005, -0.5 * b - 0.005
    body.append(_across(-w, w, 0.26, 0.40, front, 'trim'))
    body.append(_across(-0.45 * w, 0.45 * w, 0.42, 0.6 * belt, front, 'grille'))
    body.append(_across(-0.28 * w, 0.28 * w, 0.40, 0.50, front, 'plate'))
    body.append(_across(-w, w, 0.26, 0.42, rear, 'trim'))
    body.append(_across(-0.28 * w, 0.28 * w, 0.55, 0.66, rear, 'plate'))
    body.append(_across(0.5 * w, 0.66 * w, 0.28, 0.36, rear, 'exhaust'))
    for sign in (-1, 1):
        x0, x1 = sorted((sign * 0.55 * w, sign * 0.97 * w))
        body.append(_across(x0, x1, 0.5 * belt, 0.65 * belt, front, 'headlight'))
        body.append(_across(x0, x1, 0.66 * belt, 0.86 * belt, rear, 'taillight'))
    top, foot = 0.78 * w, 0.95 * w
    y0, y1, y2, y3 = -0.46 * b, -0.33 * b, 0.04 * b, 0.2 * b
    windscreen = [(-foot, y3, belt), (foot, y3, belt), (top, y2, height), (-top, y2, height)]
    tailgate = [(-foot, y0, belt), (foot, y0, belt), (top, y1, height), (-top, y1, height)]
    roof = [(-top, y1, height), (top, y1, height), (top, y2, height), (-top, y2, height)]
    cabin = [
        _face(windscreen, 'paint', (0, 1, 0.5)),
        _face(tailgate, 'paint', (0, -1, 0.5)),
        _face(roof, 'paint', (0, 0, 1)),
    ]
    for sign in (-1, 1):
        flank = [(foot, y0, belt), (foot, y3, belt), (top, y2, height), (top, y1, height)]
        cabin.append(_face([(sign * x, y, z) for x, y, z in flank], 'paint', (sign, 0, 0)))
        low, high = belt + 0.05, height - 0.08

        def side(y: float, z: float, sign: int = sign) -> tuple[float, float, float]:
            share = (z - belt) / (height - belt)
            return (sign * (foot + (top - foot) * share + 0.004), y, z)

        panes = ((-0.41, -0.32, -0.02, -0.02), (0.0, 0.0, 0.045, 0.155))
        for rear_low, rear_high, front_high, front_low in panes:
            quad = [side(rear_low * b, low), side(rear_high * b, high)]
            quad += [side(front_high * b, high), side(front_low * b, low)]
            cabin.append(_face(quad, 'glass', (sign, 0, 0)))
    for y_low, y_high, direction in ((y3, y2, 1), (y0, y1, -1)):
        quad = []
        for share, x_sign in ((0.08, -1), (0.08, 1), (0.9, 1), (0.9, -1)):
            x = x_sign * 0.92 * (foot + (top - foot) * share)
            y = y_low + (y_high - y_low) * share + direction * 0.008
            quad.append((x, y, belt + (height - belt) * share + 0.004))
        cabin.append(_face(quad, 'glass', (0, direction, 0.5)))
    wheels = _wheels(w - 0.02, axles, radius, 0.22)
    return [*wheels, Part(1, (0, 0), tuple(body)), Part(2, (0, 0), tuple(cabin))]


def _truck(width: float, length: float, height: float) -> list[Part]:
    w, b = width / 2, length
    radius = 0.48
    cab_rear = 0.5 * b - 2.0
    axles = (0.5 * b - 1.2, -0.5 * b + 2.2, -0.5 * b + 1.0)
    chassis = _box(-0.8 * w, 0.8 * w, -0.48 * b, 0.45 * b, 0.45, 0.95, 'trim')
    chassis += _wheel_flanks(w - 0.02, axles, radius)
    for sign in (-1, 1):
        x0, x1 = sorted((sign * 0.55 * w, sign * 0.95 * w))
        chassis.append(_across(x0, x1, 0.6, 0.78, -0.5 * b - 0.005, 'taillight'))
    chassis.append(_across(-0.2 * w, 0.2 * w, 0.6, 0.75, -0.5 * b - 0.005, 'plate'))
    cab_height = min(0.85 * height, 2.7)
    cab = _box(-0.98 * w, 0.98 * w, cab_rear, 0.5 * b, 0.45, cab_height, 'paint')
    front = 0.5 * b + 0.005
    cab += [
        _across(-0.98 * w, 0.98 * w, 0.45, 0.7, front, 'trim'),
        _across(-0.88 * w, 0.88 * w, 0.55 * cab_height, 0.88 * cab_height, front, 'glass'),
        _across(-0.6 * w, 0.6 * w, 0.32 * cab_height, 0.47 * cab_height, front, 'grille'),
        _across(-0.25 * w, 0.25 * w, 0.5, 0.62, front, 'plate'),
    ]
    for sign in (-1, 1):
        x0, x1 = sorted((sign * 0.68 * w, sign * 0.94 * w))
        cab.append(_across(x0, x1, 0.72, 0.9, front, 'headlight'))
        x = sign * (0.98 * w + 0.005)
        cab.append(_along(cab_rear + 0.7, 0.5 * b - 0.15, 0.55 * cab_height, 0.86 * cab_height, x, 'glass'))
        cab.append(_along(cab_rear + 0.58, cab_rear + 0.61, 0.8, 0.9 * cab_height, x, 'seam'))
        cab.append(_disc(sign * w, axles[0], 1.15 * radius, 1.13 * radius, 'arch'))
        cab.append(_disc(sign * (w + 0.01), axles[0], radius, radius, 'tire'))
        cab.append(_disc(sign * (w + 0.02), axles[0], radius, 0.62 * radius, 'rim', 12))
    cargo = _box(-w, w, -0.5 * b, cab_rear - 0.15, 0.95, height, 'cargo')
    for sign in (-1, 1):
        for y in np.linspace(-0.5 * b, cab_rear - 0.15, 6)[1:-1]:
            cargo.append(_along(y - 0.02, y + 0.02, 0.95, height, sign * (w + 0.005), 'cargo_seam'))
        cargo.append(_along(-0.5 * b, cab_rear - 0.15, 0.95, 1.1, sign * (w + 0.005), 'trim'))
    cargo.append(_across(-0.015, 0.015, 1.0, height, -0.5 * b - 0.005, 'cargo_seam'))
    cargo.append(_across(-w, w, 0.95, 1.06, -0.5 * b - 0.005, 'trim'))
    return [
        *_wheels(w - 0.03, axles, radius, 0.35),
        Part(1, (0, 0), tuple(chassis)),
        Part(2, (0, (cab_rear + 0.5 * b) / 2), tuple(cab)),
        Part(2, (0, (cab_rear - 0.15 - 0.5 * b) / 2), tuple(cargo)),
    ]


def _motorcycle(width: float, length: float, height: float) -> list[Part]:
    b = length
    radius = 0.31
    axles = (-0.5 * b + radius, 0.5 * b - radius)
    parts = []
    for y in axles:
        faces = _box(-0.07, 0.07, y - 0.7 * radius, y + 0.7 * radius, 0.04, 2 * radius, 'tire')
        for sign in (-1, 1):
            faces.append(_disc(sign * 0.07, y, radius, radius, 'tire'))
            faces.append(_disc(sign * 0.075, y, radius, 0.6 * radius, 'rim'))
        parts.append(Part(0, (0, y), tuple(faces)))
    frame = _box(-0.16, 0.16, -0.26 * b, 0.2 * b, 0.3, 0.62, 'engine')
    parts.append(Part(1, (0, 0), tuple(frame)))
    profile = [
        (-0.42 * b, 0.72), (-0.40 * b, 0.84), (0.05 * b, 0.95), (0.18 * b, 0.86), (0.16 * b, 0.62),
        (-0.2 * b, 0.6),
    ]  # fmt: skip
    tank = _extrusion(profile, 0.17, 0.14, 'paint', 0.9)
    tank.append(_across(-0.09, 0.09, 0.72, 0.82, -0.42 * b - 0.003, 'taillight'))
    tank.append(_across(-0.09, 0.09, 0.56, 0.68, -0.42 * b - 0.003, 'plate'))
    parts.append(Part(2, (0, -0.1 * b), tuple(tank)))
    profile = [(0.2 * b, 0.6), (0.2 * b, 1.1), (0.3 * b, 1.05), (0.36 * b, 0.75), (0.34 * b, 0.6)]
    fairing = _extrusion(profile, 0.22, 0.2, 'paint', 1.0)
    fairing.append(_across(-0.12, 0.12, 0.74, 0.94, 0.36 * b + 0.005, 'headlight'))
    fairing += _box(-width / 2, width / 2, 0.17 * b, 0.2 * b, 0.98, 1.03, 'trim')
    parts.append(Part(2, (0, 0.28 * b), tuple(fairing)))
    shoulder = height - 0.27
    profile = [
        (-0.2 * b, 0.82), (-0.2 * b, 1.15), (-0.1 * b, shoulder), (0.02 * b, shoulder - 0.04), (0.0, 0.85),
    ]  # fmt: skip
    rider = _extrusion(profile, 0.22, 0.24, 'jacket', 1.0)
    for sign in (-1, 1):
        x0, x1 = sorted((sign * 0.16, sign * 0.28))
        rider += _box(x0, x1, -0.08 * b, 0.1 * b, 0.42, 0.88, 'trousers')
    parts.append(Part(2, (0, -0.08 * b), tuple(rider)))
    z0 = shoulder + 0.01
    angle = 2 * np.pi * np.arange(10) / 10
    center, half = (z0 + height) / 2, (height - z0) / 2
    profile = [(-0.035 * b + 0.14 * np.cos(a), center + half * np.sin(a)) for a in angle]
    head = _extrusion(profile, 0.12, 0.09, 'helmet', center + 0.03)
    head.append(_across(-0.1, 0.1, z0 + 0.1, z0 + 0.19, -0.035 * b + 0.145, 'glass'))
    parts.append(Part(3, (0, -0.05 * b), tuple(head)))
    return parts


@lru_cache(maxsize=256)
def vehicle_parts(kind: str, size: tuple[float, float, float]) -> tuple[Part, ...]:
    """Parts of a 'car', 'truck' or 'motorcycle' of (width, length, height) in metres."""
    return tuple({'car': _car, 'truck': _truck, 'motorcycle': _motorcycle}[kind](*size))


@lru_cache(maxsize=256)
def vehicle_outline(kind: str, size: tuple[float, float, float]) -> np.ndarray:
    """All corners of a vehicle (P, 3), whose projections' hull is its silhouette's hull."""
    corners = [face.points for part in vehicle_parts(kind, size) for face in part.faces]
    return np.unique(np.concatenate(corners).round(6), axis=0)
