"""Anchors by factors of width and height.

A: anchors of a cell, the number of scales times that of factors.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import TASK_UTILS
from torch import Tensor


@TASK_UTILS.register_module()
class FactorAnchorGenerator(AnchorGenerator):
    """mmdet's ``AnchorGenerator`` with width and height given, where it takes a ratio and keeps the area.

    EfficientDet's (1.4, 0.7) has 2% less area than the ratio 0.5 of mmdet, and published weights know that
    anchor. Anchors are centered on the cells; of a cell, all factors of the first scale come first.

    Args:
        strides: Pixels between cells, per level; also the base size.
        factors: (width, height) of each shape, in base sizes times scale.
        **kwargs: Others of mmdet's, such as ``octave_base_scale`` and ``scales_per_octave`` (EfficientDet:
            4 and 3), or ``scales``.
    """

    def __init__(
        self,
        strides: Sequence[int],
        factors: Sequence[tuple[float, float]] = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4)),
        **kwargs: Any,
    ) -> None:
        super().__init__(strides, ratios=list(factors), **{'center_offset': 0.5, **kwargs})

    def gen_single_level_base_anchors(
        self,
        base_size: float,
        scales: Tensor,
        ratios: Tensor,
        center: tuple[float, float] | None = None,
    ) -> Tensor:
        """Anchors (A, 4), x1 y1 x2 y2 in pixels, of the first cell of a level.

        ``ratios`` are (number of factors, 2), width and height; ``center`` (x, y) is by default
        ``center_offset`` base sizes.
        """
        if center is None:
            center = (self.center_offset * base_size, self.center_offset * base_size)
        half = (base_size / 2 * scales[:, None, None] * ratios[None]).reshape(-1, 2)
        middle = half.new_tensor(center)
        return torch.cat((middle - half, middle + half), dim=1)
