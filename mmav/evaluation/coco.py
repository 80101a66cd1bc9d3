"""COCO files in evaluation: ground truth of an image, detections, and average precision.

Shapes: n detections, m true boxes of an image.
"""

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
from faster_coco_eval import COCOeval_faster

from mmav.media.coco_file import CheckedCOCO
from mmav.utils.errors import SampleError
from mmav.utils.storage import local_copy


def load_coco(ann_file: str, backend_args: dict | None = None) -> CheckedCOCO:
    """Load an annotation file.

    Args:
        ann_file: COCO file, of any of mmengine's file backends.
        backend_args: File backend of the file.

    Raises:
        SampleError: As of :func:`mmav.media.coco_file.read_coco`.
    """
    with local_copy(ann_file, backend_args) as path:
        return CheckedCOCO(path, source=ann_file)


def check_one_frame(coco: CheckedCOCO, paths: dict, sample: Mapping) -> None:
    """A frame is in an annotation file, where its id means that one alone: a test set may join several.

    Args:
        coco: The loaded annotation file.
        paths: Paths of the frames by id that came before; the sample's is added.
        sample: With ``img_id`` and, if known, ``img_path``.

    Raises:
        SampleError: The file has no image of that id, or another frame has it.
    """
    if sample['img_id'] not in coco.imgs:
        raise SampleError(
            str(sample.get('img_path')),
            f"its id {sample['img_id']} is not in the metric's ann_file: give that of the test set, or none",
        )
    path = paths.setdefault(sample['img_id'], sample.get('img_path'))
    if path != sample.get('img_path'):
        raise SampleError(
            str(sample.get('img_path')),
            f'has the id {sample["img_id"]}, as {path} has: the test set joins several, of which ann_file of '
            "the metric knows one; leave it out to take the samples' own annotations",
        )


def coco_ground_truth(
    coco: CheckedCOCO, img_id: int, cat_ids: Sequence[int], keys: Sequence[str] = ()
) -> np.ndarray:
    """True boxes of one image of a COCO file, without crowds and ignored ones.

    Args:
        coco: The loaded annotation file.
        img_id: Image id.
        cat_ids: Category ids; a box's label is the place of its category here.
        keys: Further numbers of an annotation that are wanted. Defaults to none.

    Returns:
        Array (m, 5 + number of keys): x1, y1, x2, y2 in pixels, label, and the keys.

    Raises:
        SampleError: An annotation lacks one of the keys.
    """
    boxes = []
    for ann in coco.load_anns(coco.get_ann_ids(img_ids=[img_id], cat_ids=list(cat_ids))):
        if not ann.get('iscrowd', 0) and not ann.get('ignore', False):
            for key in keys:
                if ann.get(key) is None:
                    raise SampleError(f'annotation {ann["id"]} of image {img_id}', f'has no {key}')
            x, y, w, h = ann['bbox']
            extra = [ann[key] for key in keys]
            boxes.append([x, y, x + w, y + h, cat_ids.index(ann['category_id']), *extra])
    return np.asarray(boxes, dtype=float).reshape(-1, 5 + len(keys))


def stack_detections(bboxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Stack boxes (n, 4), scores (n,) and labels (n,) to the array (n, 6) of :func:`center_distance`."""
    return np.concatenate([bboxes, scores[:, None], labels[:, None]], axis=1, dtype=float)


def coco_average_precision(
    coco: CheckedCOCO, coco_dets: Sequence[dict], cat_ids: Sequence[int], img_ids: Sequence[int]
) -> dict[str, float]:
    """Average precision over some images, in percent and unrounded, as pycocotools has it.

    Args:
        coco: The ground truth.
        coco_dets: Detections in COCO's result format.
        cat_ids: Categories to average over.
        img_ids: Images to evaluate on; detections on others are left out.

    Returns:
        ``mAP`` over IoU 0.50:0.05:0.95, ``mAP_50``, ``mAP_75``. NaN without ground truth.
    """
    wanted = set(img_ids)
    coco_dets = [det for det in coco_dets if det['image_id'] in wanted]
    if not coco_dets:
        any_truth = bool(coco.get_ann_ids(img_ids=list(img_ids), cat_ids=list(cat_ids)))
        return dict.fromkeys(('mAP', 'mAP_50', 'mAP_75'), 0.0 if any_truth else float('nan'))
    with redirect_stdout(StringIO()):
        evaluation = COCOeval_faster(coco, coco.loadRes(coco_dets), 'bbox')
        evaluation.params.catIds = list(cat_ids)
        evaluation.params.imgIds = list(img_ids)
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ['all']
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision']  # (IoU, recall, category, area, max detections)

    def mean(values: np.ndarray) -> float:
        values = values[values > -1]
        return 100 * float(values.mean()) if values.size else float('nan')

    return dict(mAP=mean(precision), mAP_50=mean(precision[0]), mAP_75=mean(precision[5]))
