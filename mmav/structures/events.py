"""From probabilities of seconds to events with a start and an end.

Shapes: T segments, C classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Event(NamedTuple):
    """Something that happens without a break.

    Attributes:
        label: Name of its class.
        onset: Start in seconds.
        offset: End in seconds.
        score: Mean probability of its segments, 0..1; 1 for the truth.
    """

    label: str
    onset: float
    offset: float
    score: float = 1.0


def find_events(
    probs: np.ndarray,
    classes: Sequence[str],
    threshold: float = 0.5,
    segment_duration: float = 1.0,
    flags: np.ndarray | None = None,
) -> list[Event]:
    """Longest runs of segments with an event of a class, by class, then by time.

    Args:
        probs: Probabilities, or 0 and 1, (T, C).
        classes: C names.
        threshold: A segment has an event where its probability is at least this.
        segment_duration: Seconds.
        flags: Which segments have an event, (T, C) bool, where it is not the threshold that says so.

    Raises:
        ValueError: If the shapes do not fit.
    """
    probs = np.asarray(probs, dtype=float)
    flags = probs >= threshold if flags is None else np.asarray(flags)
    if probs.ndim != 2 or probs.shape[1] != len(classes) or flags.shape != probs.shape:
        raise ValueError(f'expected (segments, {len(classes)} classes), got {probs.shape} and {flags.shape}')
    padded = np.pad(flags.astype(np.int8), ((1, 1), (0, 0)))
    events = []
    for label in np.flatnonzero(flags.any(0)):
        changes = np.flatnonzero(np.diff(padded[:, label]))
        for start, end in changes.reshape(-1, 2).tolist():
            score = float(probs[start:end, label].mean())
            events.append(Event(classes[label], start * segment_duration, end * segment_duration, score))
    return events
