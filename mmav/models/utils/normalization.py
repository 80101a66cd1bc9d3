"""How a data preprocessor normalizes images, so that a teacher and its student can be compared."""

import torch
from mmengine.model import BaseDataPreprocessor


def image_normalization(
    preprocessor: BaseDataPreprocessor, modality: str = 'rgb'
) -> tuple[list, list, bool] | None:
    """A preprocessor's mean and standard deviation, of values 0..255, and whether it swaps blue and red.

    It is ``AudioVisualDataPreprocessor``, of one modality, ``SoundLocalizationDataPreprocessor`` or one of
    mmdet; None for other kinds.
    """
    if hasattr(preprocessor, f'{modality}_mean'):
        values = getattr(preprocessor, f'{modality}_mean'), getattr(preprocessor, f'{modality}_std')
        swap = preprocessor.bgr_to_rgb[modality]
    elif hasattr(preprocessor, '_enable_normalize'):  # mmengine's ImgDataPreprocessor
        known = preprocessor._enable_normalize
        values = (preprocessor.mean, preprocessor.std) if known else (torch.zeros(1), torch.ones(1))
        swap = preprocessor._channel_conversion
    elif all(hasattr(preprocessor, name) for name in ('mean', 'std', 'bgr_to_rgb')):
        values, swap = (preprocessor.mean, preprocessor.std), preprocessor.bgr_to_rgb
    else:
        return None
    return (*(value.flatten().tolist() for value in values), bool(swap))
