"""EfficientNet over spectrograms of a microphone array, or images of any number of channels."""

from typing import Any

from mmcv.cnn import build_conv_layer
from mmdet.models.backbones import EfficientNet
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS

from mmav.utils.config_parts import builds

# What mmpretrain's classifiers have after the last stage: not a detector's.
CLASSIFIER = ('layers.6.',)


@MODELS.register_module()
class AudioEfficientNet(EfficientNet):
    """mmdet's EfficientNet for any number of input channels.

    Its convolutions pad as TensorFlow's ``SAME`` does (mmcv's ``Conv2dAdaptivePadding``), so weights that
    come from TensorFlow keep their meaning. Of ``arch='b2'`` the stages 3, 4 and 5 give P3, P4 and P5 of
    EfficientDet-D2: 48, 120 and 352 channels at strides 8, 16 and 32.

    ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone')`` takes a classifier of mmpretrain
    or a detector; the first convolution is adapted (mean over the checkpoint's channels, repeated, scaled by
    old/new), everything else is strict but for mmpretrain's last convolution, which a detector lacks.
    ``init_cfg=None`` trains from scratch.

    Args:
        arch: 'b0' to 'b8', and the EdgeTPU ones 'es', 'em', 'el'. Defaults to 'b2'.
        in_channels: Channels of the input: 8 microphones; 1 for thermal, 3 for RGB. Defaults to 8.
        init_cfg: Initialization config, as above.
        input_stride: Pixels of the image from one of the input's to the next, 1 or 2: with 2 the first
            convolution has stride 1, so that the outputs have the strides that they always have. For acoustic
            images (``acoustic_stride`` of the data preprocessor). Defaults to 1.
        **kwargs: Others of mmdet's EfficientNet.
    """

    def __init__(
        self,
        arch: str = 'b2',
        in_channels: int = 8,
        init_cfg: OptMultiConfig = None,
        input_stride: int = 1,
        **kwargs: Any,
    ) -> None:
        if input_stride not in (1, 2):
            raise ValueError(f'input_stride must be 1 or 2, got {input_stride}')
        if isinstance(init_cfg, dict) and builds(init_cfg, PretrainedInit, registry=WEIGHT_INITIALIZERS):
            init_cfg = {'in_channels': 'adapt', 'drop': CLASSIFIER, **init_cfg, 'type': 'StrictPretrained'}
        if init_cfg is not None:
            kwargs['init_cfg'] = init_cfg  # None: mmdet's, from scratch
        super().__init__(arch, **kwargs)
        stem = self.layers[0]
        if in_channels != stem.conv.in_channels:
            stem.conv = build_conv_layer(
                self.conv_cfg,
                in_channels,
                stem.conv.out_channels,
                kernel_size=stem.conv.kernel_size,
                stride=stem.conv.stride,
                padding=stem.padding,
                bias=stem.conv.bias is not None,
            )
            stem.in_channels = in_channels
        if input_stride == 2:
            stem.conv.stride = (1, 1)

    def train(self, mode: bool = True) -> 'AudioEfficientNet':
        """Set the mode, keeping frozen what is frozen; returns the backbone, which mmdet's forgets."""
        super().train(mode)
        return self
