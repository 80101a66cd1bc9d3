"""Simulated videos in which events sound, show, or both, for video parsing.

Shapes: C classes, T seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmav.datasets.llp import LLP_CLASSES

from ..presets import SimulatorConfig, config_of

SPLITS = ('train', 'val', 'test', 'pretrain')
MODALITIES = ('audio', 'visual')


@dataclass(frozen=True)
class LLPVideoConfig(SimulatorConfig):
    """Everything that determines a simulated set of videos.

    Args:
        preset: Name of the preset it came from.
        seed: Seed of the whole set; each video draws from its own stream.
        videos: Numbers of videos of train, val, test and of the list for pretraining.
        num_classes: C, the first of LLP's classes.
        num_segments: T.
        frames_per_second: Rows of ``visual`` in a second; 8 in the published features, whose seconds models
            average.
        audio_channels: 128 in the published features.
        visual_channels: 2048 in the published features.
        visual_st_channels: 512 in the published features.
        events: Fewest and most events of a video.
        audio_only: Share of events that are heard and not seen.
        visual_only: Share of events that are seen and not heard.
        again: Probability that an event stops and comes back.
        strength: Range of the strength of an event in its seconds.
        likeness: Cosine of the directions of two classes, see :func:`class_prototypes`.
        variation: Of a class between videos, see :func:`event_features`.
        noise: Of every second, likewise.
        pseudo_missing: Share of true events that the pseudo labels lack.
        pseudo_false: Share of one-sided events that the pseudo labels also have in the other modality.
        pseudo_shift: Probability that an end of an event is a second off in the pseudo labels.
    """

    preset: str = 'default'
    seed: int = 0
    videos: tuple[int, int, int, int] = (1280, 160, 400, 640)
    num_classes: int = 25
    num_segments: int = 10
    frames_per_second: int = 1
    audio_channels: int = 128
    visual_channels: int = 2048
    visual_st_channels: int = 512
    events: tuple[int, int] = (1, 3)
    audio_only: float = 0.35
    visual_only: float = 0.2
    again: float = 0.25
    strength: tuple[float, float] = (0.7, 1.3)
    likeness: float = 0.2
    variation: float = 0.6
    noise: float = 1.0
    pseudo_missing: float = 0.15
    pseudo_false: float = 0.1
    pseudo_shift: float = 0.2

    def __post_init__(self) -> None:
        self.check(
            videos=len(self.videos) == len(SPLITS) and min(self.videos) >= 0,
            num_segments=self.num_segments >= 2,
            frames_per_second=self.frames_per_second >= 1,
            audio_channels=self.audio_channels >= 1,
            visual_channels=self.visual_channels >= 1,
            visual_st_channels=self.visual_st_channels >= 1,
            num_classes=self.events[1] <= self.num_classes <= len(LLP_CLASSES),
            variation=self.variation >= 0,
            noise=self.noise >= 0,
            audio_only=self.audio_only + self.visual_only <= 1,
        )
        self.check_intervals('events', least=1)
        self.check_intervals('strength')
        self.check_shares('audio_only', 'visual_only', 'again')
        self.check_shares('pseudo_missing', 'pseudo_false', 'pseudo_shift')

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that occur."""
        return LLP_CLASSES[: self.num_classes]


LLP_PRESETS = {
    'default': LLPVideoConfig(),
    'demo': LLPVideoConfig(preset='demo', num_classes=12),
    'tiny': LLPVideoConfig(preset='tiny', videos=(8, 4, 6, 8), num_classes=4),
}


def make_llp_config(preset: str = 'default', **overrides: Any) -> LLPVideoConfig:
    """A preset with some values replaced.

    Args:
        preset: Name of the preset.
        **overrides: Of :class:`LLPVideoConfig`.

    Returns:
        The configuration.

    Raises:
        ValueError: If there is no such preset, or a value is out of its range.
    """
    return config_of(LLP_PRESETS, preset, overrides)


