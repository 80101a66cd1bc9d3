"""Bidirectional feature pyramid of EfficientDet (Tan, Pang and Le, CVPR 2020, section 3).

Shapes: N images, C pyramid channels, H, W rows and columns of a level. Level 0 is the finest
(P3 behind EfficientNet).
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmdet.registry import MODELS
from mmdet.utils import ConfigType, OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers.same_max_pool import SameMaxPool2d
from ..layers.separable_conv import BATCH_NORM, KEEP_VARIANCE, SeparableConv


def fast_fusion(weight: Tensor, maps: Sequence[Tensor], eps: float) -> Tensor:
    """Fast normalized fusion: the sum of maps (N, C, H, W), weighted by ``relu(w) / (sum relu(w) + eps)``."""
    weight = F.relu(weight)
    weight = weight / (weight.sum() + eps)
    return sum(w * x for w, x in zip(weight, maps, strict=True))


class BiFPNCell(nn.Module):
    """One pass down and one pass up the pyramid.

    Args:
        channels: C.
        num_levels: Levels of the pyramid.
        eps: That of the fusion.
        norm_cfg: Normalization after each separable convolution.
    """

    def __init__(self, channels: int, num_levels: int, eps: float, norm_cfg: ConfigType) -> None:
        super().__init__()
        self.eps = eps

        def convs() -> nn.ModuleList:
            return nn.ModuleList(SeparableConv(channels, channels, norm_cfg) for _ in range(num_levels - 1))

        # Down: level i, 0 to the last but one, from itself and level i + 1.
        self.top_down_convs = convs()
        self.top_down_weights = nn.ParameterList(torch.ones(2) for _ in range(num_levels - 1))
        # Up: level i + 1 from itself, its map on the way down (the last has none), and level i.
        self.bottom_up_convs = convs()
        self.bottom_up_weights = nn.ParameterList(
            torch.ones(3 if level < num_levels - 1 else 2) for level in range(1, num_levels)
        )
        self.downsample = SameMaxPool2d(3, 2)
        self.act = nn.SiLU()

    def forward(self, inputs: Sequence[Tensor], bottom_up_inputs: Sequence[Tensor]) -> list[Tensor]:
        """Fuse levels, fine to coarse, that the way down starts from.

        The way up takes ``bottom_up_inputs``: those of ``inputs`` but in the first cell. The first is not
        used.
        """
        last = len(inputs) - 1
        down = list(inputs)
        for level in reversed(range(last)):
            coarser = F.interpolate(down[level + 1], size=inputs[level].shape[-2:], mode='nearest')
            fused = fast_fusion(self.top_down_weights[level], (inputs[level], coarser), self.eps)
            down[level] = self.top_down_convs[level](self.act(fused))
        outputs = [down[0]]
        for level in range(1, last + 1):
            maps = [bottom_up_inputs[level], self.downsample(outputs[-1])]
            if level < last:
                maps.insert(1, down[level])
            fused = fast_fusion(self.bottom_up_weights[level - 1], maps, self.eps)
            outputs.append(self.bottom_up_convs[level - 1](self.act(fused)))
        return outputs


@MODELS.register_module()
class BiFPN(BaseModule):
    """Repeated bidirectional pyramid with fast normalized fusion, behind any backbone of mmdet.

    Each level of the backbone must have half the cells of the finer one, rounded up. Levels beyond the
    backbone's are made from its last one: 1 x 1 convolution and max pooling, then pooling alone. In the first
    cell the way up takes its own 1 x 1 convolutions of the backbone's maps, as the reference implementations
    do.

    Args:
        in_channels: Channels of the backbone's maps, fine to coarse.
        out_channels: C. Defaults to 112, EfficientDet-D2's.
        num_cells: Repetitions. Defaults to 5, D2's.
        num_outs: Levels returned, at least as many as the backbone's, at least 2. Defaults to 5.
        eps: In the fusion's denominator. Defaults to 1e-4.
        norm_cfg: Normalization. Defaults to batch normalization with the reference's eps and momentum.
        init_cfg: Initialization. Defaults to normal weights that keep the variance (fan-in).

    Raises:
        ValueError: In construction, for ``num_outs`` or ``num_cells`` that do not fit; in use, for another
            number of maps than ``in_channels``, or sizes that are not halved from level to level.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 112,
        num_cells: int = 5,
        num_outs: int = 5,
        eps: float = 1e-4,
        norm_cfg: ConfigType = BATCH_NORM,
        init_cfg: OptMultiConfig = KEEP_VARIANCE,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if num_outs < max(len(in_channels), 2):
            raise ValueError(f'num_outs must be at least {max(len(in_channels), 2)}, got {num_outs}')
        if num_cells < 1:
            raise ValueError(f'num_cells must be at least 1, got {num_cells}')
        self.in_channels = list(in_channels)
        self.out_channels = out_channels
        self.num_outs = num_outs

        def lateral(channels: int) -> nn.Sequential:
            # mmcv's ConvModule warns of a bias before a normalization; published weights have one
            conv = nn.Conv2d(channels, out_channels, 1)
            return nn.Sequential(OrderedDict(conv=conv, bn=build_norm_layer(norm_cfg, out_channels)[1]))

        self.lateral_convs = nn.ModuleList(map(lateral, in_channels))
        # Neither the finest level nor the coarsest of the pyramid is fused on both ways.
        self.bottom_up_lateral_convs = nn.ModuleList(map(lateral, in_channels[1 : num_outs - 1]))
        extra = num_outs > len(in_channels)
        self.extra_convs = nn.ModuleList([lateral(in_channels[-1])] if extra else [])
        self.downsample = SameMaxPool2d(3, 2)
        self.cells = nn.ModuleList(BiFPNCell(out_channels, num_outs, eps, norm_cfg) for _ in range(num_cells))

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Pyramid of ``num_outs`` levels (N, C, H, W) of maps (N, in_channels[i], H, W), fine to coarse."""
        self._check(inputs)
        levels = [conv(x) for conv, x in zip(self.lateral_convs, inputs, strict=True)]
        for conv in self.extra_convs:
            levels.append(self.downsample(conv(inputs[-1])))
        while len(levels) < self.num_outs:
            levels.append(self.downsample(levels[-1]))
        bottom_up = list(levels)
        for level, conv in enumerate(self.bottom_up_lateral_convs, start=1):
            bottom_up[level] = conv(inputs[level])
        for cell in self.cells:
            levels = cell(levels, bottom_up)
            bottom_up = levels
        return tuple(levels)

    def _check(self, inputs: Sequence[Tensor]) -> None:
        if len(inputs) != len(self.in_channels):
            raise ValueError(f'BiFPN has {len(self.in_channels)} in_channels, but got {len(inputs)} maps')
        sizes = [tuple(x.shape[-2:]) for x in inputs]
        for fine, coarse in pairwise(sizes):
            if coarse != tuple(-(-size // 2) for size in fine):
                raise ValueError(
                    f'BiFPN needs maps that halve (rounded up) from level to level, got sizes {sizes}: '
                    'take out_indices of successive strides'
                )
