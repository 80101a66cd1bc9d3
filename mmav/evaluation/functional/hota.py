"""HOTA: one figure for how well objects are detected and how well they keep their tracks.

Shapes: m objects and n tracked boxes of a frame, A localization thresholds; in all frames O objects and R
tracks, S pairs of an object and a box of one frame, P different pairs of an object and a track.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

ALPHAS = np.arange(1, 20) * 0.05
"""Localization thresholds 0.05, 0.10, ..., 0.95, over which the figure is averaged."""


def hota_counts(
    object_ids: Sequence[np.ndarray], track_ids: Sequence[np.ndarray], similarities: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """What HOTA needs of one sequence; sums of these over sequences go into :func:`hota`.

    Boxes are matched in each frame so that the sum of similarity times alignment is greatest, where the
    alignment of an object and a track is the share of their boxes that go together over the whole sequence.

    Args:
        object_ids: (m,) for each frame, no id twice in a frame.
        track_ids: (n,) for each frame, likewise.
        similarities: (m, n) for each frame, in 0..1, e.g. IoU.

    Returns:
        Arrays (A,): ``true_positives``, ``false_negatives``, ``false_positives`` and
        ``association``, the sum over the true positives of their association score A(c).

    Example:
        >>> tracks = [np.array([7]), np.array([8])]  # object 1 is found twice, as two tracks
        >>> counts = hota_counts([np.array([1])] * 2, tracks, similarities=[np.ones((1, 1))] * 2)
        >>> {name: float(values[0]) for name, values in counts.items()}
        {'true_positives': 2.0, 'association': 1.0, 'false_negatives': 0.0, 'false_positives': 0.0}
    """
    # ids (O,) and (R,); the index of each box's id, for each frame (m,) and (n,)
    objects, object_index = np.unique(np.concatenate([*object_ids, []]), return_inverse=True)
    tracks, track_index = np.unique(np.concatenate([*track_ids, []]), return_inverse=True)
    object_index = np.split(object_index, np.cumsum([len(ids) for ids in object_ids])[:-1])
    track_index = np.split(track_index, np.cumsum([len(ids) for ids in track_ids])[:-1])

    # all pairs of all frames in a row, (S,) each: which of the P, how alike, which share of their likeness
    keys = [rows[:, None] * len(tracks) + columns for rows, columns in zip(object_index, track_index)]
    pairs, pair_index = np.unique(
        np.concatenate([*(frame.ravel() for frame in keys), []]).astype(np.int64), return_inverse=True
    )
    alike = np.concatenate([*(np.asarray(frame, dtype=float).ravel() for frame in similarities), []])
    shares = np.concatenate([*(_shares(frame).ravel() for frame in similarities), []])

    lengths = [  # boxes of each object (O,) and of each track (R,)
        np.bincount(np.concatenate([*index, []]).astype(np.int64), minlength=len(ids))
        for index, ids in ((object_index, objects), (track_index, tracks))
    ]
    both = lengths[0][pairs // max(len(tracks), 1)] + lengths[1][pairs % max(len(tracks), 1)]
    together = np.bincount(pair_index, weights=shares, minlength=len(pairs))
    alignment = together / (both - together)  # (P,), as the two before

    scores = alignment[pair_index] * alike  # (S,)
    matched, start = [], 0
    for rows, columns in zip(object_index, track_index):
        stop = start + len(rows) * len(columns)
        if stop > start:
            frame = scores[start:stop].reshape(len(rows), len(columns))  # (m, n)
            i, j = linear_sum_assignment(frame, maximize=True)
            matched.append(start + i * len(columns) + j)
        start = stop
    matched = np.concatenate([*matched, []]).astype(np.int64)  # places among the S pairs

    counts = {name: np.zeros(len(ALPHAS)) for name in ('true_positives', 'association')}
    for place, alpha in enumerate(ALPHAS):
        hits = pair_index[matched[alike[matched] >= alpha - np.finfo(float).eps]]
        number = np.bincount(hits, minlength=len(pairs))  # (P,)
        counts['true_positives'][place] = len(hits)
        counts['association'][place] = (number * (number / (both - number))).sum()
    return dict(
        counts,
        false_negatives=lengths[0].sum() - counts['true_positives'],
        false_positives=lengths[1].sum() - counts['true_positives'],
    )


def _shares(similarity: np.ndarray) -> np.ndarray:
    """Each pair's similarity in proportion to all that its object and its box have in this frame."""
    similarity = np.asarray(similarity, dtype=float)
    union = similarity.sum(axis=0) + similarity.sum(axis=1)[:, None] - similarity
    return np.divide(similarity, union, out=np.zeros_like(similarity), where=union > np.finfo(float).eps)


def hota(counts: dict[str, np.ndarray]) -> dict[str, float]:
    """HOTA and its two parts, averaged over the thresholds.

    Args:
        counts: Sums of :func:`hota_counts` over the sequences.

    Returns:
        ``hota``, ``det_a`` (detection accuracy) and ``ass_a`` (association accuracy) in
        percent; NaN where there are neither objects nor tracks.

    Source: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking" (IJCV 2021),
    equations 9 to 17.

    Example:
        >>> counts = dict(true_positives=[3], false_negatives=[1], false_positives=[0], association=[1.0])
        >>> figures = hota({name: np.array(values) for name, values in counts.items()})
        >>> {name: round(value, 4) for name, value in figures.items()}  # the root of 3/4 times 1/3
        {'hota': 50.0, 'det_a': 75.0, 'ass_a': 33.3333}
    """
    hits = counts['true_positives']
    boxes = hits + counts['false_negatives'] + counts['false_positives']
    if not boxes.all():
        return dict.fromkeys(('hota', 'det_a', 'ass_a'), float('nan'))
    detection = hits / boxes
    association = counts['association'] / np.maximum(hits, 1)
    values = dict(hota=np.sqrt(detection * association), det_a=detection, ass_a=association)
    return {name: 100 * float(value.mean()) for name, value in values.items()}
