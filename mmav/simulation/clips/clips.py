"""Clips of things that sound: what is in the image and what is heard.

A clip has one sound, of one kind of thing. Its image shows one or two things; those of the sounding kind
are what a localizer has to find, others are silent distractors. Off screen clips sound of a kind that they do
not show.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..presets import SimulatorConfig, config_of
from .clip_shapes import SHAPES

KINDS = tuple(sorted(SHAPES))
SPLITS = ('train', 'val', 'test', 'teachers')
_LETTERS = dict(train='tr', val='va', test='te', teachers='la')
_GAP = 0.03  # free share of a cell at each of its borders


@dataclass(frozen=True)
class ClipConfig(SimulatorConfig):
    """Everything that, with the seed, determines a data set's bytes.

    Args:
        seed: Seed of the whole set; each clip draws from its own stream.
        clips: Number of clips of train, val, test and of the labeled list for teachers.
        kinds: Kinds of things, at least three.
        picture: Range of an image's width and of its height in pixels.
        area: Range of the share of the image that the box of a single thing covers. Maps are evaluated at
            their median, so a box under a quarter of the image cannot reach a cIoU of 0.5.
        two_share: Share of clips that show two things.
        several_share: Share of those in which both are of the sounding kind.
        offscreen_share: Share of train, val and test clips whose sounding thing is not in the image.
        colour_spread: Standard deviation of a thing's hue around its kind's, in turns of the color circle;
            the kinds' hues are evenly spaced on it.
        clutter: Most random shapes in the background.
        snr: Range of the signal-to-noise ratio in dB.
        sample_rate: Hertz.
        duration: Seconds.
        audio_ext: 'wav' or 'flac'.
        jpeg_quality: 1..100.
    """

    seed: int = 0
    clips: tuple[int, int, int, int] = (1000, 100, 200, 400)
    kinds: tuple[str, ...] = KINDS
    picture: tuple[int, int] = (224, 320)
    area: tuple[float, float] = (0.3, 0.5)
    two_share: float = 0.6
    several_share: float = 0.25
    offscreen_share: float = 0.1
    colour_spread: float = 0.05
    clutter: int = 14
    snr: tuple[float, float] = (5.0, 25.0)
    sample_rate: int = 22050
    duration: float = 3.0
    audio_ext: str = 'wav'
    jpeg_quality: int = 92

    def __post_init__(self) -> None:
        checks = dict(
            clips=len(self.clips) == 4 and min(self.clips) >= 0 and sum(self.clips) > 0,
            kinds=len(set(self.kinds)) >= 3 and set(self.kinds) <= set(KINDS),
            picture=32 <= self.picture[0] <= self.picture[1],
            area=0.05 <= self.area[0] <= self.area[1] <= 0.8,
            clutter=self.clutter >= 0,
            snr=self.snr[0] <= self.snr[1],
            sample_rate=self.sample_rate >= 16000,
            duration=self.duration >= 0.5,
            audio_ext=self.audio_ext in ('wav', 'flac'),
            jpeg_quality=1 <= self.jpeg_quality <= 100,
            colour_spread=self.colour_spread >= 0,
        )
        self.check(**checks)
        self.check_shares('two_share', 'several_share', 'offscreen_share')


CLIP_PRESETS: dict[str, ClipConfig] = {
    'default': ClipConfig(),
    # A second of sound and images of a network's input size: a quarter of the bytes.
    'small': ClipConfig(picture=(128, 160), duration=1.0),
}


def make_clip_config(preset: str = 'default', **overrides: Any) -> ClipConfig:
    """A preset with some of its values replaced.

    Args:
        preset: 'default' or 'small'.
        **overrides: Fields of :class:`ClipConfig`.

    Raises:
        ValueError: Unknown preset or field, or a value is out of its range.
    """
    return config_of(CLIP_PRESETS, preset, overrides)


@dataclass(frozen=True)
class Thing:
    """Something in the image.

    Args:
        kind: One of ``KINDS``.
        box: x1, y1, x2, y2, relative to the image (0..1); its outline fills the box.
        angle: How far it is turned, in radians.
        mirrored: Whether left and right are changed.
        hue: In turns of the color circle.
        sounding: Whether it is of the kind that is heard.
    """

    kind: str
    box: tuple[float, float, float, float]
    angle: float
    mirrored: bool
    hue: float
    sounding: bool


@dataclass(frozen=True)
class ClipScene:
    """One clip.

    Args:
        split: One of ``SPLITS``.
        index: Number in its split.
        kind: What is heard.
        size: Width and height of the image in pixels.
        things: What is seen.
        snr: Signal-to-noise ratio in dB.
        seed: Of background and sound.
    """

    split: str
    index: int
    kind: str
    size: tuple[int, int]
    things: tuple[Thing, ...]
    snr: float
    seed: int

    @property
    def video_id(self) -> str:
        """Eleven characters, as YouTube's."""
        return f'sim{_LETTERS[self.split]}{self.index:06d}'

    @property
    def start(self) -> int:
        """Seconds; the published lists name clips by where they begin in their video."""
        return self.index % 60 * 10

    @property
    def stem(self) -> str:
        """Name of the clip's files."""
        return f'{self.video_id}_{self.start:06d}'

    @property
    def offscreen(self) -> bool:
        """Whether nothing in the image makes the sound."""
        return not any(thing.sounding for thing in self.things)


