"""Accuracy of cross-modality localization, with a table by the length of the query.

Shapes: T segments, K segments of a query.
"""

from collections.abc import Sequence

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmav.utils.errors import SampleError

from ..functional.event_accuracy import window_accuracy, window_chance
from .sample_arrays import sample_array


@METRICS.register_module()
class CrossModalityMetric(BaseMetric):
    """Share of queries answered with exactly the right stretch, see :func:`mmav.evaluation.window_accuracy`.

    Compares ``pred_start`` () of the data samples with the first segment of ``gt_segments`` (T, 1), for
    queries with sound (A2V) as with images (V2A); which it is, the model's ``direction`` says. In percent:

    - ``cross_modality/acc``: the start is right;
    - ``cross_modality/within_1``: it is at most one segment off;
    - ``cross_modality/chance``: what ``acc`` would be if answers were drawn at random;
    - ``cross_modality/first``: what it would be if every answer began with the video.

    Arguments are those of ``BaseMetric``; ``prefix`` may be 'a2v' or 'v2a'.

    Raises:
        SampleError: In use, naming the video: prediction or truth is missing or makes no sense.

    Example:
        >>> metric = CrossModalityMetric(prefix='a2v')
        >>> metric.process({}, [dict(pred_start=1, gt_segments=torch.tensor([[0], [1], [1]]))])
        >>> metric.evaluate(size=1)
        {'a2v/acc': 100.0, 'a2v/within_1': 100.0, 'a2v/chance': 50.0, 'a2v/first': 0.0}
    """

    default_prefix = 'cross_modality'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the answers of one batch; SampleError as the class says."""
        for sample in data_samples:
            video = f'video {sample.get("video_id")}'
            start = int(
                sample_array(
                    sample, 'pred_start', video, 'the model must be DCMR or alike, in predict mode'
                ).item()
            )
            segments = sample_array(
                sample, 'gt_segments', video, 'the data set must read the seconds of the event'
            )
            if segments.ndim != 2 or segments.shape[1] != 1:
                raise SampleError(video, f'gt_segments must be (segments, 1), got {segments.shape}')
            event = np.flatnonzero(segments[:, 0] > 0.5)
            if not len(event) or event[-1] - event[0] != len(event) - 1:
                raise SampleError(video, f'the event must be one stretch of segments, got {event.tolist()}')
            if not 0 <= start <= len(segments) - len(event):
                raise SampleError(
                    video, f'{len(event)} segments from {start} on do not fit into {len(segments)}'
                )
            self.results.append(
                dict(pred=start, gt=int(event[0]), length=len(event), num_segments=len(segments))
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute all figures, in percent, and log the table."""
        columns = {key: np.array([result[key] for result in results]) for key in results[0]}
        rows = [['seconds of the query', 'right', 'at most 1 off', 'chance', 'queries']]
        for length in np.unique(columns['length']):
            chosen = columns['length'] == length
            values = _score({key: column[chosen] for key, column in columns.items()})
            rows.append([str(length), *_cells(values), str(chosen.sum())])
        metrics = _score(columns)
        rows.append(['all', *_cells(metrics), str(len(results))])
        MMLogger.get_current_instance().info('\n' + AsciiTable(rows, 'percent').table)
        return metrics


def _score(columns: dict[str, np.ndarray]) -> dict[str, float]:
    pred, gt = columns['pred'], columns['gt']
    return dict(
        acc=window_accuracy(pred, gt),
        within_1=window_accuracy(pred, gt, tolerance=1),
        chance=window_chance(columns['length'], columns['num_segments']),
        first=window_accuracy(np.zeros_like(gt), gt),
    )


def _cells(values: dict[str, float]) -> list[str]:
    return [f'{values[key]:.2f}' for key in ('acc', 'within_1', 'chance')]
