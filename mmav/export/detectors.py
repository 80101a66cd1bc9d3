"""The way from a detector's input to its boxes as one module of operators that ONNX knows.

Shapes: B images, C channels, H, W rows and columns of the network's input, P proposals, K classes, n boxes of
an image at most.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import AnchorHead, RPNHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.models.roi_heads import SingleRoIExtractor, StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from torch import Tensor, nn
from torchvision.ops import roi_align

from mmav.models.detectors import AudioVisualFasterRCNN, MultiTeacherDistiller

from .box_selection import NONE, best_of_level, decode, keep_best
from .errors import ExportError

Boxes = tuple[Tensor, Tensor, Tensor]  # (B, n, 4), scores (B, n), labels (B, n)


class _AnchorBoxes(nn.Module):
    """The best anchors of all levels, decoded: what RPN and single-stage heads share.

    Args:
        head: The head.
        sizes: (rows, columns) of the levels.
        image_shape: (H, W) that boxes are clipped to.
    """

    anchors: list[Tensor]

    def __init__(
        self, head: AnchorHead, sizes: Sequence[tuple[int, int]], image_shape: tuple[int, int]
    ) -> None:
        super().__init__()
        _require(head.bbox_coder, DeltaXYWHBBoxCoder, 'box coder')
        if getattr(head.loss_cls, 'custom_cls_channels', False):
            raise ExportError(f'the activation of {type(head.loss_cls).__name__} cannot be exported')
        self.head = head
        self.image_shape = image_shape
        priors = head.prior_generator.grid_priors(list(sizes), device='cpu')
        for number, anchors in enumerate(priors):
            self.register_buffer(f'anchors_{number}', anchors, persistent=False)

    def forward(self, levels: Sequence[Tensor], most: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Boxes (B, N, 4), scores, labels and numbers of the levels (B, N) of a pyramid."""
        found = []
        for number, (logits, deltas) in enumerate(zip(*self.head(levels))):
            softmax = not self.head.use_sigmoid_cls
            scores, index, labels, deltas = best_of_level(logits, deltas, softmax, most)
            boxes = decode(
                self.head.bbox_coder, getattr(self, f'anchors_{number}')[index], deltas, self.image_shape
            )
            found.append((boxes, scores, labels, labels * 0 + number))
        boxes, scores, labels, numbers = (torch.cat(values, dim=1) for values in zip(*found))
        return boxes, scores, labels, numbers


class SingleStageBoxes(nn.Module):
    """Boxes of a single-stage detector with anchors, as its ``predict`` gives them.

    Args:
        detector: The detector.
        sizes: (rows, columns) of the neck's levels.
        image_shape: (H, W) of the image within the network's input.
        scale_factor: (x, y) by which the original image was resized.

    Raises:
        ExportError: A part of the detector is of another kind.
    """

    scale: Tensor

    def __init__(
        self,
        detector: SingleStageDetector,
        sizes: Sequence[tuple[int, int]],
        image_shape: tuple[int, int],
        scale_factor: tuple[float, float],
    ) -> None:
        super().__init__()
        _require_method_of(detector.bbox_head, AnchorHead, 'head')
        self.anchor_boxes = _AnchorBoxes(detector.bbox_head, sizes, image_shape)
        self.cfg = _check_nms(detector.bbox_head.test_cfg)
        self.register_buffer('scale', 1 / torch.tensor([*scale_factor] * 2), persistent=False)

    def forward(self, levels: Sequence[Tensor]) -> Boxes:
        """Boxes of a pyramid."""
        boxes, scores, labels, _ = self.anchor_boxes(levels, self.cfg.get('nms_pre', -1))
        boxes = boxes * self.scale
        scores = _without_small(boxes, scores, self.cfg.get('min_bbox_size', -1))
        threshold = self.cfg.get('score_thr', 0)
        return keep_best(boxes, scores, labels, self.cfg.nms.iou_threshold, threshold, self.cfg.max_per_img)


