"""What light, weather and temperature each condition has, and what materials look like.

Colors are BGR, 0..255. Thermal values are raw counts of a 16-bit camera in 21800..25000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scene import DriveScene

THERMAL_RANGE = (21800, 25000)

COLORS = {
    'glass': (84, 70, 56), 'tire': (30, 30, 31), 'rim': (150, 150, 152), 'arch': (16, 16, 16),
    'trim': (36, 36, 38), 'grille': (22, 22, 22), 'plate': (212, 222, 226), 'headlight': (214, 222, 226),
    'taillight': (34, 22, 160), 'exhaust': (70, 70, 72),
    'cargo_seam': (140, 140, 140), 'engine': (52, 52, 56), 'jacket': (44, 40, 46),
    'trousers': (84, 60, 44), 'helmet': (60, 60, 190),
}  # fmt: skip
# Counts over the body's temperature, of a vehicle whose engine runs.
HEAT = {
    'hood': 700, 'glass': -330, 'tire': 680, 'rim': 560, 'grille': 1050, 'exhaust': 1700, 'engine': 1350,
    'headlight': 500, 'taillight': 150, 'trim': 180, 'jacket': 560, 'trousers': 620, 'helmet': 330,
    'plate': 60, 'arch': 350,
}  # fmt: skip


@dataclass(frozen=True)
class Appearance:
    """Light, weather and temperature of one drive.

    Args:
        ambient: Light from everywhere, per BGR channel, 1 = full day.
        sun: Light of the sun, per BGR channel; zeros where none shines.
        sun_direction: (3,) unit vector towards the sun in the ego frame.
        fog: Extinction in 1/m.
        fog_color: BGR.
        sky: BGR at the top and at the horizon.
        headlights: 0..1, strength of the vehicles' lamps.
        noise: Standard deviation of the camera's noise, 0..255.
        air: Thermal counts of the vehicles' bodies when cold.
        ground: Thermal counts of the ground.
        thermal_sky: Thermal counts of the sky.
        warmth: 0..1, how far warm parts stand out.
        heat_fog: Extinction in the thermal camera in 1/m.
        depth_noise: Standard deviation of the depth map's blotches in its 0..255.
    """

    ambient: tuple[float, float, float]
    sun: tuple[float, float, float]
    sun_direction: np.ndarray
    fog: float
    fog_color: tuple[float, float, float]
    sky: tuple[tuple[float, float, float], tuple[float, float, float]]
    headlights: float
    noise: float
    air: float
    ground: float
    thermal_sky: float
    warmth: float
    heat_fog: float
    depth_noise: float

    def lamp(self, points: np.ndarray) -> np.ndarray:
        """Light (...) that the ego's own headlights throw on points (..., 3) of the ego frame."""
        if self.headlights < 0.5:
            return np.zeros(points.shape[:-1])
        forward = np.maximum(points[..., 1], 0.5)
        beam = np.exp(-((points[..., 0] / (1.6 + 0.42 * forward)) ** 2))
        return 0.8 * beam / (1.0 + (forward / 17.0) ** 2)


def make_appearance(scene: DriveScene) -> Appearance:
    """Appearance of a drive, from its condition and its four random numbers."""
    bright, turn, haze, heat = scene.light
    level = 0.85 + 0.3 * bright
    azimuth = (turn - 0.5) * 2 * np.pi * 0.9
    elevation = np.radians(12 if scene.condition == 'dusk' else 38)
    sun_direction = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)]
    )
    cool = dict(thermal_sky=21900.0, heat_fog=0.002, depth_noise=2.5)
    hot = dict(air=22700 + 1700 * heat, ground=22650 + 1750 * heat, warmth=1.0 - 0.8 * heat)
    mild = dict(air=22350 + 250 * heat, ground=22400 + 250 * heat, warmth=0.9)
    if scene.condition == 'day':
        sky = ((190 + 40 * haze, 140 + 50 * haze, 90 + 70 * haze), (232, 222, 208))
        return Appearance(
            (0.62 * level, 0.58 * level, 0.55 * level), (0.42 * level, 0.47 * level, 0.5 * level),
            sun_direction, 0.001 + 0.003 * haze, (228, 220, 208), sky, 0.0, 3.0, **hot, **cool,
        )  # fmt: skip
    if scene.condition == 'dusk':
        sky = ((128, 84, 70), (110, 150, 228))
        return Appearance(
            (0.4 * level, 0.34 * level, 0.32 * level), (0.08, 0.16 * level, 0.26 * level), sun_direction,
            0.003, (120, 132, 170), sky, 0.6, 6.0, **mild, **cool,
        )  # fmt: skip
    if scene.condition == 'night':
        sky = ((30, 16, 10), (46, 32, 26))
        return Appearance(
            (0.13 * level, 0.12 * level, 0.12 * level), (0.0, 0.0, 0.0), sun_direction,
            0.002, (34, 26, 22), sky, 1.0, 9.0, **mild, **cool,
        )  # fmt: skip
    if scene.condition == 'fog':
        gray = 165 + 40 * bright
        return Appearance(
            (0.72, 0.72, 0.71), (0.0, 0.0, 0.0), sun_direction, 0.045 + 0.045 * haze,
            (gray, gray - 2, gray - 6), ((gray, gray - 3, gray - 8), (gray, gray - 2, gray - 6)),
            0.6, 4.0, **mild, thermal_sky=22050.0, heat_fog=0.012, depth_noise=9.0,
        )  # fmt: skip
    return Appearance(
        (0.26 * level, 0.38 * level, 0.44 * level), (0.0, 0.0, 0.0), sun_direction,
        0.006, (40, 62, 76), ((30, 40, 44), (40, 56, 66)), 1.0, 6.0,
        air=22650.0, ground=22700.0, thermal_sky=22600.0, warmth=0.9, heat_fog=0.002, depth_noise=2.5,
    )  # fmt: skip


def cargo_color(paint: tuple[int, int, int]) -> tuple[int, ...]:
    """A truck's box is pale, tinted with the cab's color."""
    return tuple(int(170 + 0.25 * channel) for channel in paint)
