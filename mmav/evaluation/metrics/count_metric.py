"""How well a classifier counts."""

import torch
from mmdet.registry import METRICS
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from ...compat import check_package
from ..functional import count_scores

check_package('mmpretrain', 'CountMetric')
from mmpretrain.evaluation import ConfusionMatrix  # noqa: E402


@METRICS.register_module(force=True)
class CountMetric(ConfusionMatrix):
    """mmpretrain's confusion table of a classifier that counts, printed, with the scores that follow from it.

    Figures: ``count/mean_absolute_error``, ``count/bias``, ``count/most_frequent`` (see
    :func:`mmav.evaluation.count_scores`) and the table as ``count/confusion`` (true numbers in
    rows). Accuracy is ``mmpretrain.Accuracy``'s.

    Args:
        **kwargs: Of mmpretrain's ``ConfusionMatrix``.

    Example:
        >>> metric, one = CountMetric(num_classes=2), torch.tensor([1])
        >>> metric.process({}, [dict(pred_label=one, gt_label=one), dict(pred_label=one, gt_label=0 * one)])
        >>> figures = metric.evaluate(size=2)
        >>> figures['count/mean_absolute_error'], figures['count/confusion'].tolist()
        (0.5, [[0, 1], [0, 1]])
    """

    default_prefix = 'count'

    def compute_metrics(self, results: list[dict]) -> dict[str, float | torch.Tensor]:
        """Compute the scores of ``gt_label`` and ``pred_label`` of all frames and log the table."""
        confusion = super().compute_metrics(results)['result'].cpu()
        last = len(confusion) - 1
        names = [*map(str, range(last)), f'{last}+']
        rows = [['true \\ predicted', *names, 'correct']]
        for name, row in zip(names, confusion.tolist()):
            total = sum(row)
            share = f'{100 * row[len(rows) - 1] / total:.1f} %' if total else '-'
            rows.append([name, *map(str, row), share])
        MMLogger.get_current_instance().info('\n' + AsciiTable(rows).table)
        return dict(count_scores(confusion.numpy()), confusion=confusion)
