"""Choice of boxes as operators that ONNX knows, for batches of any size.

The exporter makes constants of ``zeros_like`` and its kind, of the size of the batch that it traced: products
with 0 take their place.

What mmdet does for each image by boolean indexing is done here for all at once by sorting: as many boxes are
kept for each image as may be at most, those that are none with a score of -1.

Shapes: B images, A anchors, K classes, N boxes, n boxes that are kept, H, W rows and columns of a level.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from torch import Tensor
from torchvision.ops import nms

NONE = -1.0
"""Score of what is no box."""
_MAX_LOG_SCALE = abs(math.log(16 / 1000))  # of mmdet's box coder


class NonMaxSuppression(torch.autograd.Function):
    """ONNX's operator of that name, of one class an image."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, iou_threshold: float, score_thr: float) -> Tensor:
        """Rows (image, 0, box) of the boxes (B, N, 4) that are kept; scores (B, 1, N) above ``score_thr``."""
        rows = []
        for image, (some, (score,)) in enumerate(zip(boxes, scores)):
            candidates = (score > score_thr).nonzero().flatten()
            kept = candidates[nms(some[candidates], score[candidates], iou_threshold)]
            rows.append(torch.stack([torch.full_like(kept, image), torch.zeros_like(kept), kept], dim=1))
        return torch.cat(rows)

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, iou_threshold: float, score_thr: float) -> Any:
        """The operator."""
        most = g.op('Constant', value_t=torch.tensor([2**31 - 1]))
        iou = g.op('Constant', value_t=torch.tensor([iou_threshold]))
        score = g.op('Constant', value_t=torch.tensor([score_thr]))
        return g.op('NonMaxSuppression', boxes, scores, most, iou, score)


def keep_best(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    iou_threshold: float,
    score_thr: float,
    max_num: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Non-maximum suppression class by class, then the best boxes of each image.

    Args:
        boxes: (B, N, 4) x1, y1, x2, y2.
        scores: (B, N); :data:`NONE` for what is no box.
        labels: (B, N); boxes of different labels do not suppress each other.
        iou_threshold: Overlap above which the worse of two boxes is left out.
        score_thr: Scores must be above it.
        max_num: Boxes of an image at most.

    Returns:
        Boxes (B, n, 4), scores (B, n) in falling order, and labels (B, n), n the smaller one of N and
        ``max_num``.
    """
    # boxes of different labels are moved apart, as mmcv's batched_nms does
    apart = boxes + (labels.to(boxes) * (boxes.amax() + 1))[..., None]
    rows = NonMaxSuppression.apply(apart, scores[:, None], iou_threshold, score_thr)
    number = scores.shape[1]
    places = rows[:, 0] * number + rows[:, 2]
    kept = (scores * 0).flatten().scatter(0, places, 1.0).view_as(scores)
    scores = torch.where(kept > 0, scores, NONE)
    scores, best = scores.topk(min(max_num, int(number)), dim=1)
    return take(boxes, best), scores, labels.gather(1, best)


def take(values: Tensor, index: Tensor) -> Tensor:
    """Rows (B, n, C) of values (B, N, C), by their index (B, n)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def decode(coder: DeltaXYWHBBoxCoder, priors: Tensor, deltas: Tensor, shape: tuple[int, int]) -> Tensor:
    """What ``coder.decode`` makes of priors and deltas (B, N, 4) within an image of ``shape`` (H, W).

    Written again for batches: mmdet's own takes one image, and freezes its number of boxes under export.
    """
    deltas = deltas * deltas.new_tensor(coder.stds) + deltas.new_tensor(coder.means)
    corners = priors[..., :2], priors[..., 2:]
    sizes = corners[1] - corners[0]
    shifts, scales = sizes * deltas[..., :2], deltas[..., 2:]
    if coder.add_ctr_clamp:
        shifts, scales = shifts.clamp(-coder.ctr_clamp, coder.ctr_clamp), scales.clamp_max(_MAX_LOG_SCALE)
    else:
        scales = scales.clamp(-_MAX_LOG_SCALE, _MAX_LOG_SCALE)
    centers = (corners[0] + corners[1]) * 0.5 + shifts
    halves = sizes * scales.exp() * 0.5
    boxes = torch.cat([centers - halves, centers + halves], dim=-1)
    if coder.clip_border:
        height, width = shape
        boxes = boxes.clamp_min(0).minimum(boxes.new_tensor([width, height] * 2))
    return boxes


def best_of_level(logits: Tensor, deltas: Tensor, softmax: bool, most: int) -> tuple[Tensor, ...]:
    """The best anchors of a level.

    Args:
        logits: (B, A * K, H, W); with ``softmax`` (B, A * (K + 1), H, W), the background last.
        deltas: (B, A * 4, H, W).
        softmax: Whether scores are made of logits by softmax, or by sigmoid.
        most: Anchors to take at most; 0 or less: all.

    Returns:
        Scores (B, n) in falling order, their anchors (B, n), labels (B, n), and deltas (B, n, 4).
    """
    deltas = deltas.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, 4))  # (B, H W A, 4)
    number = int(deltas.shape[1])
    logits = logits.permute(0, 2, 3, 1).flatten(1).unflatten(1, (number, -1))  # (B, H W A, K)
    scores = logits.softmax(-1)[..., :-1] if softmax else logits.sigmoid()
    classes = int(scores.shape[2])
    total = number * classes
    scores, best = scores.flatten(1).topk(min(most, total) if most > 0 else total, dim=1)
    anchors = best if classes == 1 else best.div(classes, rounding_mode='floor')
    return scores, anchors, best - anchors * classes, take(deltas, anchors)
