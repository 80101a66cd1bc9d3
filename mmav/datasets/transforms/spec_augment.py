"""Masking of bands and frames of spectrograms in a pipeline.

Shapes: C channels, M mel bands, T frames.
"""

from typing import Any

import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmav.models.layers.spec_augment import mask_spectrogram


@TRANSFORMS.register_module()
class SpecAugment(BaseTransform):
    """:func:`mask_spectrogram`, whose arguments these are, for samples that hold spectrograms.

    Where samples hold waveforms, the same masking is ``AudioVisualDataPreprocessor(spec_augment=dict(...))``.
    Required and modified key: ``spectrogram`` (C, M, T); KeyError without it.
    """

    def __init__(self, **kwargs: Any) -> None:
        mask_spectrogram(torch.zeros(0, 1, 1, 1), **kwargs)  # wrong arguments show here, not in a worker
        self.kwargs = kwargs

    def transform(self, results: dict) -> dict:
        """Mask the spectrogram in ``results``; see the class."""
        if 'spectrogram' not in results:
            raise KeyError(
                'SpecAugment needs spectrograms, but this sample holds a waveform: '
                'use AudioVisualDataPreprocessor(spec_augment=dict(...)) instead'
            )
        masked = mask_spectrogram(torch.from_numpy(results['spectrogram'])[None], **self.kwargs)
        results['spectrogram'] = masked[0].numpy()
        return results
