"""Benchmark of the metric of video parsing.

Shapes: V videos, C classes, T segments.
"""

import numpy as np

from mmav.evaluation import llp_f1

from .pairs import Comparison, pinned_threads, time_pairs

CLASSES, SEGMENTS = 25, 10


def looped_llp_f1(
    pred_audio: np.ndarray, pred_visual: np.ndarray, gt_audio: np.ndarray, gt_visual: np.ndarray
) -> dict[str, float]:
    """:func:`mmav.evaluation.llp_f1` with loops over videos, classes and events; arguments are the same."""
    scores: dict[str, list[float]] = {}
    for audio, visual, true_audio, true_visual in zip(pred_audio, pred_visual, gt_audio, gt_visual):
        pairs = dict(
            audio=(audio, true_audio),
            visual=(visual, true_visual),
            audio_visual=(audio * visual, true_audio * true_visual),
        )
        for level, count in (('segment', _count_segments), ('event', _count_events)):
            counts = {name: [count(p, t) for p, t in zip(pred, true)] for name, (pred, true) in pairs.items()}
            counts['event_av'] = [
                tuple(a + v for a, v in zip(*both)) for both in zip(counts['audio'], counts['visual'])
            ]
            for name, rows in counts.items():
                found = [2 * tp / (2 * tp + fp + fn) for tp, fp, fn in rows if tp + fp + fn]
                value = sum(found) / len(found) if found else 1.0
                scores.setdefault(f'{level}_{name}', []).append(value)
    means = {name: 100 * sum(values) / len(values) for name, values in scores.items()}
    for level in ('segment', 'event'):
        types = [means[f'{level}_{name}'] for name in ('audio', 'visual', 'audio_visual')]
        means[f'{level}_type_av'] = sum(types) / 3
    return means


def _count_segments(pred: np.ndarray, true: np.ndarray) -> tuple[int, int, int]:
    tp = np.sum(pred * true)
    return tp, np.sum(pred * (1 - true)), np.sum((1 - pred) * true)


def _count_events(pred: np.ndarray, true: np.ndarray) -> tuple[int, int, int]:
    found, real = _list_events(pred), _list_events(true)
    hits = sum(any(_iou(event, other) >= 0.5 for other in real) for event in found)
    missed = sum(not any(_iou(event, other) >= 0.5 for other in found) for event in real)
    return hits, len(found) - hits, missed


def _list_events(row: np.ndarray) -> list[tuple[int, int]]:
    events, start = [], None
    for index, value in enumerate([*row.tolist(), 0]):
        if value and start is None:
            start = index
        elif not value and start is not None:
            events.append((start, index))
            start = None
    return events


def _iou(first: tuple[int, int], second: tuple[int, int]) -> float:
    shared = max(0, min(first[1], second[1]) - max(first[0], second[0]))
    return shared / (first[1] - first[0] + second[1] - second[0] - shared)


def parsed_videos(videos: int, seed: int = 0) -> list[np.ndarray]:
    """Events as of a test set: about two classes a video, predictions that differ from the truth.

    Args:
        videos: V.
        seed: Of the random events.

    Returns:
        Predicted audio and visual, true audio and visual, (V, C, T) of 0 and 1, int64.
    """
    rng = np.random.default_rng(seed)
    arrays = []
    for _ in range(4):
        present = rng.random((videos, CLASSES, 1)) < 2 / CLASSES
        arrays.append((present & (rng.random((videos, CLASSES, SEGMENTS)) < 0.7)).astype(int))
    agree = rng.random((videos, CLASSES, SEGMENTS)) < 0.8
    return [np.where(agree, arrays[2], arrays[0]), np.where(agree, arrays[3], arrays[1]), *arrays[2:]]


def llp_metric(videos: int = 1200, repeats: int = 5, threads: int = 1) -> list[Comparison]:
    """Time of ``llp_f1`` on a test set as large as LLP's, against loops.

    Args:
        videos: V.
        repeats: Pairs.
        threads: Of numpy.

    Returns:
        One comparison.

    Raises:
        AssertionError: If both do not give the same figures.
    """
    events = parsed_videos(videos)
    with pinned_threads(threads):
        mine, theirs = llp_f1(*events), looped_llp_f1(*events)
        assert set(mine) == set(theirs)
        for name, value in theirs.items():
            np.testing.assert_allclose(mine[name], value, rtol=1e-9, err_msg=name)
        ours, reference = time_pairs(
            lambda: llp_f1(*events), lambda: looped_llp_f1(*events), repeats, warm_up=0
        )
    return [
        Comparison(
            'llp-metric',
            'ten F1 scores of a test set',
            'llp_f1',
            'loops over videos, classes and events',
            'gain',
            target=50,
            ours_values=ours,
            reference_values=reference,
            settings=dict(videos=videos, threads=threads),
            checked='all ten scores',
        )
    ]
