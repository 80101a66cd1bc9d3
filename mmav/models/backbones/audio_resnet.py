"""ResNet over spectrograms of a microphone array."""

from typing import Any

from mmcv.cnn import build_conv_layer
from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS

from mmav.utils.config_parts import builds


@MODELS.register_module()
class AudioResNet(ResNet):
    """mmdet's ResNet whose ImageNet weights fit any number of input channels.

    ``init_cfg=dict(type='Pretrained', checkpoint=...)`` takes ``torchvision://resnet50``, a torchvision
    checkpoint file, or with ``prefix='backbone'`` a detector's. The first convolution is adapted: mean over
    the checkpoint's channels, repeated, scaled by old/new, 3/8 from RGB to eight microphones; so color
    weights are adapted and not dropped. Everything else is strict: a missing or unexpected parameter
    (but for the classifier ``fc``) is an error. ``init_cfg=None`` trains from scratch.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_channels: Channels of the input: 8 microphones; 1 for thermal, 3 for RGB. Defaults to 8.
        init_cfg: Initialization config, as above.
        input_stride: Pixels of the image from one of the input's to the next, 1 or 2: with 2 the first
            convolution has stride 1, so that the outputs have the strides that they always have. For acoustic
            images (``acoustic_stride`` of the data preprocessor). Defaults to 1.
        stem_kernel: Side of the first convolution, odd. Defaults to 7, that of checkpoints.
        **kwargs: Others of mmdet's ResNet.
    """

    def __init__(
        self,
        depth: int,
        in_channels: int = 8,
        init_cfg: OptMultiConfig = None,
        input_stride: int = 1,
        stem_kernel: int = 7,
        **kwargs: Any,
    ) -> None:
        if input_stride not in (1, 2) or stem_kernel < 1 or stem_kernel % 2 == 0:
            raise ValueError(
                f'input_stride must be 1 or 2 and stem_kernel odd, got {input_stride} and {stem_kernel}'
            )
        self._stem = dict(kernel_size=stem_kernel, stride=2 // input_stride, padding=stem_kernel // 2)
        if isinstance(init_cfg, dict) and builds(init_cfg, PretrainedInit, registry=WEIGHT_INITIALIZERS):
            init_cfg = {'in_channels': 'adapt', **init_cfg, 'type': 'StrictPretrained'}
        super().__init__(depth, in_channels=in_channels, init_cfg=init_cfg, **kwargs)

    def _make_stem_layer(self, in_channels: int, stem_channels: int) -> None:
        super()._make_stem_layer(in_channels, stem_channels)
        if self._stem == dict(kernel_size=7, stride=2, padding=3):
            return
        if self.deep_stem:
            raise ValueError('input_stride and stem_kernel are not for deep_stem')
        self.conv1 = build_conv_layer(self.conv_cfg, in_channels, stem_channels, bias=False, **self._stem)
