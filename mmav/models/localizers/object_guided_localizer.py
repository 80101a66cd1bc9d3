"""A sound localizer that is told at prediction where objects are: OG-AVC and OG-AVC-DETR, section 3.5 of
Yaghoubi, Kelm, Gerkmann and Frintrop, "Acoustic and visual knowledge distillation for contrastive
audio-visual localization" (ICMI 2023); the idea is that of EZ-VSL (Mo and Morgado, ECCV 2022).

Shapes: B samples; H, W size of an image, h, w of a map.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..utils.frozen_module import HiddenSubmodules
from .avc_localizer import resize_map

Inputs = Mapping[str, Tensor]


def min_max_normalize(values: Tensor) -> Tensor:
    """Shift and scale a map (H, W) to 0..1; one without contrast becomes 0."""
    low, high = values.aminmax()
    return (values - low) / torch.where(high > low, high - low, 1)


@MODELS.register_module()
class ObjectGuidedLocalizer(HiddenSubmodules, BaseModel):
    """Weighted sum of a localizer's map and maps of objects, each resized and then scaled to 0..1.

    Training is the localizer's. The object models are frozen public networks, no part of ``parameters()`` and
    of checkpoints: they read their own weights when the first map is asked for. So a checkpoint holds the
    localizer alone, under its own names: that of an ``AVCLocalizer`` serves here, and the other way round.

    Args:
        localizer: Config of the localizer; its ``data_preprocessor`` is not used.
        object_model: Config of what makes the first object map, :class:`FeatureObjectMap` of an ImageNet
            ResNet-18.
        detector: Config of what makes a second one, :class:`DETRObjectMap`; None: there is none.
        weights: Of localizer, object model and, if there is one, detector. Defaults to the paper's:
            (0.6, 0.4) without a detector, (1/3, 1/3, 1/3) with it.
        data_preprocessor: Config; see :class:`SoundLocalizationDataPreprocessor`.
        init_cfg: Initialization config.

    Raises:
        ValueError: If there is not one weight for each map, or a weight is negative.
    """

    guides: nn.ModuleDict

    def __init__(
        self,
        localizer: ConfigType,
        object_model: ConfigType,
        detector: OptConfigType = None,
        weights: Sequence[float] | None = None,
        data_preprocessor: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.localizer = MODELS.build({**localizer, 'data_preprocessor': None})
        guides = (
            dict(object=object_model) if detector is None else dict(object=object_model, detector=detector)
        )
        if weights is None:
            weights = (0.6, 0.4) if detector is None else (1 / 3, 1 / 3, 1 / 3)
        if len(weights) != 1 + len(guides) or min(weights) < 0:
            raise ValueError(
                f'ObjectGuidedLocalizer: the maps of localizer, {", ".join(guides)} need {1 + len(guides)} '
                f'weights >= 0, got {tuple(weights)}'
            )
        self.weights = tuple(weights)
        self.hide('guides', nn.ModuleDict({name: MODELS.build(cfg) for name, cfg in guides.items()}))

    def forward(
        self, inputs: Inputs, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | SampleList:
        """As of the localizer; 'tensor' with ``object_maps``, of a detector ``detector_maps``, (B, h, w)."""
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        results = self.localizer(inputs, data_samples, mode=mode)
        if mode == 'tensor':
            results.update((f'{name}_maps', guide(inputs['image'])) for name, guide in self.guides.items())
        return results

    def predict(self, inputs: Inputs, data_samples: Sequence[DetDataSample] | None = None) -> SampleList:
        """Localize the sound of each sample in its own image; see :meth:`AVCLocalizer.predict`.

        ``pred_map`` is (H, W) float32 in 0..sum of the weights.
        """
        results = self.localizer(inputs, data_samples, mode='predict')
        object_maps = [guide(inputs['image']).float() for guide in self.guides.values()]
        for index, sample in enumerate(results):
            shape = tuple(sample.pred_map.shape)
            parts = [sample.pred_map, *(resize_map(maps[index], shape) for maps in object_maps)]
            sample.pred_map = sum(
                weight * min_max_normalize(part) for weight, part in zip(self.weights, parts, strict=True)
            )
        return results

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The localizer's, under its own names."""
        return self.localizer.state_dict(*args, **kwargs)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        # Names of state_dict() above to those of the modules; this very dict is what they are loaded from.
        for name in [name for name in state_dict if name.startswith(prefix)]:
            state_dict[f'{prefix}localizer.{name[len(prefix) :]}'] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)
