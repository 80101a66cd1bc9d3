"""Packing of a video's features for a model.

Shapes: T segments, C classes.
"""

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from torch import Tensor

from mmav.structures import SegmentDataSample


@TRANSFORMS.register_module()
class PackSegmentInputs(BaseTransform):
    """Features to ``inputs``, labels to a :class:`mmav.structures.SegmentDataSample`.

    Returns ``dict(inputs, data_samples)``: ``inputs`` is a dict of tensors by key.

    Args:
        keys: Arrays of the sample that are the model's input; each must be there. Defaults to ``visual`` and
            ``audio``.
        gt_keys: Arrays of the sample that are ground truth, made float32; those that the sample has.
        meta_keys: Keys that go to the metainfo, those that the sample has.

    Raises:
        KeyError: In use, if the sample lacks one of ``keys``.
        TypeError: In use, if what is packed is no array of numbers.
    """

    DEFAULT_GT_KEYS = ('gt_segments', 'gt_events', 'gt_audio', 'gt_visual')
    DEFAULT_META_KEYS = ('video_id', 'duration', 'num_segments', 'category', 'split')

    def __init__(
        self,
        keys: Sequence[str] = ('visual', 'audio'),
        gt_keys: Sequence[str] = DEFAULT_GT_KEYS,
        meta_keys: Sequence[str] = DEFAULT_META_KEYS,
    ) -> None:
        self.keys = tuple(keys)
        self.gt_keys = tuple(gt_keys)
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack ``results``; see the class."""
        missing = [key for key in self.keys if key not in results]
        if missing:
            raise KeyError(
                f'video {results.get("video_id")} has no {", ".join(missing)} (it has '
                f'{", ".join(sorted(map(str, results)))}): mend the keys of PackSegmentInputs or what the '
                'dataset reads'
            )
        sample = SegmentDataSample(metainfo={key: results[key] for key in self.meta_keys if key in results})
        for key in self.gt_keys:
            if results.get(key) is not None:
                setattr(sample, key, _tensor(results, key).float())
        return dict(inputs={key: _tensor(results, key) for key in self.keys}, data_samples=sample)


def _tensor(results: dict, key: str) -> Tensor:
    value = results[key]
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, np.ndarray) or value.dtype.kind not in 'biuf':
        found = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f'{key} of video {results.get("video_id")} is no array of numbers but {found}')
    # A copy: arrays of a memory-mapped file may be read-only, tensors may not.
    return torch.from_numpy(np.array(value, order='C'))
