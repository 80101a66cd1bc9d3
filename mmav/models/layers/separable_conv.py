"""EfficientDet's depthwise separable convolution.

Shapes: N images, C, D channels in and out, H, W rows and columns.
"""

from mmcv.cnn import build_norm_layer
from mmdet.utils import OptConfigType
from torch import Tensor, nn

# The reference implementations' batch normalization; torch's momentum is 1 - TensorFlow's.
BATCH_NORM = dict(type='BN', eps=1e-3, momentum=0.01)
# Normal weights that keep the variance. Fan-out, mmdet's choice, would not for depthwise convolutions.
KEEP_VARIANCE = dict(
    type='Kaiming', layer='Conv2d', mode='fan_in', nonlinearity='linear', distribution='normal'
)


class SeparableConv(nn.Module):
    """3 x 3 depthwise convolution without bias, 1 x 1 convolution with bias, normalization (None: none).

    Not mmcv's ``DepthwiseSeparableConvModule``, which gives both convolutions a bias or none.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: OptConfigType = None) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.bn = nn.Identity() if norm_cfg is None else build_norm_layer(norm_cfg, out_channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W) to (N, D, H, W)."""
        return self.bn(self.pointwise(self.depthwise(x)))
