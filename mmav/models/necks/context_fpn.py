"""FPN for inputs whose axes are not those of the image that boxes live in.

Shapes: N clips, C pyramid channels, D channels of the coarsest backbone map,
H, W rows and columns of a pyramid level.
"""

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.necks import FPN
from mmdet.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class ContextFPN(FPN):
    """FPN whose every cell also knows the whole clip and its own place in the image.

    Rows and columns of a spectrogram are frequency and time; those of the boxes are the camera image's. What
    tells where a vehicle stands (level differences and comb notches between microphones) is spread over the
    whole spectrogram, so each cell x of each level becomes ``x + conv(relu(x + g + p * (1 + s)))``, where the
    context g and the scale s are linear in the time-averaged coarsest backbone map and p is a learned map of
    the cell's place, shared by the levels.

    The FPN's own parameters keep their names; a plain FPN's weights lack ``context``, ``place`` and
    ``context_conv`` alone, which a strict load must allow. This is not in the paper, whose FPN is mmdet's.

    Args:
        *args: Those of :class:`mmdet.models.FPN`.
        context_bands: Frequency bands kept when the coarsest map is averaged.
        context_channels: Width of the hidden context vector.
        place_size: Rows and columns of the learned map of places, resized bilinearly to each level.
        **kwargs: Those of :class:`mmdet.models.FPN`.
    """

    def __init__(
        self,
        *args: Any,
        context_bands: int = 3,
        context_channels: int = 256,
        place_size: tuple[int, int] = (12, 12),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.context_bands = context_bands
        channels = self.out_channels
        self.context = nn.Sequential(
            nn.Linear(self.in_channels[-1] * context_bands, context_channels),
            nn.ReLU(inplace=True),
            nn.Linear(context_channels, 2 * channels),
        )
        self.place = nn.Parameter(torch.randn(1, channels, *place_size))
        self.context_conv = nn.Conv2d(channels, channels, 1)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Levels (N, C, H, W) with context of a backbone's maps, fine to coarse, the last (N, D, H, W)."""
        levels = super().forward(inputs)
        pooled = self._mean_of_bands(inputs[-1])
        context, scale = self.context(pooled)[..., None, None].chunk(2, dim=1)
        return tuple(self._add_context(level, context, scale) for level in levels)

    def _mean_of_bands(self, coarsest: Tensor) -> Tensor:
        """Averages (N, D * bands) over time and bands of frequency of a map (N, D, H, W)."""
        if int(coarsest.shape[2]) % self.context_bands:
            return F.adaptive_avg_pool2d(coarsest, (self.context_bands, 1)).flatten(1)
        # the same, which the ONNX exporter takes for inputs of any size
        return coarsest.unflatten(2, (self.context_bands, -1)).mean((3, 4)).flatten(1)

    def _add_context(self, level: Tensor, context: Tensor, scale: Tensor) -> Tensor:
        place = F.interpolate(self.place, level.shape[-2:], mode='bilinear', align_corners=False)
        return level + self.context_conv(F.relu(level + context + place * (1 + scale)))
