"""Non-maximum suppression under the names of ``mmcv._ext``.

Shapes: N boxes.
"""

import numpy as np
import torch
import torchvision
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Non-maximum suppression.

    Args:
        boxes: Corners x1, y1, x2, y2 of shape (N, 4).
        scores: Scores of shape (N,).
        iou_threshold: IoU above which the box of the lower score is left out.
        offset: 0, or 1 for boxes whose corners are both pixels of theirs (width x2 - x1 + 1).

    Returns:
        Indices of the boxes that stay, by falling score; those of equal score in their order (the compiled
        operator leaves it open).
    """
    if offset:
        # the width x2 - x1 + 1 is that of the box with its far corner one pixel on
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    # the compiled operator compares in single precision, torchvision's in double
    return torchvision.ops.nms(boxes.float(), scores.float(), float(np.float32(iou_threshold)))


def _overlaps(box: np.ndarray, boxes: np.ndarray, offset: int = 0) -> np.ndarray:
    """IoU of a box (4,) with others (N, 4), in single precision and the compiled operator's order."""
    extra = np.float32(offset)
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]) + extra
    intersection = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    area = (box[2] - box[0] + extra) * (box[3] - box[1] + extra)
    areas = (boxes[:, 2] - boxes[:, 0] + extra) * (boxes[:, 3] - boxes[:, 1] + extra)
    with np.errstate(invalid='ignore'):  # empty boxes: 0 / 0, which no threshold admits
        return intersection / (area + areas - intersection)


def _fill_from_the_end(values: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Leave values out; each gap takes the last value that stays, as the compiled operator does.

    The order decides which of two boxes of equal score comes first.
    """
    count = int((~left_out).sum())
    kept = values[:count].copy()
    tail = values[count:][~left_out[count:]]
    kept[left_out[:count]] = tail[::-1]
    return kept


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft NMS: a box loses score by its overlap with a better one (Bodla et al., ICCV 2017).

    Args:
        boxes: Corners of shape (N, 4), on the CPU.
        scores: Scores of shape (N,).
        dets: Output of shape (N, 5): boxes and lowered scores of the boxes that stay come first.
        iou_threshold: IoU from which a box is touched (methods 0 and 1).
        sigma: Width of the Gaussian (method 2).
        min_score: Score below which a box is left out.
        method: 0 leaves out (plain NMS), 1 lowers linearly, 2 by a Gaussian.
        offset: See :func:`nms`.

    Returns:
        Indices of the boxes that stay, in the order of ``dets``.
    """
    corners = boxes.detach().numpy().astype(np.float32)
    score = scores.detach().numpy().astype(np.float32).copy()
    rest: np.ndarray = np.arange(len(corners))
    order = []
    threshold, least = np.float32(iou_threshold), np.float32(min_score)
    while len(rest):
        best = int(score[rest].argmax())
        chosen = rest[best]
        rest[best] = rest[0]
        rest = rest[1:]
        order.append(chosen)
        overlap = _overlaps(corners[chosen], corners[rest], offset)
        if method == 2:
            weight = np.exp(-(overlap * overlap) / np.float32(sigma))
        else:
            weight = np.where(overlap >= threshold, 0 if method == 0 else 1 - overlap, 1)
        score[rest] *= weight.astype(np.float32)
        rest = _fill_from_the_end(rest, score[rest] < least)
    kept = torch.tensor(order, dtype=torch.long)
    dets[: len(kept), :4] = torch.from_numpy(corners)[kept]
    dets[: len(kept), 4] = torch.from_numpy(score)[kept]
    return kept


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """NMS that tells which boxes each box that stays stands for.

    Args:
        dets: Boxes and scores of shape (N, 5).
        iou_threshold: IoU from which a box is matched to a better one.

    Returns:
        Groups of indices, the box that stays first, by falling score.
    """
    values = dets.detach().cpu().float()
    order = values[:, 4].sort(descending=True, stable=True).indices.numpy()
    corners, groups = values[:, :4].numpy(), []
    while len(order):
        overlap = _overlaps(corners[order[0]], corners[order])
        matched = overlap >= np.float32(iou_threshold)
        matched[0] = True
        groups.append(order[matched].tolist())
        order = order[~matched]
    return groups