def sample_clip(config: ClipConfig, split: str, index: int) -> ClipScene:
    """Draw one clip; it depends on nothing but the arguments.

    Clips for teachers show one thing, the one that is heard, so their class is that of image and sound.
    """
    rng = np.random.default_rng((config.seed, zlib.crc32(split.encode()), index))
    kinds = list(config.kinds)
    kind = kinds.pop(rng.integers(len(kinds)))
    width, height = (int(side) for side in rng.integers(config.picture[0], config.picture[1] + 1, 2))
    two, several, offscreen = rng.random(3) < (
        config.two_share,
        config.several_share,
        config.offscreen_share,
    )
    if split == 'teachers':
        two = offscreen = False
    others = [kinds[i] for i in rng.permutation(len(kinds))[:2]]
    shown = [others[0] if offscreen else kind]
    if two:
        shown.append(kind if several and not offscreen else others[1])
    boxes = _boxes(len(shown), (width, height), config.area, rng)
    order = rng.permutation(len(shown))
    things = []
    for place, number in enumerate(order):
        name = shown[number]
        hue = KINDS.index(name) / len(KINDS) + config.colour_spread * rng.standard_normal()
        things.append(
            Thing(
                kind=name,
                box=boxes[place],
                angle=float(rng.uniform(-0.25, 0.25)),
                mirrored=bool(rng.random() < 0.5),
                hue=float(hue % 1),
                sounding=name == kind,
            )
        )
    return ClipScene(
        split=split,
        index=index,
        kind=kind,
        size=(width, height),
        things=tuple(things),
        snr=float(rng.uniform(*config.snr)),
        seed=int(rng.integers(2**62)),
    )


def _boxes(
    count: int, size: tuple[int, int], area: tuple[float, float], rng: np.random.Generator
) -> list[tuple]:
    """Boxes that do not overlap: one anywhere, or two of about equal size along the longer side."""
    if count == 1:
        share = rng.uniform(*area)
        width = np.clip(np.sqrt(share) * rng.uniform(0.85, 1.18), share / 0.95, 0.95)
        sides = np.array([width, share / width])
        corner = rng.random(2) * (1 - sides)
        return [_rounded(corner, sides)]
    along = 0 if size[0] >= size[1] else 1
    boxes = []
    for cell in range(2):
        sides = np.array([1.0, 1.0]) * rng.uniform(0.75, 1.0, 2) * (1 - 2 * _GAP)
        corner = _GAP + rng.random(2) * (1 - 2 * _GAP - sides)
        sides[along] /= 2
        corner[along] = (corner[along] + cell) / 2
        boxes.append(_rounded(corner, sides))
    return boxes


def _rounded(corner: np.ndarray, sides: np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(value), 6) for value in (*corner, *(corner + sides)))
    return x1, y1, x2, y2
