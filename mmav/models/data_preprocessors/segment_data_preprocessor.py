"""From a batch of videos' features to the inputs of a model of segments, on the model's device.

Shapes: B videos.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from mmdet.registry import MODELS
from torch import Tensor

from mmav.utils.checks import check_choice

from .base import StackingDataPreprocessor

PRECISIONS = ('float32', 'float64')


@MODELS.register_module()
class SegmentDataPreprocessor(StackingDataPreprocessor):
    """Stacks the features of a batch and brings them to the model's device and precision.

    Args:
        dtype: Precision of the features, 'float32' or 'float64'; inputs that are no floats keep their type.
            Defaults to 'float32'.
        non_blocking: Whether copies to the device may overlap with work. Defaults to False.

    Raises:
        ValueError: If ``dtype`` is another; in use, if the videos' features differ in shape or hold NaN or
            infinite values.
    """

    def __init__(self, dtype: str = 'float32', non_blocking: bool = False) -> None:
        super().__init__(non_blocking=non_blocking)
        check_choice('SegmentDataPreprocessor', 'dtype', dtype, PRECISIONS)
        self.dtype = getattr(torch, dtype)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch: ``inputs``, a dict of tensors (B, ...), and ``data_samples``.

        ``inputs`` are lists of equal-shaped tensors, or tensors (B, ...), by name.
        """
        inputs, samples = data['inputs'], data.get('data_samples')
        if not isinstance(inputs, Mapping):
            raise TypeError(
                f'inputs must be a dict by name, got {type(inputs).__name__}: the pipeline ends in '
                'PackSegmentInputs'
            )
        batch = {name: self._stack(name, values, samples) for name, values in inputs.items()}
        return dict(inputs=batch, data_samples=None if samples is None else self.cast_data(samples))

    def _stack(self, name: str, values: Tensor | Sequence[Tensor], samples: Sequence | None) -> Tensor:
        values = self.stack(name, values, partial(_video, samples))
        return self.cast_data(values.to(self.dtype) if values.is_floating_point() else values)


def _video(samples: Sequence | None, index: int) -> str:
    video = None if samples is None else samples[index].metainfo.get('video_id')
    return f'sample {index} of the batch' if video is None else f'video {video}'
