"""Pseudo labels: the boxes of several visual teachers fused into one set of boxes a frame.

A teacher is any detector of one visual modality (rgb, thermal, depth). All functions here are pure: the
tool that labels a data set and a distiller that labels while it trains call the same ones.

Letters in shapes: N boxes of a frame, M modalities.
"""

from collections.abc import Mapping, Sequence

import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image


def as_label_boxes(prediction: InstanceData, image_shape: tuple[int, int]) -> InstanceData:
    """Bring a detector's boxes into the form in which labels are written: float32, inside the image.

    Args:
        prediction: ``bboxes`` (N, 4) x1 y1 x2 y2 in pixels of the image, a tensor or mmdet's box type,
            ``scores`` (N,) and ``labels`` (N,), which the result has, too.
        image_shape: (height, width) of the image.
    """
    boxes = clip_boxes_to_image(get_box_tensor(prediction.bboxes).float(), tuple(image_shape[:2]))
    # files hold hundredths of a pixel: rounded here, no later rounding undercuts min_size
    boxes = boxes.mul(100).round().div(100)
    return InstanceData(bboxes=boxes, scores=prediction.scores.float(), labels=prediction.labels)


def select_confident(prediction: InstanceData, score_thr: float = 0.3, min_size: float = 1.0) -> InstanceData:
    """Boxes of one teacher in one frame that may become labels, in their order; see :func:`fuse_predictions`.

    A score or size equal to the least one stays; training would drop boxes narrower or lower than a pixel.

    Raises:
        ValueError: If boxes or scores are not finite.
    """
    bboxes, scores = prediction.bboxes, prediction.scores
    if not (torch.isfinite(bboxes).all() and torch.isfinite(scores).all()):
        raise ValueError('a teacher predicts boxes or scores that are not finite: check its checkpoint')
    sides = bboxes[:, 2:] - bboxes[:, :2]
    return prediction[(scores >= score_thr) & (sides >= min_size).all(dim=1)]


def fuse_predictions(
    predictions: Mapping[str, InstanceData],
    score_thr: float = 0.3,
    nms_iou: float = 0.5,
    min_size: float = 1.0,
) -> InstanceData:
    """Fuse the boxes of several teachers by score threshold and class-wise non-maximum suppression.

    The rule of MM-DistillNet (section on the training data): all teachers' boxes of a frame together,
    score >= 0.3, NMS within each class at IoU 0.5. The box that survives keeps its own corners and score.

    Args:
        predictions: Boxes by modality, each with ``bboxes`` (N, 4) x1 y1 x2 y2 in pixels of the same image,
            ``scores`` (N,) and ``labels`` (N,) in one label space. Between equal scores the modality named
            first wins.
        score_thr: Least score of a box.
        nms_iou: A box with a higher IoU to a better box of its class is suppressed.
        min_size: Least width and height of a box, in pixels.

    Returns:
        ``bboxes`` (N, 4) float32, ``scores`` (N,), ``labels`` (N,) and ``modality_ids`` (N,): positions in
        ``predictions``; best score first. N may be 0.

    Raises:
        ValueError: If there are no teachers, or a box or score is not finite.
    """
    if not predictions:
        raise ValueError('fuse_predictions needs the boxes of at least one teacher')
    kept = [select_confident(prediction, score_thr, min_size) for prediction in predictions.values()]
    # under autocast scores come as half floats, whose ties and IoUs would differ from the off-line labels'
    bboxes = torch.cat([boxes.bboxes.float() for boxes in kept])
    scores = torch.cat([boxes.scores.float() for boxes in kept])
    labels = torch.cat([boxes.labels for boxes in kept])
    modality_ids = torch.cat([torch.full_like(boxes.labels, i) for i, boxes in enumerate(kept)])
    order = batched_nms(bboxes, scores, labels, nms_iou)
    return InstanceData(
        bboxes=bboxes[order], scores=scores[order], labels=labels[order], modality_ids=modality_ids[order]
    )


