"""From a batch of videos' features to what a model of segments eats, on the model's device.

Letters: B videos.
"""

from collections.abc import Mapping, Sequence

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

PRECISIONS = ('float32', 'float64')


@MODELS.register_module()
class SegmentDataPreprocessor(BaseDataPreprocessor):
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
        if dtype not in PRECISIONS:
            raise ValueError(f'SegmentDataPreprocessor: dtype must be one of {PRECISIONS}, got {dtype!r}')
        self.dtype = getattr(torch, dtype)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs``: dict of lists of equal-shaped tensors, or of tensors (B, ...), by name.
                ``data_samples``: list of ``SegmentDataSample``, or missing.
            training: Not used.

        Returns:
            dict: ``inputs``, dict of tensors (B, ...), and ``data_samples``.
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
        if not isinstance(values, Tensor):
            shapes = {tuple(value.shape) for value in values}
            if len(shapes) != 1:
                listed = ', '.join(
                    f'{_video(samples, index)}: {tuple(value.shape)}' for index, value in enumerate(values)
                )
                raise ValueError(f'{name}: the videos of a batch differ in shape ({listed})')
            values = torch.stack(list(values))
        if values.is_floating_point():
            if not bool(values.isfinite().all()):
                bad = (~values.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
                videos = ', '.join(_video(samples, index) for index in bad)
                raise ValueError(f'{name}: NaN or infinite values in {videos}')
            values = values.to(self.dtype)
        return self.cast_data(values)


def _video(samples: Sequence | None, index: int) -> str:
    video = None if samples is None else samples[index].metainfo.get('video_id')
    return f'sample {index} of the batch' if video is None else f'video {video}'
