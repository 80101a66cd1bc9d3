"""Packing of a sample for a model.

Shapes: C microphones, L samples, M mel bands, T frames, H height, W width.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackAudioVisualInputs(PackDetInputs):
    """mmdet's ``PackDetInputs`` for samples of several modalities.

    Returns ``dict(inputs, data_samples)``: ``inputs`` is a dict with what the sample holds of ``audio`` (C,
    L), ``spectrogram`` (C, M, T), ``acoustic_image`` (C, rows, columns) and the images ``rgb``, ``thermal``,
    ``depth`` (channels, H, W) uint8; ``data_samples`` is a ``DetDataSample`` with ground truth and metainfo.

    Args:
        meta_keys: Keys that go to the metainfo, where the sample has them.

    Raises:
        KeyError: In use, if the sample holds neither sound nor images.
        ValueError: In use, if images of a prepared store were never met by ResizeModalities.
    """

    DEFAULT_META_KEYS = (
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'flip',
        'flip_direction',
        'crop',
        'drive',
        'frame_id',
        'timestamp',
        'time_of_day',
        'motion',
        'condition',
        'sample_rate',
        'log_mel',
        'acoustic_settings',
    )

    def __init__(self, meta_keys: Sequence[str] = DEFAULT_META_KEYS) -> None:
        super().__init__(meta_keys=tuple(meta_keys))

    def transform(self, results: dict) -> dict:
        """Pack ``results``; see the class."""
        inputs = pack_inputs(results)
        packed = super().transform(results)
        packed['inputs'] = inputs
        return packed


def pack_inputs(results: dict) -> dict[str, torch.Tensor]:
    """Tensors of what a sample holds, by modality; see :class:`PackAudioVisualInputs`.

    Raises:
        KeyError: If the sample holds neither sound nor images.
        ValueError: If images of a prepared store were never met by ResizeModalities.
    """
    if results.get('prepared_resize') is not None:
        raise ValueError('the prepared images are resized: the pipeline needs ResizeModalities for the boxes')
    sounds = ('audio', 'spectrogram', 'acoustic_image')
    inputs = {key: torch.from_numpy(results[key]) for key in sounds if key in results}
    for name in results.get('visual_modalities', ()):
        inputs[name] = channels_first(results[name])
    if not inputs:
        raise KeyError(
            'the sample holds neither sound nor images: '
            'add LoadMultichannelAudio or LoadVisualModalities to the pipeline'
        )
    return inputs


def channels_first(image: np.ndarray) -> torch.Tensor:
    """(H, W, C) uint8 array to (C, H, W) tensor."""
    planes = np.empty((image.shape[2], *image.shape[:2]), image.dtype)
    cv2.split(image, list(planes))  # several times faster than a strided copy
    return torch.from_numpy(planes)
