"""Trained networks that show where objects are, whatever sounds: section 3.5 of Yaghoubi, Kelm, Gerkmann and
Frintrop, "Acoustic and visual knowledge distillation for contrastive audio-visual localization" (ICMI 2023).

Shapes: B images; H, W their size, h, w that of a feature map; Q queries of a DETR, K classes.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import ConfigType, OptConfigType
from mmengine.hub import get_config
from mmengine.logging import print_log
from torch import Tensor

from ...utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from ..backbones.detr_features import DETR_R50
from ..utils.feature_taps import check_tap, tap_features
from ..utils.frozen_module import FrozenModule, build_frozen


class ObjectMap(FrozenModule):
    """A frozen network that makes maps of objects; its weights are read when the first map is asked for.

    Args:
        model: Config of the network.
        checkpoint: Its weights, see :func:`mmav.utils.checkpoint.read_checkpoint`; read strictly. None, for
            configs whose users must name theirs, is an error in use.
        prefix: Name of the part of the checkpoint that is the network; '' for all of it.
        drop: Starts of names in the checkpoint that the network need not have.
    """

    def __init__(
        self, model: ConfigType, checkpoint: str | None, prefix: str = '', drop: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.model = build_frozen(model)
        self.checkpoint = checkpoint
        self.prefix = prefix
        self.drop = tuple(drop)
        self.loaded = False
        self.freeze()

    def load(self) -> None:
        """Read the checkpoint if it has not been read.

        Raises:
            ValueError: If none is given.
            RuntimeError: If it does not fit; the message lists names and shapes.
        """
        if self.loaded:
            return
        kind = type(self).__name__
        if self.checkpoint is None:
            raise ValueError(
                f'{kind} needs the weights of its {type(self.model).__name__}: set its checkpoint in the '
                'config, as in --cfg-options model.detector.checkpoint=FILE'
            )
        state_dict = select_state_dict(read_checkpoint(self.checkpoint), self.prefix, self.checkpoint)
        load_strict(self.model, state_dict, source=self.checkpoint, allow_unexpected=self.drop)
        self.loaded = True
        print_log(f'{kind}: loaded {self.checkpoint}', logger='current')

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Make maps (B, h, w), >= 0, of any scale, of images (B, 3, H, W), normalized as ImageNet's."""
        self.load()
        return self.make_maps(image)

    @abstractmethod
    def make_maps(self, image: Tensor) -> Tensor:
        """:meth:`forward` of a network whose weights are there."""


@MODELS.register_module()
class FeatureObjectMap(ObjectMap):
    """Mean over the channels of |features|: where a classifier sees anything it knows.

    Args:
        model: Config of a backbone; its last output counts.
        checkpoint: See :class:`ObjectMap`, e.g. 'torchvision://resnet18'.
        prefix: See there. Defaults to ''.
        drop: See there. Defaults to the classifier of torchvision's ResNets.
    """

    def __init__(
        self, model: ConfigType, checkpoint: str | None, prefix: str = '', drop: Sequence[str] = ('fc.',)
    ) -> None:
        super().__init__(model, checkpoint, prefix, drop)

    def make_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, h, w)."""
        return self.model(image)[-1].abs().mean(1)


@MODELS.register_module()
class DETRObjectMap(ObjectMap):
    """Mean of the DETR's maps that hold an object: where a detector looks for what it is sure of.

    The map of a query is its attention to the image in the last decoder layer, the mean over the heads. Those
    count whose query has a class (not "no object") with at least ``score_thr``; without any the map is 0.

    Args:
        checkpoint: See :class:`ObjectMap`.
        model: Config of mmdet's DETR. Defaults to MMDetection's own DETR R-50.
        score_thr: Least confidence of a query. Defaults to 0.3, the paper's.

    Raises:
        ValueError: If the model is no DETR.
    """

    model: Any  # mmdet's DETR

    def __init__(
        self, checkpoint: str | None = None, model: OptConfigType = None, score_thr: float = 0.3
    ) -> None:
        super().__init__(get_config(DETR_R50).model if model is None else model, checkpoint)
        self.score_thr = score_thr
        check_tap(self.model, 'decoder.layers', 'DETRObjectMap.model')
        self.attention = f'decoder.layers.{len(self.model.decoder.layers) - 1}.cross_attn.attn'
        for tap in ('neck', self.attention):
            check_tap(self.model, tap, 'DETRObjectMap.model')

    def make_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, h, w)."""
        size = tuple(image.shape[-2:])
        samples = [DetDataSample(metainfo=dict(img_shape=size, batch_input_shape=size)) for _ in image]
        with tap_features(self.model, ('neck', self.attention)) as found:
            features = self.model.extract_feat(image)
            scores, _ = self.model.bbox_head(**self.model.forward_transformer(features, samples))
        attention = found[self.attention][1]  # (B, Q, h w)
        confidence = scores[-1].softmax(-1)[..., :-1].amax(-1)  # (B, Q), of the last decoder layer
        maps = confident_mean(attention, confidence, self.score_thr)
        return maps.unflatten(1, found['neck'][-1].shape[-2:])


def confident_mean(maps: Tensor, confidence: Tensor, score_thr: float) -> Tensor:
    """Mean (B, h w) of the maps (B, Q, h w) of queries of confidence (B, Q) >= ``score_thr``; 0 without."""
    kept = (confidence >= score_thr).to(maps.dtype)
    return torch.einsum('bq,bqp->bp', kept, maps) / kept.sum(1, keepdim=True).clamp_min(1)