def count_agreement(
    predictions: Mapping[str, InstanceData],
    score_thr: float = 0.3,
    iou_thr: float = 0.5,
    min_size: float = 1.0,
) -> Tensor:
    """Count how many boxes of each teacher another teacher sees too, at ``iou_thr`` or more.

    Returns:
        (M, M) int64. Row i, column j: boxes of modality i, of those that :func:`fuse_predictions` takes, that
        agree with a box of modality j. The diagonal holds the number of boxes of modality i.
    """
    kept = [select_confident(prediction, score_thr, min_size) for prediction in predictions.values()]
    counts = torch.zeros((len(kept), len(kept)), dtype=torch.int64)
    for i, first in enumerate(kept):
        for j, second in enumerate(kept):
            if i == j:
                counts[i, i] = len(first)
            elif len(first) and len(second):
                same_class = first.labels[:, None] == second.labels[None, :]
                ious = box_iou(first.bboxes.float(), second.bboxes.float())
                counts[i, j] = ((ious >= iou_thr) & same_class).any(dim=1).sum()
    return counts


def build_coco(
    frames: Sequence[Mapping],
    classes: Sequence[str],
    modalities: Sequence[str],
    keep_empty: bool = True,
    info: Mapping | None = None,
) -> dict:
    """Turn labeled frames into a COCO dictionary.

    Args:
        frames: One a frame: ``image`` (dict with ``file_name``, ``width``, ``height`` and whatever else is
            known of the frame), ``bboxes`` (N x 4, x1 y1 x2 y2 in pixels), ``scores`` (N), ``labels`` (N) and
            ``modality_ids`` (N), as plain lists.
        classes: Class names; label 0 becomes category 1.
        modalities: Modality names that ``modality_ids`` point into.
        keep_empty: Whether frames without a box stay, as images without annotations.
        info: What to say about the origin, as COCO's ``info``.

    Returns:
        A COCO dictionary; widths and heights are rounded to 0.01 pixels. Annotations have ``score`` and
        ``modality`` besides COCO's keys; images and annotations are numbered from 1 in the order of
        ``frames``.
    """
    images: list[dict] = []
    annotations: list[dict] = []
    for frame in frames:
        if not frame['bboxes'] and not keep_empty:
            continue
        images.append(dict(frame['image'], id=len(images) + 1))
        boxes = zip(frame['bboxes'], frame['scores'], frame['labels'], frame['modality_ids'])
        for (x1, y1, x2, y2), score, label, modality_id in boxes:
            width, height = round(x2 - x1, 2), round(y2 - y1, 2)
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=images[-1]['id'],
                    category_id=label + 1,
                    bbox=[x1, y1, width, height],
                    area=width * height,
                    iscrowd=0,
                    score=score,
                    modality=modalities[modality_id],
                )
            )
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(classes)]
    return dict(info=dict(info or {}), categories=categories, images=images, annotations=annotations)


def merge_labels(human: Mapping, pseudo: Mapping) -> dict:
    """Put human and pseudo labels into one COCO dictionary; in a frame that has both the human's win.

    Args:
        human: COCO dictionary of the labeled frames. All of its images stay, also those without boxes:
            a human found none there.
        pseudo: COCO dictionary of :func:`build_coco`. Its images with a ``file_name`` that ``human`` has
            are left out with their boxes.

    Returns:
        A COCO dictionary with the human frames first, numbered anew from 1; ``categories`` are ``human``'s.

    Raises:
        ValueError: If ``pseudo`` has a class that ``human`` has not.
    """
    category_ids = {category['name']: category['id'] for category in human['categories']}
    unknown = [c['name'] for c in pseudo['categories'] if c['name'] not in category_ids]
    if unknown:
        raise ValueError(
            f'the pseudo labels have classes {unknown} that the human labels have not '
            f"({list(category_ids)}): map the teachers' classes to those"
        )
    renamed = {c['id']: category_ids[c['name']] for c in pseudo['categories']}
    labeled = {image['file_name'] for image in human['images']}

    images: list[dict] = []
    annotations: list[dict] = []
    for source, categories in ((human, None), (pseudo, renamed)):
        new_ids = {}
        for image in source['images']:
            if source is pseudo and image['file_name'] in labeled:
                continue
            new_ids[image['id']] = len(images) + 1
            images.append(dict(image, id=len(images) + 1))
        for ann in source['annotations']:
            if ann['image_id'] in new_ids:
                category_id = ann['category_id'] if categories is None else categories[ann['category_id']]
                annotations.append(
                    dict(
                        ann,
                        id=len(annotations) + 1,
                        image_id=new_ids[ann['image_id']],
                        category_id=category_id,
                    )
                )
    return dict(
        info=dict(pseudo.get('info', {})),
        categories=[dict(category) for category in human['categories']],
        images=images,
        annotations=annotations,
    )


