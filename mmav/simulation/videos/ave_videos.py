"""Simulated videos with one audio-visual event each, among sounds of things unseen and things without sound.

Shapes: C categories, T seconds, H and W height and width of the images' cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmav.datasets.ave import AVE_CLASSES

from ..presets import SimulatorConfig, config_of

SPLITS = ('train', 'val', 'test', 'background')


@dataclass(frozen=True)
class AVEVideoConfig(SimulatorConfig):
    """Everything that determines a simulated set of videos.

    Args:
        preset: Name of the preset it came from.
        seed: Seed of the whole set; each video draws from its own stream.
        videos: Numbers of videos of train, val and test, and of those that hold nothing but background.
        num_classes: Categories that occur, the first of AVE's.
        num_segments: T.
        grid: H and W.
        visual_channels: 512 in the published features.
        audio_channels: 128 in the published features.
        dtype: Of the files of features, 'float32' or 'float64'.
        whole: Share of events that last all the time.
        goes_on: Probability, for either end of an event, that one modality goes on without the other: the
            thing is still heard, or still seen.
        other_sound: Probability that another thing, unseen, is heard in seconds without the event.
        silent_things: Most things of other categories in the image, which make no sound.
        size: Cells along the side of a thing.
        audio_strength: Range of the strength of a sound, drawn anew for each second.
        visual_strength: Range of the strength of what is seen, likewise.
        synchrony: How much of the strength of event seconds is common to sound and image, 0..1: 1, they
            rise and fall together.
        likeness: Cosine of the directions of two categories, see :func:`class_prototypes`.
        variation: Of a category between videos, see :func:`event_features`.
        noise: Of every second (and cell), likewise.
    """

    preset: str = 'default'
    seed: int = 0
    videos: tuple[int, int, int, int] = (600, 60, 300, 60)
    num_classes: int = 10
    num_segments: int = 10
    grid: int = 7
    visual_channels: int = 512
    audio_channels: int = 128
    dtype: str = 'float32'
    whole: float = 0.4
    goes_on: float = 0.6
    other_sound: float = 0.5
    silent_things: int = 2
    size: int = 2
    audio_strength: tuple[float, float] = (0.5, 1.5)
    visual_strength: tuple[float, float] = (0.7, 1.7)
    synchrony: float = 0.8
    likeness: float = 0.2
    variation: float = 0.5
    noise: float = 1.0

    def __post_init__(self) -> None:
        self.check(
            videos=len(self.videos) == len(SPLITS) and min(self.videos[:3]) >= 1 and self.videos[-1] >= 0,
            num_segments=self.num_segments >= 3,
            grid=self.grid >= 1,
            size=1 <= self.size <= self.grid,
            visual_channels=self.visual_channels >= 1,
            audio_channels=self.audio_channels >= 1,
            silent_things=self.silent_things >= 0,
            num_classes=self.silent_things + 2 <= self.num_classes <= len(AVE_CLASSES),
            variation=self.variation >= 0,
            noise=self.noise >= 0,
            dtype=self.dtype in ('float32', 'float64'),
        )
        self.check_shares('whole', 'goes_on', 'other_sound', 'synchrony')
        self.check_intervals('audio_strength', 'visual_strength')

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the categories that occur."""
        return AVE_CLASSES[: self.num_classes]


AVE_PRESETS = {
    'default': AVEVideoConfig(),
    'demo': AVEVideoConfig(preset='demo', grid=3, size=1, visual_channels=64, audio_channels=32),
    'tiny': AVEVideoConfig(
        preset='tiny', videos=(16, 4, 8, 4), num_classes=4, grid=3, visual_channels=12, audio_channels=8
    ),
}


def make_ave_config(preset: str = 'default', **overrides: Any) -> AVEVideoConfig:
    """A preset with some values replaced.

    Args:
        preset: Name of the preset.
        **overrides: Of :class:`AVEVideoConfig`.

    Returns:
        The configuration.

    Raises:
        ValueError: If there is no such preset, or a value is out of its range.
    """
    return config_of(AVE_PRESETS, preset, overrides)


