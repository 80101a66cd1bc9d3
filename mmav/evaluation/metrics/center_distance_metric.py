"""Center distance as a metric of the evaluation loop.

Shapes: n detections and m true boxes of a frame.
"""

from collections.abc import Sequence

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from mmav.utils.checks import PROTOCOLS, check_choice

from ..coco import check_one_frame, coco_ground_truth, load_coco, stack_detections
from ..functional import center_distance


@METRICS.register_module()
class CenterDistanceMetric(BaseMetric):
    """CDx, CDy and miss rate in percent; see :func:`mmav.evaluation.center_distance`.

    :class:`MAVDMetric` holds this one and the average precisions in one table.

    Args:
        protocol: ``'paper'`` (distance of centers) or ``'official'`` (the released program's figure).
            Defaults to ``'paper'``.
        score_thr: Lowest score of a detection that counts. Defaults to 0.3.
        ann_file: COCO file with the ground truth. Without it, ``gt_instances`` of the data
            samples are used, which must be in the pixels of ``ori_shape``: load annotations after resizing,
            as MMDetection's test pipelines do. Defaults to None.
        backend_args: File backend of ``ann_file``. Defaults to None.
        collect_device: ``'cpu'`` or ``'gpu'``; see ``BaseMetric``.
        prefix: Prefix of the names. Defaults to ``'center_distance'``.

    Example:
        >>> found = dict(bboxes=torch.tensor([[0, 0, 20, 20]]), scores=torch.ones(1), labels=torch.zeros(1))
        >>> true = dict(bboxes=torch.tensor([[10, 0, 30, 20]]), labels=torch.zeros(1))
        >>> metric = CenterDistanceMetric()
        >>> metric.process({}, [dict(pred_instances=found, gt_instances=true, img_id=0, ori_shape=(50, 100))])
        >>> metric.evaluate(size=1)
        {'center_distance/CDx': 10.0, 'center_distance/CDy': 0.0, 'center_distance/miss_rate': 0.0}
    """

    default_prefix = 'center_distance'

    def __init__(
        self,
        protocol: str = 'paper',
        score_thr: float = 0.3,
        ann_file: str | None = None,
        backend_args: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_choice('CenterDistanceMetric', 'protocol', protocol, PROTOCOLS)
        self.protocol = protocol
        self.score_thr = score_thr
        self._coco = None if ann_file is None else load_coco(ann_file, backend_args)
        self._paths: dict = {}

    def _ground_truth(self, data_sample: dict) -> np.ndarray:
        if self._coco is not None:
            check_one_frame(self._coco, self._paths, data_sample)
            cat_ids = self._coco.get_cat_ids(cat_names=list(self.dataset_meta['classes']))
            return coco_ground_truth(self._coco, data_sample['img_id'], cat_ids)
        if 'gt_instances' not in data_sample:
            raise KeyError(
                'CenterDistanceMetric found no gt_instances in the data samples: put LoadAnnotations into '
                'the test pipeline, or give the metric an ann_file'
            )
        gts = data_sample['gt_instances']
        boxes = getattr(gts['bboxes'], 'tensor', gts['bboxes'])
        return np.concatenate(
            [boxes.cpu().numpy(), gts['labels'].cpu().numpy()[:, None]], axis=1, dtype=float
        )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the boxes of one batch, of samples with ``pred_instances``, ``img_id`` and ``ori_shape``."""
        for data_sample in data_samples:
            pred = data_sample['pred_instances']
            height, width = data_sample['ori_shape'][:2]
            dets = stack_detections(*(pred[key].cpu().numpy() for key in ('bboxes', 'scores', 'labels')))
            self.results.append((dets, self._ground_truth(data_sample), (width, height)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute ``CDx``, ``CDy``, ``miss_rate`` over all frames, in percent."""
        dets, gts, sizes = zip(*results)
        values = center_distance(dets, gts, np.asarray(sizes), self.protocol, self.score_thr)
        return dict(CDx=values['cd_x'], CDy=values['cd_y'], miss_rate=values['miss_rate'])
