"""Do maps stay on when the sound does not belong to the image?

Shapes: n clips with their own sound, m with another.
"""

import numpy as np
from scipy.stats import rankdata


def negative_audio_rates(
    own: np.ndarray, negatives: np.ndarray, level: float | None = None, recall: float = 0.95
) -> dict[str, float]:
    """Compare the maxima of the maps of clips with their own sound and with one that is none of theirs.

    A map is on if its maximum, not normalized, reaches the level.

    Args:
        own: (n,) maximum of the map of each clip with its own sound, n > 0.
        negatives: (m,) maximum of the map of each clip with another sound, m > 0.
        level: In the maps' units. None: the greatest that the share ``recall`` of ``own``
            reaches. Defaults to None.
        recall: From 0 to 1. Defaults to 0.95.

    Returns:
        ``level``; in percent ``true_positive_rate`` and ``false_positive_rate``, the shares of ``own`` and of
        ``negatives`` that are on, and ``auroc``, the area under the curve of these two shares over all
        levels: how often a clip with its own sound has the larger maximum, equal ones counted half; and the
        numbers ``own_clips`` and ``clips``.

    Raises:
        ValueError: If one of them is empty.

    Example:
        >>> figures = negative_audio_rates(own=np.array([0.8, 0.9]), negatives=np.array([0.1, 0.85]))
        >>> [figures[key] for key in ('level', 'true_positive_rate', 'false_positive_rate', 'auroc')]
        [0.8, 100.0, 50.0, 75.0]
    """
    own, negatives = np.asarray(own, float), np.asarray(negatives, float)
    if not own.size or not negatives.size:
        raise ValueError(f'maxima of {own.size} clips with their own sound and of {negatives.size} others')
    if level is None:
        level = np.sort(own)[::-1][max(int(np.ceil(recall * own.size)) - 1, 0)]
    ranks = rankdata(np.concatenate([own, negatives]))[: own.size]
    larger = ranks.sum() - own.size * (own.size + 1) / 2
    return dict(
        level=float(level),
        true_positive_rate=100 * float((own >= level).mean()),
        false_positive_rate=100 * float((negatives >= level).mean()),
        auroc=100 * float(larger / (own.size * negatives.size)),
        own_clips=own.size,
        clips=negatives.size,
    )