class TwoStageBoxes(nn.Module):
    """Boxes of a two-stage detector, RPN and one box head, as its ``predict`` gives them.

    Arguments and errors are those of :class:`SingleStageBoxes`.
    """

    scale: Tensor
    classes: Tensor

    def __init__(
        self,
        detector: TwoStageDetector,
        sizes: Sequence[tuple[int, int]],
        image_shape: tuple[int, int],
        scale_factor: tuple[float, float],
    ) -> None:
        super().__init__()
        roi_head = detector.roi_head
        _require_method_of(detector.rpn_head, RPNHead, 'RPN')
        if not isinstance(roi_head, StandardRoIHead) or roi_head.with_mask:
            raise ExportError(f'the RoI head {type(roi_head).__name__} cannot be exported')
        extractor, head = roi_head.bbox_roi_extractor, roi_head.bbox_head
        _require(extractor, SingleRoIExtractor, 'RoI extractor')
        _require_method_of(head, BBoxHead, 'box head')
        _require(head.bbox_coder, DeltaXYWHBBoxCoder, 'box coder')
        if head.custom_cls_channels:
            raise ExportError(f'the activation of {type(head.loss_cls).__name__} cannot be exported')
        for layer in extractor.roi_layers:
            if getattr(layer, 'pool_mode', 'max') != 'avg':
                raise ExportError(f'the RoI layer {layer} cannot be exported (RoIAlign, avg, can)')
        self.anchor_boxes = _AnchorBoxes(detector.rpn_head, sizes, image_shape)
        self.proposal_cfg = _check_nms(detector.rpn_head.test_cfg)
        self.cfg = _check_nms(roi_head.test_cfg)
        self.extractor, self.head = extractor, head
        self.image_shape = image_shape
        self.register_buffer('scale', 1 / torch.tensor([*scale_factor] * 2), persistent=False)
        self.register_buffer('classes', torch.arange(head.num_classes), persistent=False)

    def forward(self, levels: Sequence[Tensor]) -> Boxes:
        """Boxes of a pyramid."""
        proposals, objectness = self._propose(levels)
        features = self._roi_features(levels, proposals)
        logits, deltas = self.head(features)
        count = self.head.num_classes
        scores = logits.softmax(-1)[:, :-1].unflatten(0, (-1, int(proposals.shape[1])))  # (B, P, K)
        scores = torch.where((objectness > NONE)[..., None], scores, NONE)
        rois = proposals[:, :, None].expand(-1, -1, count, -1).flatten(1, 2)  # (B, P K, 4)
        if self.head.reg_class_agnostic:
            deltas = deltas[:, None].expand(-1, count, -1)
        deltas = deltas.reshape(-1, 4).view_as(rois)
        boxes = decode(self.head.bbox_coder, rois, deltas, self.image_shape) * self.scale
        labels = self.classes.expand_as(scores).flatten(1)
        cfg = self.cfg
        return keep_best(
            boxes, scores.flatten(1), labels, cfg.nms.iou_threshold, cfg.score_thr, cfg.max_per_img
        )

    def _propose(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Proposals (B, P, 4) and their scores (B, P)."""
        cfg = self.proposal_cfg
        boxes, scores, _, numbers = self.anchor_boxes(levels, cfg.get('nms_pre', -1))
        scores = _without_small(boxes, scores, cfg.get('min_bbox_size', -1))
        boxes, scores, _ = keep_best(boxes, scores, numbers, cfg.nms.iou_threshold, NONE / 2, cfg.max_per_img)
        return boxes, scores

    def _roi_features(self, levels: Sequence[Tensor], proposals: Tensor) -> Tensor:
        """(B P, C, h, w) of proposals (B, P, 4), each from the level that its size belongs to."""
        rois = torch.cat([_numbers(proposals[..., :1]), proposals], dim=-1).flatten(0, 1)  # (B P, 5)
        layers = self.extractor.roi_layers
        if len(layers) == 1:
            return _align(layers[0], levels[0], rois)
        chosen = self.extractor.map_roi_levels(rois, len(layers))
        features, places = [], []
        for number, (layer, level) in enumerate(zip(layers, levels)):
            places.append((chosen == number).nonzero().squeeze(1))
            features.append(_align(layer, level, rois[places[-1]]))
        order = torch.cat(places)
        inverse = (order * 0).scatter(0, order, _numbers(order))
        return torch.cat(features)[inverse]


def _numbers(like: Tensor) -> Tensor:
    """0, 1, ... along the first axis, in the shape and type of ``like``; arange has the traced size."""
    return (like * 0 + 1).cumsum(0) - 1


def _align(layer: nn.Module, level: Tensor, rois: Tensor) -> Tensor:
    """What mmcv's RoIAlign computes, by torchvision's, which the exporter knows."""
    return roi_align(
        level, rois, layer.output_size, layer.spatial_scale, layer.sampling_ratio, bool(layer.aligned)
    )


def _without_small(boxes: Tensor, scores: Tensor, min_size: float) -> Tensor:
    """Scores with :data:`NONE` where a side is not above ``min_size`` pixels; below 0: all stay."""
    if min_size < 0:
        return scores
    large = ((boxes[..., 2:] - boxes[..., :2]) > min_size).all(-1)
    return torch.where(large, scores, NONE)


def _check_nms(cfg: ConfigDict) -> ConfigDict:
    unknown = set(cfg.nms) - {'type', 'iou_threshold', 'split_thr'}
    if cfg.nms.get('type', 'nms') != 'nms' or unknown:
        raise ExportError(f'test_cfg.nms {dict(cfg.nms)} cannot be exported (nms with an iou_threshold can)')
    return cfg


def _require(part: object, kind: type, name: str) -> None:
    if type(part) is not kind:
        raise ExportError(f'the {name} {type(part).__name__} cannot be exported ({kind.__name__} can)')


def _require_method_of(head: nn.Module, kind: type, name: str) -> None:
    """ExportError unless a head predicts as ``kind`` does, whatever its layers are."""
    for method in ('predict_by_feat', '_predict_by_feat_single'):
        if not isinstance(head, kind) or getattr(type(head), method) is not getattr(kind, method):
            raise ExportError(f'the {name} {type(head).__name__} does not predict as {kind.__name__} does')


def hearing_detector(model: BaseModel) -> SingleStageDetector | TwoStageDetector:
    """The part of a model that detects by sound alone; ExportError if there is none."""
    if isinstance(model, MultiTeacherDistiller):
        model = model.student
    if isinstance(model, AudioVisualFasterRCNN) and model.test_modalities != 'audio':
        raise ExportError(f'test_modalities={model.test_modalities!r} needs cameras; an export hears alone')
    if not isinstance(model, (SingleStageDetector, TwoStageDetector)) or not model.with_neck:
        raise ExportError(
            f'{type(model).__name__} cannot be exported: it is no one- or two-stage detector with a neck'
        )
    return model


def exportable_boxes(
    model: BaseModel,
    sizes: Sequence[tuple[int, int]],
    image_shape: tuple[int, int],
    scale_factor: tuple[float, float],
) -> SingleStageBoxes | TwoStageBoxes:
    """The module that makes boxes of a detector's pyramid; arguments as of :class:`SingleStageBoxes`."""
    detector = hearing_detector(model)
    kind = TwoStageBoxes if isinstance(detector, TwoStageDetector) else SingleStageBoxes
    return kind(detector, sizes, image_shape, scale_factor)
