"""Class and box head of EfficientDet (Tan, Pang and Le, CVPR 2020, section 4.1).

Shapes: N images, C pyramid channels, A anchors of a cell, K classes, H, W rows and columns.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from mmcv.cnn import build_norm_layer
from mmdet.models.dense_heads import AnchorHead
from mmdet.models.utils import multi_apply
from mmdet.registry import MODELS
from mmdet.utils import ConfigType, OptMultiConfig
from torch import Tensor, nn

from ..layers.separable_conv import BATCH_NORM, KEEP_VARIANCE, SeparableConv

ANCHORS = dict(
    type='FactorAnchorGenerator', strides=[8, 16, 32, 64, 128], octave_base_scale=4, scales_per_octave=3
)
FOCAL_LOSS = dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0)
# Class scores start around 0.01. A small standard deviation there, as mmdet's RetinaNet has it, would be
# squared by the two convolutions of the last layer and hold training up.
KEEP_VARIANCE_RARE_CLASSES = dict(
    KEEP_VARIANCE, override=dict(KEEP_VARIANCE, name='conv_cls', bias_prob=0.01)
)


@MODELS.register_module()
class EfficientDetHead(AnchorHead):
    """Two towers of separable convolutions, shared by the levels but for their batch normalization.

    Targets, losses and predictions are those of mmdet's ``AnchorHead``: any assigner, losses and box coder.

    Args:
        num_classes: K.
        in_channels: C.
        feat_channels: Channels within the towers. Defaults to C.
        stacked_convs: Convolutions of a tower before the last one. Defaults to 3, EfficientDet-D2's.
        norm_cfg: Normalization, one per level and convolution. Defaults to batch normalization with the
            reference's eps and momentum.
        anchor_generator: See :class:`FactorAnchorGenerator`. Defaults to EfficientDet's.
        loss_cls: Defaults to the focal loss with alpha 0.25 and gamma 2.
        init_cfg: Initialization. Defaults to normal weights that keep the variance (fan-in), and class scores
            that start around 0.01.
        **kwargs: Others of ``AnchorHead``.

    Raises:
        ValueError: In use, for another number of levels than the anchor generator's.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        feat_channels: int | None = None,
        stacked_convs: int = 3,
        norm_cfg: ConfigType = BATCH_NORM,
        anchor_generator: ConfigType = ANCHORS,
        loss_cls: ConfigType = FOCAL_LOSS,
        init_cfg: OptMultiConfig = KEEP_VARIANCE_RARE_CLASSES,
        **kwargs: Any,
    ) -> None:
        self.stacked_convs = stacked_convs
        self.norm_cfg = norm_cfg
        super().__init__(
            num_classes,
            in_channels,
            feat_channels=feat_channels or in_channels,
            anchor_generator=anchor_generator,
            loss_cls=loss_cls,
            init_cfg=init_cfg,
            **kwargs,
        )

    def _init_layers(self) -> None:
        self.cls_convs, self.cls_norms = self._tower()
        self.reg_convs, self.reg_norms = self._tower()
        anchors = self.num_base_priors
        self.conv_cls = SeparableConv(self.feat_channels, anchors * self.cls_out_channels)
        self.conv_reg = SeparableConv(self.feat_channels, anchors * self.bbox_coder.encode_size)
        self.act = nn.SiLU()

    def _tower(self) -> tuple[nn.ModuleList, nn.ModuleList]:
        """Convolutions, and their normalizations by level."""
        channels = [self.in_channels] + [self.feat_channels] * self.stacked_convs
        convs = nn.ModuleList(SeparableConv(*pair) for pair in pairwise(channels))
        norms = nn.ModuleList(
            nn.ModuleList(build_norm_layer(self.norm_cfg, self.feat_channels)[1] for _ in convs)
            for _ in range(self.prior_generator.num_levels)
        )
        return convs, norms

    def forward(self, x: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Class logits (N, A * K, H, W) and box deltas (N, A * 4, H, W) by level (N, C, H, W)."""
        levels = self.prior_generator.num_levels
        if len(x) != levels:
            raise ValueError(f'the anchor generator has {levels} strides, but the neck gives {len(x)} levels')
        return multi_apply(self.forward_single, x, range(levels))

    def forward_single(self, x: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """Class logits (N, A * K, H, W) and box deltas (N, A * 4, H, W) of one level (N, C, H, W)."""
        cls_feat = reg_feat = x
        for conv, norm in zip(self.cls_convs, self.cls_norms[level].children(), strict=True):
            cls_feat = self.act(norm(conv(cls_feat)))
        for conv, norm in zip(self.reg_convs, self.reg_norms[level].children(), strict=True):
            reg_feat = self.act(norm(conv(reg_feat)))
        return self.conv_cls(cls_feat), self.conv_reg(reg_feat)
