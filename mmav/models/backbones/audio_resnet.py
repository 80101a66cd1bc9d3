"""ResNet over spectrograms of a microphone array."""

from typing import Any

from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig


@MODELS.register_module()
class AudioResNet(ResNet):
    """mmdet's ResNet whose ImageNet weights fit any number of input channels.

    ``init_cfg=dict(type='Pretrained', checkpoint=...)`` takes ``torchvision://resnet50``, a torchvision
    checkpoint file, or with ``prefix='backbone'`` a detector's. The first convolution is adapted: mean over
    the checkpoint's channels, repeated, scaled by old/new, 3/8 from RGB to eight microphones; so colour
    weights are adapted and not dropped. Everything else is strict: a missing or unexpected parameter
    (but for the classifier ``fc``) is an error. ``init_cfg=None`` trains from scratch.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_channels: Channels of the input: 8 microphones; 1 for thermal, 3 for RGB. Defaults to 8.
        init_cfg: Initialisation config, as above.
        **kwargs: Others of mmdet's ResNet.
    """

    def __init__(
        self, depth: int, in_channels: int = 8, init_cfg: OptMultiConfig = None, **kwargs: Any
    ) -> None:
        if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
            init_cfg = {'in_channels': 'adapt', **init_cfg, 'type': 'StrictPretrained'}
        super().__init__(depth, in_channels=in_channels, init_cfg=init_cfg, **kwargs)
