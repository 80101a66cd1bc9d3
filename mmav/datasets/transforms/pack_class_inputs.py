"""Packing of a sample for a classifier."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ...compat import check_package
from .pack_audio_visual_inputs import PackAudioVisualInputs, pack_inputs


@TRANSFORMS.register_module()
class PackClassInputs(BaseTransform):
    """:class:`PackAudioVisualInputs` for samples with a class instead of boxes.

    Returns ``dict(inputs, data_samples)``: ``inputs`` as there, ``data_samples`` is mmpretrain's
    ``DataSample`` with ``gt_label`` and metainfo. There are no boxes to resize: ``img_shape`` and
    ``scale_factor`` are left out, and the pipeline needs no ``ResizeModalities`` for sound.

    Args:
        meta_keys: Keys that go to the metainfo, where the sample has them.

    Raises:
        ImportError: mmpretrain is not installed.
        KeyError: In use, if the sample holds neither sound nor images, or no ``gt_label``.
    """

    DEFAULT_META_KEYS = tuple(
        key for key in PackAudioVisualInputs.DEFAULT_META_KEYS if key not in ('img_shape', 'scale_factor')
    )

    def __init__(self, meta_keys: Sequence[str] = DEFAULT_META_KEYS) -> None:
        check_package('mmpretrain', 'PackClassInputs')
        from mmpretrain.structures import DataSample

        self.meta_keys = tuple(meta_keys)
        self._sample_type = DataSample

    def transform(self, results: dict) -> dict:
        """Pack ``results``; see the class."""
        if 'gt_label' not in results:
            raise KeyError('the sample has no gt_label: put CountInstances before PackClassInputs')
        sample = self._sample_type(metainfo={key: results[key] for key in self.meta_keys if key in results})
        return dict(inputs=pack_inputs(results), data_samples=sample.set_gt_label(results['gt_label']))
