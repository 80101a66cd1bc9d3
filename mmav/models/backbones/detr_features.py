"""Features of a trained DETR, Carion et al., ECCV 2020: what it knows of objects, place by place.

Shapes: B images of H x W pixels; C, h, w channels and size of a feature map; Q queries.
"""

import copy

import torch
from mmdet.models.detectors import DETR
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmav.utils.checks import check_choice

from ..utils.feature_taps import check_tap, tap_features

DETR_R50 = 'mmdet::detr/detr_r50_8xb2-150e_coco.py'
SOURCES = ('backbone', 'encoder', 'decoder')


@MODELS.register_module()
class DETRFeatures(BaseModule):
    """A detector of mmdet that gives one of its feature maps instead of boxes.

    Args:
        source: 'backbone': the last map of its ResNet, (B, 2048, h, w) of DETR R-50, at stride 32;
            'encoder': the transformer's memory, (B, 256, h, w); 'decoder': the queries' last embeddings where
            they look, (B, 256, h, w): at each place the mean over all queries, weighted by the attention that
            each pays to it (mean over the heads of the last layer). Defaults to 'backbone'.
        model: Config of the detector: for 'encoder' and 'decoder' a DETR, for 'backbone' any.
        config: Instead of ``model``: path of a config file with it under ``model``, or the name of one of
            MMDetection's, ``mmdet::<folder>/<file>``. Without both: MMDetection's DETR R-50.
        checkpoint: Of the detector; read strictly by ``init_weights``, and nothing else is then (an ImageNet
            checkpoint in the config is not). Defaults to None.
        init_cfg: Initialization config, instead of ``checkpoint``. Defaults to None.

    Raises:
        ValueError: If the source is unknown or the detector has none of that kind, or if arguments are given
            that exclude each other.
    """

    def __init__(
        self,
        source: str = 'backbone',
        model: OptConfigType = None,
        config: str | None = None,
        checkpoint: str | None = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        check_choice('DETRFeatures', 'source', source, SOURCES)
        if (model is not None and config is not None) or (checkpoint is not None and init_cfg is not None):
            raise ValueError('DETRFeatures: give model or config, and checkpoint or init_cfg, not both')
        if checkpoint is not None:
            init_cfg = dict(type='StrictPretrained', checkpoint=checkpoint, submodules={'detector': ''})
        super().__init__(init_cfg)
        if model is None:
            name = config or DETR_R50
            model = (get_config(name) if '::' in name else Config.fromfile(name)).model
        # A copy: mmdet writes into the config it is given.
        self.detector = MODELS.build(ConfigDict(copy.deepcopy(model)))
        self.source = source
        if source != 'backbone' and not isinstance(self.detector, DETR):
            raise ValueError(
                f'DETRFeatures: source={source!r} needs a DETR, got {type(self.detector).__name__}; '
                "source='backbone' takes any detector"
            )
        if source == 'decoder':
            self.attention = f'decoder.layers.{len(self.detector.decoder.layers) - 1}.cross_attn.attn'
            check_tap(self.detector, self.attention, 'DETRFeatures.model')

    @property
    def image_preprocessor(self) -> nn.Module:
        """What the detector's own images went through; those given to ``forward`` must be alike."""
        return self.detector.data_preprocessor

    def forward(self, image: Tensor) -> Tensor:
        """Compute features (B, C, h, w), see ``source``, of images (B, 3, H, W).

        They are normalized as the detector's own were, without padding.
        """
        if self.source == 'backbone':
            return self.detector.backbone(image)[-1]
        features = self.detector.extract_feat(image)
        height, width = features[-1].shape[-2:]
        shape = tuple(image.shape[-2:])
        samples = [DetDataSample(metainfo=dict(img_shape=shape, batch_input_shape=shape)) for _ in image]
        for_encoder, for_decoder = self.detector.pre_transformer(features, samples)
        memory = self.detector.forward_encoder(**for_encoder)['memory']  # (B, hw, C)
        if self.source == 'decoder':
            memory = self._queries_at_places(memory, for_decoder)
        return memory.transpose(1, 2).unflatten(2, (height, width))

    def _queries_at_places(self, memory: Tensor, for_decoder: dict[str, Tensor | None]) -> Tensor:
        """(B, hw, C): embeddings of the queries, weighted by the attention that they pay to each place."""
        of_queries, _ = self.detector.pre_decoder(memory)
        with tap_features(self.detector, (self.attention,)) as found:
            hidden = self.detector.forward_decoder(**of_queries, **for_decoder)['hidden_states'][-1]
        attention = found[self.attention][1].transpose(1, 2)  # (B, hw, Q)
        least = torch.finfo(attention.dtype).tiny
        return (attention / attention.sum(2, keepdim=True).clamp_min(least)) @ hidden
