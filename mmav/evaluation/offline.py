"""The table of a test without a model: for detections that come from elsewhere.

Shapes: n detections of an image.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData

from .coco import coco_ground_truth, load_coco
from .functional import mean_box_predictions
from .metrics import MAVDMetric


def evaluate_detections(
    ann_file: str, predictions: Sequence[np.ndarray], backend_args: dict | None = None, **kwargs: Any
) -> dict[str, float]:
    """Evaluate detections on a COCO file as :class:`MAVDMetric` does in a test, and log its table.

    Args:
        ann_file: COCO file with the ground truth. Conditions are read from its images.
        predictions: An array (n, 6) for each image, in the file's order: x1, y1, x2,
            y2 in pixels, score, label (place of the category in the file's order of ids).
        backend_args: File backend of ``ann_file``. Defaults to None.
        **kwargs: Arguments of :class:`MAVDMetric`, which says what the metrics are.

    Raises:
        ValueError: There are not as many predictions as images.
    """
    metric = MAVDMetric(ann_file=ann_file, backend_args=backend_args, **kwargs)
    coco = metric._coco_api
    images = coco.load_imgs(coco.get_img_ids())
    if len(images) != len(predictions):
        raise ValueError(f'{len(predictions)} predictions for the {len(images)} images of {ann_file}')
    metric.dataset_meta = dict(
        classes=tuple(cat['name'] for cat in coco.load_cats(sorted(coco.get_cat_ids())))
    )
    for image, found in zip(images, predictions):
        dets = torch.as_tensor(np.asarray(found, dtype=np.float32).reshape(-1, 6))
        sample = {key: image.get(key) for key in metric.conditions}
        sample.update(
            img_id=image['id'],
            ori_shape=(image['height'], image['width']),
            pred_instances=InstanceData(bboxes=dets[:, :4], scores=dets[:, 4], labels=dets[:, 5].long()),
        )
        metric.process({}, [sample])
    return metric.evaluate(len(images))


def evaluate_mean_box(
    train_file: str, test_file: str, backend_args: dict | None = None, **kwargs: Any
) -> dict[str, float]:
    """Evaluate the constant-box baseline, see :func:`mean_box_predictions`.

    Args:
        train_file: COCO file whose boxes are averaged.
        test_file: COCO file to test on.
        backend_args: File backend of both. Defaults to None.
        **kwargs: Arguments of :class:`MAVDMetric`.

    Returns:
        Metrics by name.
    """
    coco = load_coco(train_file, backend_args)
    frames = len(load_coco(test_file, backend_args).get_img_ids())
    cat_ids = sorted(coco.get_cat_ids())
    boxes = [coco_ground_truth(coco, img_id, cat_ids) for img_id in coco.get_img_ids()]
    return evaluate_detections(test_file, mean_box_predictions(boxes, frames), backend_args, **kwargs)
