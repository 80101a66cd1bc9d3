"""What all models of segments share: the three modes.

Letters: B videos, T segments.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModel
from torch import Tensor

from mmav.structures import SegmentDataSample

Inputs = dict[str, Tensor]


class SegmentModel(BaseModel):
    """A model of videos' features with the modes ``loss``, ``predict`` and ``tensor``.

    It takes the precision of its data preprocessor.

    Args:
        data_preprocessor: Config of it. Defaults to ``SegmentDataPreprocessor``.
        init_cfg: Initialisation config. Defaults to None.
    """

    def __init__(self, data_preprocessor: OptConfigType = None, init_cfg: OptMultiConfig = None) -> None:
        if data_preprocessor is None:
            data_preprocessor = dict(type='SegmentDataPreprocessor')
        if isinstance(data_preprocessor, Mapping):
            # here, as mmengine's registry does not find it without a default scope
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)

    def match_precision(self) -> None:
        """Take the precision of the data preprocessor: the end of every constructor."""
        self.to(self.data_preprocessor.dtype)

    def forward(
        self,
        inputs: Inputs,
        data_samples: Sequence[SegmentDataSample] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[SegmentDataSample]:
        """Run the model.

        Args:
            inputs: Tensors by name, batch first.
            data_samples: Labels of the videos ('loss'), or what receives predictions ('predict').
            mode: 'tensor': a dict of named tensors; 'loss': a dict of losses; 'predict': the data samples
                with ``pred_*`` fields.

        Raises:
            ValueError: If ``mode`` is none of these, or data samples are missing.
        """
        if mode == 'tensor':
            return self._forward(inputs)
        if mode not in ('loss', 'predict'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        if data_samples is None:
            if mode == 'loss':
                raise ValueError("mode 'loss' needs data_samples with the labels")
            count = len(next(iter(inputs.values())))
            data_samples = [SegmentDataSample() for _ in range(count)]
        return getattr(self, mode)(inputs, data_samples)

    @abstractmethod
    def _forward(self, inputs: Inputs) -> dict[str, Tensor]:
        """All named tensors."""

    @abstractmethod
    def loss(self, inputs: Inputs, data_samples: Sequence[SegmentDataSample]) -> dict[str, Tensor]:
        """Losses of a batch."""

    @abstractmethod
    def predict(self, inputs: Inputs, data_samples: Sequence[SegmentDataSample]) -> list[SegmentDataSample]:
        """The data samples with predictions."""


def require_inputs(inputs: Inputs, dimensions: dict[str, int]) -> None:
    """Check that the inputs are there and have as many dimensions as they should, and agree in B and T.

    Args:
        inputs: Tensors (B, T, ...) by name.
        dimensions: Number of dimensions by name.

    Raises:
        ValueError: If not.
    """
    shapes = {name: tuple(inputs[name].shape) if name in inputs else None for name in dimensions}
    fit = all(shape is not None and len(shape) == dimensions[name] for name, shape in shapes.items())
    if not fit or len({shape[:2] for shape in shapes.values()}) > 1:
        wanted = ', '.join(f'{name} with {number} dimensions' for name, number in dimensions.items())
        raise ValueError(f'inputs must be {wanted}, all beginning with (B, T); got {shapes}')


def stack_labels(data_samples: Sequence[SegmentDataSample], name: str, shape: tuple[int, ...]) -> Tensor:
    """Labels of a batch.

    Args:
        data_samples: Of B videos.
        name: The field, ``gt_segments`` or ``gt_events``.
        shape: Of one video's.

    Returns:
        Tensor: (B, *shape).

    Raises:
        ValueError: If a video lacks them or they are of another shape.
    """
    for sample in data_samples:
        found = tuple(sample.get(name).shape) if name in sample else 'nothing'
        if found != shape:
            raise ValueError(
                f'video {sample.metainfo.get("video_id")}: {name} must be {shape}, found {found}; see what '
                'the dataset gives and gt_keys of PackSegmentInputs'
            )
    return torch.stack([sample.get(name) for sample in data_samples])