@dataclass(frozen=True)
class LLPVideo:
    """A video.

    Args:
        video_id: Name with start and end, as in LLP's lists; its first 11 characters name its files.
        split: Of ``SPLITS``.
        labels: Classes of its events.
        events: Of each modality: (class, onset, offset), seconds.
        seed: Of its features.
    """

    video_id: str
    split: str
    labels: tuple[int, ...]
    events: dict[str, tuple[tuple[int, int, int], ...]]
    seed: tuple[int, ...]

    def segments(self, modality: str, config: LLPVideoConfig) -> np.ndarray:
        """Events of each second, (T, num_classes) of 0 and 1."""
        return segments_of(self.events[modality], config)


def segments_of(events: tuple[tuple[int, int, int], ...], config: LLPVideoConfig) -> np.ndarray:
    """Events as an array (T, num_classes) of 0 and 1."""
    segments = np.zeros((config.num_segments, config.num_classes))
    for label, onset, offset in events:
        segments[onset:offset, label] = 1
    return segments


def sample_llp_video(config: LLPVideoConfig, split: str, index: int) -> LLPVideo:
    """Draw a video, the same for the same arguments.

    Clips for pretraining hold one event that is heard and seen, as clips do that are chosen for showing what
    sounds.
    """
    seed = (config.seed, SPLITS.index(split), index)
    rng = np.random.default_rng(seed)
    number = 1 if split == 'pretrain' else rng.integers(config.events[0], config.events[1] + 1)
    labels = tuple(sorted(rng.permutation(config.num_classes)[:number].tolist()))
    events: dict[str, list] = {modality: [] for modality in MODALITIES}
    for label in labels:
        draw = rng.random()
        runs = _draw_runs(rng, config)
        if split == 'pretrain' or draw >= config.audio_only:
            # An image often shows what sounds only now and then all the time.
            longer = rng.random() < 0.5
            start, end = (runs[0][0], runs[-1][1]) if longer else (0, 0)
            events['visual'] += [(label, start, end)] if longer else [(label, *run) for run in runs]
        if split == 'pretrain' or not config.audio_only <= draw < config.audio_only + config.visual_only:
            events['audio'] += [(label, *run) for run in runs]
    name = f'{split[:2]}{index:09d}_0_{config.num_segments}'
    return LLPVideo(name, split, labels, {key: tuple(value) for key, value in events.items()}, seed)


def _draw_runs(rng: np.random.Generator, config: LLPVideoConfig) -> list[tuple[int, int]]:
    """One stretch of two seconds or more, or two with a pause between."""
    total = config.num_segments
    length = int(rng.integers(2, total + 1))
    onset = int(rng.integers(0, total - length + 1))
    if length < 3 or rng.random() >= config.again:
        return [(onset, onset + length)]
    pause = int(rng.integers(1, length - 1))
    return [(onset, onset + pause), (onset + pause + 1, onset + length)]


def draw_pseudo_labels(
    video: LLPVideo, config: LLPVideoConfig
) -> dict[str, list[tuple[int, int, int, float]]]:
    """Soft labels (class, onset, offset, score) of each modality, with errors.

    They are as a system might give them that takes each modality alone.
    """
    rng = np.random.default_rng((*video.seed, 1))
    labels: dict[str, list] = {modality: [] for modality in MODALITIES}
    for modality, other in (MODALITIES, MODALITIES[::-1]):
        there = {label for label, _, _ in video.events[modality]}
        false = [event for event in video.events[other] if event[0] not in there]
        kept = [event for event in video.events[modality] if rng.random() >= config.pseudo_missing]
        kept += [event for event in false if rng.random() < config.pseudo_false]
        for label, onset, offset in kept:
            shifts = np.where(rng.random(2) < config.pseudo_shift, rng.choice((-1, 1), 2), 0)
            onset = int(np.clip(onset + shifts[0], 0, config.num_segments - 1))
            offset = int(np.clip(offset + shifts[1], onset + 1, config.num_segments))
            labels[modality].append((label, onset, offset, round(float(rng.uniform(0.6, 1)), 3)))
    return labels
