"""What is known and predicted of the segments of one video.

Shapes: T segments (of a second each, as a rule), C classes.
"""

from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement
from torch import Tensor


class SegmentDataSample(BaseDataElement):
    """A video whose segments are labeled: events that sound, show, or both.

    Metainfo: ``video_id`` (str), ``duration`` (s), ``num_segments`` (T), where known.

    Ground truth is float, 1 where a class is present: ``gt_segments`` (T, C), ``gt_events`` (C,) of the
    whole video. Where sound and image have labels of their own they are ``gt_audio`` and ``gt_visual``,
    (T, C). Predictions are named after their task: ``pred_*``.

    Raises:
        TypeError: If ground truth is no tensor of floats.
        ValueError: If it has another number of dimensions, or of segments than the metainfo says.
    """

    _DIMENSIONS = dict(gt_segments=2, gt_events=1, gt_audio=2, gt_visual=2)

    def set_field(
        self, value: Any, name: str, dtype: type | tuple[type, ...] | None = None, field_type: str = 'data'
    ) -> None:
        """As in the base class, with ground truth checked."""
        if field_type == 'data' and name in self._DIMENSIONS:
            self._check(name, value)
        super().set_field(value, name, dtype, field_type)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._DIMENSIONS:
            self._check(name, value)
        super().__setattr__(name, value)

    def _check(self, name: str, value: Any) -> None:
        video = self.metainfo.get('video_id')
        if isinstance(value, Tensor):
            is_float = value.is_floating_point()
        else:  # numpy() of the base class makes arrays
            is_float = isinstance(value, np.ndarray) and value.dtype.kind == 'f'
        if not is_float:
            found = getattr(value, 'dtype', type(value).__name__)
            raise TypeError(f'{name} of video {video} must be a tensor of floats, got {found}')
        dimensions = self._DIMENSIONS[name]
        if value.ndim != dimensions:
            shape = '(T, C)' if dimensions == 2 else '(C,)'
            raise ValueError(f'{name} of video {video} must be {shape}, got {tuple(value.shape)}')
        segments = self.metainfo.get('num_segments')
        if dimensions == 2 and segments not in (None, len(value)):
            raise ValueError(f'{name} of video {video} has {len(value)} segments, num_segments is {segments}')