def map_labels(
    prediction: InstanceData, classes: Sequence[str], targets: Sequence[str], class_map: Mapping[str, str]
) -> InstanceData:
    """Bring a teacher's labels into the label space of the pseudo labels.

    Args:
        prediction: Boxes of one teacher with ``labels`` (N,) that point into ``classes``.
        classes: The teacher's class names.
        targets: Class names of the pseudo labels, which the result's labels point into.
        class_map: Teacher's class name to target's name. Empty: a class keeps its name. Boxes of classes
            that have no target are left out.
    """
    names = [class_map.get(name) if class_map else name for name in classes]
    table = torch.tensor(
        [targets.index(name) if name in targets else -1 for name in names], device=prediction.labels.device
    )
    labels = table[prediction.labels]
    mapped = prediction[labels >= 0]
    mapped.labels = labels[labels >= 0]
    return mapped


def count_boxes(frames: Sequence[Mapping], modalities: Sequence[str]) -> dict:
    """Count what each modality found, what of it stayed, and what the others saw too.

    Args:
        frames: Labeled frames as in :func:`build_coco`, each with ``agreement`` of :func:`count_agreement`.
        modalities: Modality names.

    Returns:
        ``frames``, ``boxes``, ``frames_without_boxes`` and ``modalities``: by name ``found``, ``kept``,
        ``suppressed`` and ``also_seen_by`` (by other modality), all numbers of boxes.
    """
    agreement = torch.zeros((len(modalities), len(modalities)), dtype=torch.int64)
    kept = torch.zeros(len(modalities), dtype=torch.int64)
    for frame in frames:
        agreement += torch.tensor(frame['agreement'])
        ids = torch.tensor(frame['modality_ids'], dtype=torch.int64)
        kept += torch.bincount(ids, minlength=len(modalities))
    by_modality = {}
    for i, modality in enumerate(modalities):
        by_modality[modality] = dict(
            found=int(agreement[i, i]),
            kept=int(kept[i]),
            suppressed=int(agreement[i, i] - kept[i]),
            also_seen_by={other: int(agreement[i, j]) for j, other in enumerate(modalities) if j != i},
        )
    return dict(
        frames=len(frames),
        boxes=int(kept.sum()),
        frames_without_boxes=sum(not frame['bboxes'] for frame in frames),
        modalities=by_modality,
    )


def format_statistics(statistics: Mapping) -> str:
    """Counts of :func:`count_boxes`, and ``human_frames`` where such were merged in, as lines to read."""
    lines = [
        f'frames labeled by teachers {statistics["frames"]}, '
        f'of them without any box {statistics["frames_without_boxes"]}',
        f'frames labeled by humans   {statistics.get("human_frames", 0)}',
        f'boxes                       {statistics["boxes"]}',
    ]
    for modality, counts in statistics['modalities'].items():
        line = f'  {modality}: found {counts["found"]}, kept {counts["kept"]}, '
        line += f'suppressed {counts["suppressed"]}'
        for other, seen in counts['also_seen_by'].items():
            line += f', {100 * seen / max(counts["found"], 1):.1f} % also seen by {other}'
        lines.append(line)
    return '\n'.join(lines)