@dataclass(frozen=True)
class AVEVideo:
    """A video.

    Args:
        video_id: Its name.
        split: Of ``SPLITS``.
        category: Of its event; None: it holds none.
        onset: Of the event, seconds.
        offset: Of the event, seconds.
        heard: Strength of each sound in each second, (T, C).
        seen: Strength of each thing in each second and cell, (T, H, W, C).
        seed: Of its features.
    """

    video_id: str
    split: str
    category: int | None
    onset: int
    offset: int
    heard: np.ndarray
    seen: np.ndarray
    seed: tuple[int, ...]


def sample_ave_video(config: AVEVideoConfig, split: str, index: int) -> AVEVideo:
    """Draw a video, always the same one; of 'background' it shows one thing and lets another be heard.

    Nothing is heard and seen at once but the event; so one modality alone does not tell when it happens, nor,
    in an image with several things, which of them it is.
    """
    seed = (config.seed, SPLITS.index(split), index)
    rng = np.random.default_rng(seed)
    segments = config.num_segments
    heard = np.zeros((segments, config.num_classes))
    seen = np.zeros((segments, config.grid, config.grid, config.num_classes))
    category, other, *silent = rng.permutation(config.num_classes)[: config.silent_things + 2].tolist()
    onset, offset = _draw_event(rng, config)
    sound, sight = _strengths(rng, config)
    if split == 'background':
        _put(rng, seen, category, sight, config.size)
        start, end = _draw_stretch(rng, segments)
        heard[start:end, other] = sound[start:end]
        return AVEVideo(f'background{index:05d}', split, None, 0, 0, heard, seen, seed)
    audible, visible = (np.zeros(segments, bool) for _ in range(2))
    audible[onset:offset] = visible[onset:offset] = True
    for before in (True, False):
        if rng.random() < config.goes_on:
            available = onset if before else segments - offset
            length = int(rng.integers(0, available + 1))
            longer = audible if rng.random() < 0.5 else visible
            longer[slice(onset - length, onset) if before else slice(offset, offset + length)] = True
    heard[audible, category] = sound[audible]
    _put(rng, seen, category, sight * visible, config.size)
    for thing in silent[: rng.integers(0, config.silent_things + 1)]:
        _put(rng, seen, thing, rng.uniform(*config.visual_strength, segments), config.size)
    if rng.random() < config.other_sound:
        start, end = _draw_stretch(rng, segments)
        unheard = ~audible & (np.arange(segments) >= start) & (np.arange(segments) < end)
        heard[unheard, other] = sound[unheard]
    return AVEVideo(f'{split}{index:05d}', split, category, onset, offset, heard, seen, seed)


def _draw_event(rng: np.random.Generator, config: AVEVideoConfig) -> tuple[int, int]:
    if rng.random() < config.whole:
        return 0, config.num_segments
    length = int(rng.integers(2, config.num_segments - 1))
    onset = int(rng.integers(0, config.num_segments - length + 1))
    return onset, onset + length


def _draw_stretch(rng: np.random.Generator, segments: int) -> tuple[int, int]:
    length = int(rng.integers(2, segments + 1))
    start = int(rng.integers(0, segments - length + 1))
    return start, start + length


def _strengths(rng: np.random.Generator, config: AVEVideoConfig) -> tuple[np.ndarray, np.ndarray]:
    """Of sound and image in each second, partly the same."""
    common, *own = rng.random((3, config.num_segments))
    return tuple(
        low + (high - low) * (config.synchrony * common + (1 - config.synchrony) * alone)
        for (low, high), alone in zip((config.audio_strength, config.visual_strength), own)
    )


def _put(rng: np.random.Generator, seen: np.ndarray, thing: int, strength: np.ndarray, size: int) -> None:
    """Put a thing somewhere into the image, where it stays."""
    top, left = rng.integers(0, seen.shape[1] - size + 1, 2)
    seen[:, top : top + size, left : left + size, thing] = strength[:, None, None]
