"""The papers' table: average precision and center distance, over all frames and by condition."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmav.utils.checks import PROTOCOLS, check_choice

from ..coco import check_one_frame, coco_average_precision, coco_ground_truth, load_coco, stack_detections
from ..functional import center_distance
from .condition_rows import rows_by_condition

# column of the table -> name in the returned metrics
COLUMNS = {
    'mAP@Avg': 'mAP',
    'mAP@0.5': 'mAP_50',
    'mAP@0.75': 'mAP_75',
    'CDx': 'CDx',
    'CDy': 'CDy',
    'missed': 'miss_rate',
}


@METRICS.register_module()
class MAVDMetric(CocoMetric):
    """``CocoMetric`` that also computes center distances, by condition, and prints the papers' table.

    The table has the columns mAP@Avg, mAP@0.5, mAP@0.75, CDx, CDy (percent) and the share of missed vehicles,
    one row over all frames and one for each value of the metainfo keys ``conditions`` that occurs. The same
    figures are returned: ``mavd/mAP``, ``mavd/mAP_50``, ``mavd/mAP_75``, ``mavd/CDx``, ``mavd/CDy``,
    ``mavd/miss_rate``, and ``mavd/night/mAP`` etc.; beside them those of ``CocoMetric`` (``mavd/bbox_mAP``
    etc., fractions).

    Args:
        protocol: Of the center distance, ``'paper'`` or ``'official'``. Defaults to ``'paper'``.
        score_thr: Lowest score of a detection that counts for the center distance. Defaults to 0.3.
        conditions: Metainfo keys that give a row to each of their values. Samples where a key
            is missing or None are in none of its rows. Defaults to time of day, motion and condition.
        ann_file: COCO file of the ground truth. None: what the data samples carry. Defaults to None.
        **kwargs: Arguments of ``CocoMetric``: ``classwise``, ``outfile_prefix``,
        ``backend_args``, ...

    Example:
        >>> from contextlib import redirect_stdout
        >>> from io import StringIO
        >>> metric = MAVDMetric()
        >>> metric.dataset_meta, box = dict(classes=('car',)), [10.0, 10.0, 50.0, 40.0]
        >>> found = dict(bboxes=torch.tensor([box]), scores=torch.ones(1), labels=torch.zeros(1, dtype=int))
        >>> true = [dict(bbox=box, bbox_label=0, ignore_flag=0)]
        >>> metric.process({}, [dict(pred_instances=found, instances=true, img_id=1, ori_shape=(100, 100))])
        >>> with redirect_stdout(StringIO()):  # COCOeval prints its table
        ...     figures = metric.evaluate(size=1)
        >>> round(figures['mavd/mAP'], 2), figures['mavd/CDx']
        (100.0, 0.0)
    """

    default_prefix = 'mavd'

    def __init__(
        self,
        protocol: str = 'paper',
        score_thr: float = 0.3,
        conditions: Sequence[str] = ('time_of_day', 'motion', 'condition'),
        ann_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if ann_file is not None:  # not read by CocoMetric, which checks nothing
            self._coco_api = load_coco(ann_file, self.backend_args)
        check_choice('MAVDMetric', 'protocol', protocol, PROTOCOLS)
        self._from_file = ann_file is not None
        self._paths: dict = {}
        self._numbers: dict[tuple, int] = {}
        self.protocol = protocol
        self.score_thr = score_thr
        self.conditions = tuple(conditions)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep one batch's predictions and conditions."""
        start = len(self.results)
        super().process(data_batch, data_samples)
        for (gt, _), data_sample in zip(self.results[start:], data_samples):
            gt['conditions'] = {key: data_sample.get(key) for key in self.conditions}
            gt['img_path'] = data_sample.get('img_path')
            if self._from_file:
                check_one_frame(self._coco_api, self._paths, data_sample)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute all figures and log the table."""
        self._tell_apart(results)
        metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        if not metrics:
            # CocoMetric stops when no frame has a detection; a key for save_best must exist all the same
            metrics = {f'bbox_{name}': 0.0 for name in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')}
        rows = rows_by_condition([gt['conditions'] for gt, _ in results], self.conditions)
        table = {row: self._figures([results[i] for i in chosen]) for row, chosen in rows.items()}
        for row, figures in table.items():
            metrics.update(
                {name if row == 'all' else f'{row}/{name}': figures[name] for name in COLUMNS.values()}
            )
        MMLogger.get_current_instance().info('\n' + self._format(table))
        return metrics

    def _tell_apart(self, results: list) -> None:
        """Give frames ids of their own where a test set joins several that count from the same number."""
        if len({gt['img_id'] for gt, _ in results}) == len(results):
            return
        if self._from_file:
            raise ValueError('a frame comes twice, but its truth in ann_file once: test on each frame once')
        seen: Counter = Counter()
        for gt, pred in results:
            frame = gt['img_path'], gt['img_id']
            seen[frame] += 1
            number = self._numbers.setdefault((*frame, seen[frame]), len(self._numbers))
            gt['img_id'] = pred['img_id'] = number  # the same at each validation: the truth is kept

    def _figures(self, results: list) -> dict[str, float]:
        gts, preds = zip(*results)
        img_ids = [gt['img_id'] for gt in gts]
        coco_dets = [
            dict(
                image_id=pred['img_id'],
                bbox=self.xyxy2xywh(bbox),
                score=float(score),
                category_id=self.cat_ids[label],
            )
            for pred in preds
            for bbox, score, label in zip(pred['bboxes'], pred['scores'], pred['labels'])
        ]
        distances = center_distance(
            [stack_detections(pred['bboxes'], pred['scores'], pred['labels']) for pred in preds],
            [coco_ground_truth(self._coco_api, img_id, self.cat_ids) for img_id in img_ids],
            np.asarray([(gt['width'], gt['height']) for gt in gts]),
            self.protocol,
            self.score_thr,
        )
        return dict(
            **coco_average_precision(self._coco_api, coco_dets, self.cat_ids, img_ids),
            CDx=distances['cd_x'],
            CDy=distances['cd_y'],
            miss_rate=distances['miss_rate'],
            frames=len(results),
        )

    def _format(self, table: dict[str, dict]) -> str:
        rows = [['percent', *COLUMNS, 'frames']]
        for name, figures in table.items():
            values = ('-' if np.isnan(figures[key]) else f'{figures[key]:.2f}' for key in COLUMNS.values())
            rows.append([name, *values, str(figures['frames'])])
        return AsciiTable(rows).table
