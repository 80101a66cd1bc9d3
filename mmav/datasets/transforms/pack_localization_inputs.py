"""Packing of an image and its sound for a localizer.

Shapes: n boxes; H, W height and width of the packed image; L samples.
"""

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample

from ..localization_map import localization_map
from .pack_audio_visual_inputs import channels_first


@TRANSFORMS.register_module()
class PackLocalizationInputs(BaseTransform):
    """Pack image, sound and, where known, the map of where the image sounds.

    Returns ``dict(inputs, data_samples)``: ``inputs`` holds ``image`` (3, H, W) uint8 in BGR and what the
    sample has of ``audio`` (L,), ``spectrogram`` and the teachers' inputs; ``data_samples`` is a
    ``DetDataSample`` with metainfo and, for samples with ``gt_boxes``, the data field ``gt_map`` (H, W)
    float32 in 0..1, see :func:`localization_map` (of several annotators where ``annotator`` is known). It
    lies on the packed image: the boxes go through mmdet's ``Resize``, ``RandomCrop`` and ``RandomFlip``,
    which note what they do in ``homography_matrix``.

    Args:
        meta_keys: Keys that go to the metainfo, where the sample has them. ``gt_boxes`` there
            are those of the whole image, relative (0..1).
        input_keys: Arrays that go to the inputs beside the image, where the sample has them.

    Raises:
        KeyError: In use, if the sample holds no image.
    """

    DEFAULT_META_KEYS = (
        'img_id',
        'clip',
        'img_path',
        'audio_path',
        'video_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'flip',
        'flip_direction',
        'homography_matrix',
        'sample_rate',
        'category',
        'gt_boxes',
        'annotator',
        'split',
        'negative',
    )
    DEFAULT_INPUT_KEYS = ('audio', 'spectrogram', 'teacher_audio', 'teacher_visual', 'teacher_waveform')

    def __init__(
        self,
        meta_keys: Sequence[str] = DEFAULT_META_KEYS,
        input_keys: Sequence[str] = DEFAULT_INPUT_KEYS,
    ) -> None:
        self.meta_keys = tuple(meta_keys)
        self.input_keys = tuple(input_keys)

    def transform(self, results: dict) -> dict:
        """Pack ``results``; see the class."""
        if 'img' not in results:
            raise KeyError('the sample holds no image: put LoadClipFrame before PackLocalizationInputs')
        inputs = dict(image=channels_first(results['img']))
        for key in self.input_keys:
            if key in results:
                inputs[key] = torch.from_numpy(np.ascontiguousarray(results[key]))
        sample = DetDataSample(metainfo={key: results[key] for key in self.meta_keys if key in results})
        if results.get('gt_boxes') is not None:
            boxes, size = boxes_in_view(results), results['img'].shape[:2]
            consensus = results.get('annotator') is not None
            sample.gt_map = torch.from_numpy(localization_map(boxes, size, consensus))
        return dict(inputs=inputs, data_samples=sample)


def boxes_in_view(results: dict) -> np.ndarray:
    """Boxes (n, 4) of the whole image, ``gt_boxes``, relative to the packed one, out of which they may stick.

    ``homography_matrix`` (3, 3) leads from pixels of ``ori_shape`` to those of ``img``, where anything was
    done.
    """
    boxes = np.asarray(results['gt_boxes'], np.float64)
    matrix = results.get('homography_matrix')
    if matrix is None:
        return boxes
    (old_height, old_width), (height, width) = results['ori_shape'][:2], results['img'].shape[:2]
    matrix = np.asarray(matrix, np.float64) @ np.diag([old_width, old_height, 1])
    if np.allclose(matrix, np.diag([width, height, 1]), rtol=1e-5, atol=1e-3):
        return boxes  # only resized: spare them the rounding
    corners = boxes.reshape(-1, 2, 2) @ matrix[:2, :2].T + matrix[:2, 2]
    corners = corners.round(3) + 1e-4  # a border between two pixels shall not fall into the one before it
    return np.concatenate((corners.min(1), corners.max(1)), axis=1) / [width, height, width, height]
