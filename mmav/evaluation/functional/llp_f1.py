"""F1 of parsed videos, by segment and by event, as the look, listen and parse (LLP) benchmark counts it.

Shapes: V videos, C classes, T segments (seconds), R = V C rows of segments.
"""

from typing import NamedTuple

import numpy as np

MODALITIES = ('audio', 'visual', 'audio_visual')
LEVELS = ('segment', 'event')

Counts = dict[str, 'F1Counts']


class F1Counts(NamedTuple):
    """True positives, false positives and false negatives, (V, C) of int64 each."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray

    def f1(self) -> np.ndarray:
        """F1 of each entry, 0..1; NaN where there is nothing to count."""
        total = 2 * self.tp + self.fp + self.fn
        return np.where(total > 0, 2 * self.tp / np.maximum(total, 1), np.nan)


def llp_f1(
    pred_audio: np.ndarray, pred_visual: np.ndarray, gt_audio: np.ndarray, gt_visual: np.ndarray
) -> dict[str, float]:
    """F1 of audio, visual and audio-visual events, in percent.

    F1 of a video is the mean over the classes that are in its prediction or truth, 100 where there are none;
    that of the set is the mean over videos. Audio-visual events are where the audio and the visual event of a
    class are at once. ``type_av`` is the mean of ``audio``, ``visual`` and ``audio_visual``; ``event_av``
    counts audio and visual events together before F1 is formed.

    Segment level: cells of a second. Event level: longest runs of seconds; a predicted and a true run match
    where their intersection is at least half of their union. (Runs of a class do not touch, so a run has at
    most one match.)

    Args:
        pred_audio: Audio events, (V, C, T) of 0 and 1.
        pred_visual: Visual events, likewise.
        gt_audio: True audio events, likewise.
        gt_visual: True visual events, likewise.

    Returns:
        ``{segment,event}_{audio,visual,audio_visual,type_av,event_av}``.

    Raises:
        ValueError: If shapes differ or are not (V, C, T), there is no video, or values are not 0 or 1.

    Source: Tian, Li and Xu, "Unified multisensory perception: weakly-supervised audio-visual video parsing"
    (ECCV 2020), section 5.1.

    Example:
        >>> pred, gt = np.array([[[1, 1]]]), np.array([[[1, 0]]])  # one video, one class, two seconds
        >>> scores = llp_f1(pred, pred, gt, gt)
        >>> round(scores['segment_audio'], 2), scores['event_audio']  # 2 / 3; half of the run is enough
        (66.67, 100.0)
    """
    counts = llp_counts(pred_audio, pred_visual, gt_audio, gt_visual)
    return {name: value for level in LEVELS for name, value in _summarize(counts, level).items()}


def llp_counts(
    pred_audio: np.ndarray, pred_visual: np.ndarray, gt_audio: np.ndarray, gt_visual: np.ndarray
) -> Counts:
    """What :func:`llp_f1` forms F1 of; arguments and errors are the same.

    Returns:
        ``{segment,event}_{audio,visual,audio_visual}``.

    Example:
        >>> pred, gt = np.array([[[1, 1]]]), np.array([[[1, 0]]])
        >>> llp_counts(pred, pred, gt, gt)['segment_audio']
        F1Counts(tp=array([[1]]), fp=array([[1]]), fn=array([[0]]))
    """
    arrays = dict(pred_audio=pred_audio, pred_visual=pred_visual, gt_audio=gt_audio, gt_visual=gt_visual)
    pred_audio, pred_visual, gt_audio, gt_visual = _check(arrays)
    pairs = dict(
        audio=(pred_audio, gt_audio),
        visual=(pred_visual, gt_visual),
        audio_visual=(pred_audio & pred_visual, gt_audio & gt_visual),
    )
    counts = {}
    for modality, (pred, gt) in pairs.items():
        counts[f'segment_{modality}'] = _segment_counts(pred, gt)
        counts[f'event_{modality}'] = _event_counts(pred, gt)
    return counts


def _check(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or len(shapes['gt_audio']) != 3 or 0 in shapes['gt_audio']:
        raise ValueError(f'all four must be (videos, classes, segments), with at least one of each: {shapes}')
    checked = []
    for name, array in arrays.items():
        array = np.asarray(array)
        flags = array.astype(bool)
        if array.dtype != bool and (array != flags).any():
            raise ValueError(f'{name} must hold 0 and 1 alone: compare probabilities with a threshold first')
        checked.append(flags)
    return checked


def _segment_counts(pred: np.ndarray, gt: np.ndarray) -> F1Counts:
    # A product: numpy's sums over so short an axis take several times as long.
    ones = np.ones(pred.shape[2], np.float32)
    tp, predicted, true = ((flags @ ones).astype(int) for flags in (pred & gt, pred, gt))
    return F1Counts(tp, predicted - tp, true - tp)


def _event_counts(pred: np.ndarray, gt: np.ndarray) -> F1Counts:
    shape = pred.shape[:2]
    found, real = (_Runs(_in_a_row(flags), flags.shape[2] + 1) for flags in (pred, gt))
    # Where two runs overlap they do so in one run, and every run of both is the overlap of two.
    both = _Runs(found.flags & real.flags, found.width)
    lengths = found.length_at(both.starts) + real.length_at(both.starts)
    matched = 3 * both.lengths >= lengths  # intersection >= (sum - intersection) / 2
    tp, predicted, true = (
        np.bincount(rows, minlength=shape[0] * shape[1]).reshape(shape)
        for rows in (both.rows[matched], found.rows, real.rows)
    )
    return F1Counts(tp, predicted - tp, true - tp)


def _in_a_row(flags: np.ndarray) -> np.ndarray:
    """Rows of segments one after the other, a zero before each and after the last, (R (T + 1) + 1,)."""
    rows = np.zeros((flags.shape[0] * flags.shape[1], flags.shape[2] + 1), bool)
    rows[:, 1:] = flags.reshape(len(rows), -1)
    return np.append(rows.ravel(), False)


class _Runs:
    """Longest runs of ones.

    Args:
        flags: Of :func:`_in_a_row`.
        width: T + 1.
    """

    def __init__(self, flags: np.ndarray, width: int) -> None:
        self.flags, self.width = flags, width
        changes = np.flatnonzero(flags[1:] != flags[:-1]) + 1
        self.starts = changes[::2]
        self.lengths = changes[1::2] - self.starts

    @property
    def rows(self) -> np.ndarray:
        """Row of each run."""
        return self.starts // self.width

    def length_at(self, places: np.ndarray) -> np.ndarray:
        """Lengths of the runs that these places lie in."""
        return self.lengths[np.searchsorted(self.starts, places, side='right') - 1]


def _summarize(counts: Counts, level: str) -> dict[str, float]:
    audio, visual = counts[f'{level}_audio'], counts[f'{level}_visual']
    scores = {modality: _mean_f1(counts[f'{level}_{modality}']) for modality in MODALITIES}
    scores['type_av'] = sum(scores.values()) / len(MODALITIES)
    scores['event_av'] = _mean_f1(F1Counts(*(a + v for a, v in zip(audio, visual))))
    return {f'{level}_{name}': score for name, score in scores.items()}


def _mean_f1(counts: F1Counts) -> float:
    f1 = counts.f1()
    present = ~np.isnan(f1)
    number = present.sum(1)
    of_videos = np.where(number > 0, np.nansum(f1, 1) / np.maximum(number, 1), 1.0)
    return 100 * float(of_videos.mean())
