"""How well tracks follow the true objects: the CLEAR MOT figures, IDF1 and HOTA.

Shapes: m objects and n tracked boxes of a frame.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps

from .hota import hota, hota_counts

if TYPE_CHECKING:
    import motmetrics

Frame = tuple[np.ndarray, np.ndarray]

COUNTS = dict(
    num_switches='num_switches',
    num_fragmentations='num_fragmentations',
    num_false_positives='num_false_positives',
    num_misses='num_misses',
    num_frames='num_frames',
    num_objects='num_objects',
    num_tracks='num_unique_objects',
)
"""Counts in the results, and their names in motmetrics."""

_METRICS = ('mota', 'idf1', *COUNTS.values())


@functools.cache
def _host() -> 'motmetrics.metrics.MetricsHost':
    import motmetrics

    return motmetrics.metrics.create()


def sequence_counts(frames: Sequence[Frame], iou_thr: float = 0.5, name: str = 'sequence') -> dict:
    """Compare truth (m, 6) and tracks (n, 6) of one sequence, in order of time, for :func:`combine_counts`.

    See :func:`tracking_metrics`. ValueError, which begins with ``name``, for an array of another shape, or an
    id that comes twice in a frame.
    """
    import motmetrics  # with pandas a third of a second

    frames = [
        (
            _as_tracks(truth, f'truth of {name}, frame {number}'),
            _as_tracks(tracks, f'tracks of {name}, frame {number}'),
        )
        for number, (truth, tracks) in enumerate(frames, 1)
    ]
    similarities = _similarities(frames)
    accumulator = motmetrics.MOTAccumulator()
    # motmetrics takes the first solver that it finds, and solvers may settle ties differently
    with motmetrics.lap.set_default_solver('scipy'):
        for number, ((truth, tracks), similarity) in enumerate(zip(frames, similarities)):
            distances = np.where(similarity >= iou_thr, 1 - similarity, np.nan)
            accumulator.update(truth[:, 5], tracks[:, 5], distances, frameid=number)
        clear = _host().compute(accumulator, metrics=_METRICS, return_dataframe=False, return_cached=True)
    clear.pop('id_global_assignment')  # square matrices of all tracks
    object_ids, track_ids = ([frame[side][:, 5] for frame in frames] for side in (0, 1))
    return dict(clear=clear, hota=hota_counts(object_ids, track_ids, similarities))


def combine_counts(counts: Sequence[dict]) -> dict[str, float]:
    """Figures of :func:`tracking_metrics` over several sequences from their :func:`sequence_counts`."""
    clear = _host().compute_overall(
        [part['clear'] for part in counts], metrics=_METRICS, return_dataframe=False
    )
    sums = {key: sum(part['hota'][key] for part in counts) for key in counts[0]['hota']}
    rates = {name: 100 * float(clear[name]) for name in ('mota', 'idf1')}
    rates.update(hota(sums))
    return dict(
        {name: value if np.isfinite(value) else float('nan') for name, value in rates.items()},
        **{name: int(clear[source]) for name, source in COUNTS.items()},
    )


def tracking_metrics(sequences: Sequence[Sequence[Frame]], iou_thr: float = 0.5) -> dict[str, float]:
    """Compare tracks with the truth over several sequences, by motmetrics.

    Objects and tracks of one class with an IoU of at least ``iou_thr`` may match; other classes never do.
    HOTA has its own thresholds from 0.05 to 0.95, and is ours, as motmetrics 1.4 has none.

    Args:
        sequences: Sequences of frames in order of time, each a pair of arrays: truth (m, 6) and
            tracks (n, 6), both x1, y1, x2, y2 in pixels, label, id. Ids hold within a sequence.
        iou_thr: Lowest IoU of a match. Defaults to 0.5.

    Returns:
        ``mota``, ``idf1``, ``hota`` and its parts ``det_a`` and ``ass_a`` in percent, NaN where nothing can
        be divided by; ``num_switches``, ``num_fragmentations``, ``num_false_positives``, ``num_misses``
        (false negatives); ``num_frames``, ``num_objects`` (true boxes), ``num_tracks`` (true tracks).

    Raises:
        ValueError: No sequence, an array of another shape, or an id that comes twice in a frame.

    Source: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance" (2008); Ristani et
    al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking" (2016).

    Example:
        >>> box = [0, 0, 10, 10, 0]  # object 1 is followed by track 7, then by track 8
        >>> frames = [(np.array([[*box, 1]]), np.array([[*box, track]])) for track in (7, 8)]
        >>> figures = tracking_metrics([frames])
        >>> figures['mota'], figures['idf1'], figures['num_switches']
        (50.0, 50.0, 1)
    """
    if not sequences:
        raise ValueError('there is no sequence to evaluate')
    return combine_counts(
        [sequence_counts(frames, iou_thr, f'sequence {number}') for number, frames in enumerate(sequences, 1)]
    )


def _as_tracks(boxes: np.ndarray, name: str) -> np.ndarray:
    boxes = np.asarray(boxes, dtype=float)
    if boxes.size == 0:
        return np.zeros((0, 6))
    if boxes.ndim != 2 or boxes.shape[1] != 6:
        raise ValueError(f'{name} must have the shape (n, 6), got {boxes.shape}')
    if len(np.unique(boxes[:, 5])) < len(boxes):
        raise ValueError(f'{name}: an id comes twice: {boxes[:, 5].tolist()}')
    return boxes


def _similarities(frames: Sequence[Frame]) -> list[np.ndarray]:
    """IoU (m, n) of each frame, 0 between classes; of all frames' pairs at once."""
    left = [np.repeat(truth, len(tracks), axis=0) for truth, tracks in frames]
    right = [np.tile(tracks, (len(truth), 1)) for truth, tracks in frames]
    first, second = (np.concatenate([*pairs, np.zeros((0, 6))]) for pairs in (left, right))
    corners = (torch.from_numpy(np.ascontiguousarray(boxes[:, :4])) for boxes in (first, second))
    iou = np.where(first[:, 4] == second[:, 4], bbox_overlaps(*corners, is_aligned=True).numpy(), 0.0)
    places = np.cumsum([len(pairs) for pairs in left])[:-1]
    return [
        part.reshape(len(truth), len(tracks)) for part, (truth, tracks) in zip(np.split(iou, places), frames)
    ]
