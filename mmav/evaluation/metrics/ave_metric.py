"""Accuracy of audio-visual event localization, with a table by category.

Shapes: T segments, C categories; class C is background.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmav.utils.errors import SampleError

from ...datasets.ave import BACKGROUND
from ..functional.event_accuracy import segment_accuracy, segment_counts
from .sample_arrays import sample_array


@METRICS.register_module()
class AVEMetric(BaseMetric):
    """Share of segments whose class is right, see :func:`mmav.evaluation.segment_accuracy`.

    Compares ``pred_labels`` (T,) of the data samples with ``gt_segments`` (T, C + 1). In percent:

    - ``ave/acc``: of all segments, the published measure;
    - ``ave/event_acc``, ``ave/background_acc``: of the segments that hold an event, and of the others;
    - ``ave/relevance_acc``: of all segments, whether they hold an event;
    - ``ave/category_acc``: of the videos with an event, whether ``pred_scores`` are greatest at its category,
      background left out; where samples have them;
    - ``ave/always_background``: what ``acc`` would be if every segment were called background;
    - ``ave/class/<category>`` with ``classwise``: of the segments of each class that occurs.

    Args:
        classwise: Whether to report each class; the table in the log has them in any case. Defaults to False.
        **kwargs: Of ``BaseMetric``.

    Raises:
        SampleError: In use, naming the video: predictions or truth are missing or of another shape.

    Example:
        >>> metric, segments = AVEMetric(), torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]])
        >>> metric.process({}, [dict(pred_labels=torch.tensor([0, 1, 1, 1]), gt_segments=segments)])
        >>> figures = metric.evaluate(size=1)
        >>> figures['ave/acc'], figures['ave/event_acc'], figures['ave/always_background']
        (75.0, 50.0, 50.0)
    """

    default_prefix = 'ave'

    def __init__(self, classwise: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classwise = classwise

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the labels of one batch; SampleError as the class says."""
        for sample in data_samples:
            video = f'video {sample.get("video_id")}'
            pred = _array(sample, 'pred_labels', 1, 'the model must be DMIN or alike, in predict mode', video)
            gt = _array(sample, 'gt_segments', 2, 'the data set must read labels of segments', video)
            classes = gt.shape[1]
            if len(pred) != len(gt) or pred.dtype.kind not in 'iu' or not (0 <= pred).all():
                raise SampleError(video, f'pred_labels must be {len(gt)} classes, got {pred.tolist()}')
            if (gt.sum(1) != 1).any() or pred.max() >= classes:
                raise SampleError(video, f'each segment must have one class of {classes}, background last')
            result = dict(pred=pred, gt=gt.argmax(1), classes=classes)
            scores = sample.get('pred_scores')
            seconds = gt[:, :-1].sum(0)
            if scores is not None and seconds.any():
                scores = torch.as_tensor(scores).float().cpu().numpy()
                result['category_right'] = bool(scores[: classes - 1].argmax() == seconds.argmax())
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute all figures, in percent, and log the table.

        Raises:
            ValueError: If the videos differ in their number of classes, or the data set has another.
        """
        numbers = {result['classes'] for result in results}
        names = (self.dataset_meta or {}).get('classes')
        classes = numbers.pop()
        if numbers or (names is not None and len(names) != classes - 1):
            found = sorted({classes, *numbers})
            raise ValueError(f'labels are of {found} classes with background, the data set names {names}')
        names = (*(names or map(str, range(classes - 1))), BACKGROUND)
        pred = np.concatenate([result['pred'] for result in results])
        gt = np.concatenate([result['gt'] for result in results])
        background = gt == classes - 1
        metrics = dict(acc=segment_accuracy(pred, gt))
        for key, chosen in (('event_acc', ~background), ('background_acc', background)):
            if chosen.any():
                metrics[key] = segment_accuracy(pred[chosen], gt[chosen])
        metrics['relevance_acc'] = segment_accuracy(pred == classes - 1, background)
        right = [result['category_right'] for result in results if 'category_right' in result]
        if right:
            metrics['category_acc'] = 100 * float(np.mean(right))
        metrics['always_background'] = 100 * float(background.mean())
        counts = segment_counts(pred, gt, classes)
        MMLogger.get_current_instance().info('\n' + _table(names, counts, metrics))
        if self.classwise:
            occurring = np.flatnonzero(counts.sum(1))
            shares = {names[k]: 100 * float(counts[k, k] / counts[k].sum()) for k in occurring}
            metrics.update({f'class/{name}': share for name, share in shares.items()})
        return metrics


def _array(sample: dict, name: str, dimensions: int, hint: str, video: str) -> np.ndarray:
    array = sample_array(sample, name, video, hint)
    if array.ndim != dimensions or not array.size:
        raise SampleError(video, f'{name} must have {dimensions} dimensions, got {array.shape}')
    return array


def _table(names: Sequence[str], counts: np.ndarray, metrics: dict[str, float]) -> str:
    """Recall and precision of each class that occurs or was predicted, and what it was mostly taken for."""
    rows = [['class', 'right', 'right of predicted', 'mostly taken for', 'segments']]
    for index in np.flatnonzero(counts.sum(0) + counts.sum(1)):
        true, predicted, hits = counts[index].sum(), counts[:, index].sum(), counts[index, index]
        wrong = np.where(np.arange(len(names)) == index, 0, counts[index])
        rows.append(
            [
                names[index],
                f'{100 * hits / true:.1f}' if true else '-',
                f'{100 * hits / predicted:.1f}' if predicted else '-',
                names[int(wrong.argmax())] if wrong.any() else '-',
                str(true),
            ]
        )
    rows.append(['all', f'{metrics["acc"]:.2f}', '', '', str(counts.sum())])
    rows.append(['always background', f'{metrics["always_background"]:.2f}', '', '', str(counts.sum())])
    return AsciiTable(rows, 'percent').table
