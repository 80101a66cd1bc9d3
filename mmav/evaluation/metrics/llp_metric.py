"""How well videos are parsed into events that sound, show, or both.

Shapes: T segments (seconds), C classes, V videos.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmav.utils.errors import SampleError

from ..functional.llp_f1 import LEVELS, MODALITIES, F1Counts, llp_counts, llp_f1
from .sample_arrays import sample_array

# key in the returned metrics -> column of the table, as the papers name them
COLUMNS = dict(audio='Audio', visual='Visual', audio_visual='AV', type_av='Type@AV', event_av='Event@AV')


@METRICS.register_module()
class LLPMetric(BaseMetric):
    """F1 of the look, listen and parse (LLP) benchmark, see :func:`mmav.evaluation.llp_f1`.

    Compares the probabilities ``pred_audio`` and ``pred_visual`` (T, C) of the data samples, cut at
    ``threshold``, with ``gt_audio`` and ``gt_visual`` (T, C). All figures are in percent:

    - ``llp/{segment,event}_{audio,visual,audio_visual,type_av,event_av}``;
    - ``llp/class/<class>/{segment,event}_{audio,visual,audio_visual}`` with ``classwise``: F1 of the class
      over all its segments or events of the set, 0 where it is only in the truth or only in the prediction;
      left out where it is in neither.

    That a segment counts only where the whole video's probability reaches 0.5, as in the published
    evaluation, is the parser's part (``video_threshold`` of ``HybridAttentionParser``).

    Args:
        threshold: A segment has an event where its probability is at least this, above 0 (at 0 every event
            is everywhere) up to 1. Defaults to 0.5.
        classwise: Whether to report each class. Defaults to False.
        **kwargs: Of ``BaseMetric``.

    Raises:
        SampleError: In use, naming the video: predictions or truth are missing, NaN, or of another shape.

    Example:
        >>> metric, pred, gt = LLPMetric(), torch.tensor([[0.9], [0.6]]), torch.tensor([[1], [0]])
        >>> metric.process({}, [dict(pred_audio=pred, pred_visual=pred, gt_audio=gt, gt_visual=gt)])
        >>> round(metric.evaluate(size=1)['llp/segment_type_av'], 2)  # 2 / 3
        66.67
    """

    default_prefix = 'llp'

    def __init__(self, threshold: float = 0.5, classwise: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < threshold <= 1:
            raise ValueError(f'threshold must be above 0 up to 1, got {threshold}')
        self.threshold = threshold
        self.classwise = classwise

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the events of one batch; SampleError as the class says."""
        for sample in data_samples:
            video = f'video {sample.get("video_id")}'
            arrays = {
                name: _array_of(sample, name, video)
                for name in ('pred_audio', 'pred_visual', 'gt_audio', 'gt_visual')
            }
            shapes = {name: array.shape for name, array in arrays.items()}
            if len(set(shapes.values())) > 1:
                raise SampleError(
                    video, f'predictions and truth must be (segments, classes) of one shape: {shapes}'
                )
            least = dict(pred_audio=self.threshold, pred_visual=self.threshold)
            self.results.append({name: array >= least.get(name, 0.5) for name, array in arrays.items()})

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute all figures, in percent, and log the tables."""
        # Shorter videos go on without events, which changes no count.
        longest = max(len(result['gt_audio']) for result in results)
        events = [
            np.stack([_lengthen(result[name], longest).T for result in results])
            for name in ('pred_audio', 'pred_visual', 'gt_audio', 'gt_visual')
        ]
        metrics = llp_f1(*events)
        rows = [['F1, percent', *COLUMNS.values()]]
        for level in LEVELS:
            rows.append([f'{level}s', *(f'{metrics[f"{level}_{name}"]:.2f}' for name in COLUMNS)])
        tables = [AsciiTable(rows).table]
        if self.classwise:
            of_classes = self._score_classes(*events)
            tables.append(_class_table(of_classes, events[2].any(2).sum(0), events[3].any(2).sum(0)))
            for name, scores in of_classes.items():
                found = {key: value for key, value in scores.items() if not np.isnan(value)}
                metrics.update({f'class/{name}/{key}': value for key, value in found.items()})
        MMLogger.get_current_instance().info('\n' + '\n'.join(tables))
        return metrics

    def _score_classes(self, *events: np.ndarray) -> dict[str, dict[str, float]]:
        """By class, with NaN where it does not occur."""
        scores = {
            name: 100 * F1Counts(*(count.sum(0) for count in counts)).f1()
            for name, counts in llp_counts(*events).items()
        }
        number = events[0].shape[1]
        classes = (self.dataset_meta or {}).get('classes') or tuple(map(str, range(number)))
        if len(classes) != number:
            raise ValueError(f'predictions are of {number} classes, the data set has {len(classes)}')
        return {
            name: {key: float(values[index]) for key, values in scores.items()}
            for index, name in enumerate(classes)
        }


def _array_of(sample: dict, name: str, video: str) -> np.ndarray:
    hint = (
        'the model must be a parser in predict mode'
        if name.startswith('pred')
        else 'the data set must read labels of segments, and PackSegmentInputs.gt_keys must name it'
    )
    array = sample_array(sample, name, video, hint)
    if array.ndim != 2 or np.isnan(array).any():
        raise SampleError(video, f'{name} must be (segments, classes) without NaN, got {array.shape}')
    return array


def _lengthen(events: np.ndarray, segments: int) -> np.ndarray:
    return np.pad(events, ((0, segments - len(events)), (0, 0)))


def _class_table(scores: dict[str, dict[str, float]], heard: np.ndarray, seen: np.ndarray) -> str:
    keys = [f'{level}_{modality}' for level in LEVELS for modality in MODALITIES]
    titles = [f'{COLUMNS[modality]}, {level}s' for level in LEVELS for modality in MODALITIES]
    rows = [['class', *titles, 'videos heard', 'videos seen']]
    for index, (name, values) in enumerate(scores.items()):
        cells = ('-' if np.isnan(values[key]) else f'{values[key]:.1f}' for key in keys)
        rows.append([name, *cells, str(heard[index]), str(seen[index])])
    return AsciiTable(rows).table
