"""A classifier of sounds or images: mmpretrain's, with this project's input."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from torch import Tensor

from ...compat import check_package

check_package('mmpretrain', 'AudioClassifier')
from mmpretrain.models.classifiers import ImageClassifier  # noqa: E402
from mmpretrain.structures import DataSample  # noqa: E402


@MODELS.register_module(force=True)
class AudioClassifier(ImageClassifier):
    """mmpretrain's ``ImageClassifier`` behind this project's data preprocessors.

    Backbone, neck and head are built in the config's scope: mmdet's and this project's by their names,
    mmpretrain's as ``mmpretrain.GlobalAveragePooling``, ``mmpretrain.StackedLinearClsHead``. The backbone's
    parameters are ``backbone.*``, as in every detector: ``StrictPretrained`` starts one from them.

    Args:
        backbone: The backbone; the head sees its last output.
        head: A classification head of mmpretrain.
        data_preprocessor: :class:`AudioVisualDataPreprocessor` or :class:`SoundLocalizationDataPreprocessor`
            with a ``modality``. mmpretrain's classifier would hand it an argument of its own preprocessor.
        neck: What turns feature maps into vectors. Defaults to None.
        init_cfg: Initialization config. Defaults to None.

    Raises:
        ValueError: In use, if a sample's class is beyond those of the head.
    """

    def __init__(
        self,
        backbone: ConfigType,
        head: ConfigType,
        data_preprocessor: ConfigType,
        neck: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        if isinstance(data_preprocessor, Mapping):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(
            backbone=backbone, neck=neck, head=head, data_preprocessor=data_preprocessor, init_cfg=init_cfg
        )

    def loss(self, inputs: Tensor, data_samples: Sequence[DataSample]) -> dict[str, Tensor]:
        """Losses of a batch (B, C, H, W) of samples with ``gt_label``."""
        self._check_labels(data_samples)
        return super().loss(inputs, data_samples)

    def predict(
        self, inputs: Tensor, data_samples: Sequence[DataSample] | None = None, **kwargs: Any
    ) -> list[DataSample]:
        """Classes of a batch (B, C, H, W), ``pred_score`` and ``pred_label``, in the samples or new ones."""
        self._check_labels([sample for sample in data_samples or () if 'gt_label' in sample])
        return super().predict(inputs, data_samples, **kwargs)

    def _check_labels(self, data_samples: Sequence[DataSample]) -> None:
        """A class too many would end in an unreadable error of the loss, on a GPU later than where it is."""
        if not data_samples:
            return
        highest = int(torch.cat([sample.gt_label for sample in data_samples]).max())
        if highest >= self.head.num_classes:
            raise ValueError(
                f'a sample has class {highest}, but the head tells {self.head.num_classes} classes apart, '
                f'0 to {self.head.num_classes - 1}: CountInstances needs '
                f'max_count={self.head.num_classes - 1}, or the head num_classes={highest + 1}'
            )
