"""Left-right mirroring of a whole sample: images, boxes and microphones."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type

from ..microphones import OCTAGON_POSITIONS, mirror_permutation


@TRANSFORMS.register_module()
class MirrorFlip(BaseTransform):
    """Mirror the scene left to right, as a mirror-symmetric array and camera would have met it.

    Images and boxes are flipped within ``img_shape`` (the filling of a letterboxed image stays where it
    is), and the microphones change places by the array's geometry. With ``prob`` 0 and 1 it serves mmdet's
    ``TestTimeAug``; ``flip`` and ``flip_direction`` are set as mmdet's models expect. An acoustic image
    has the camera's axes: its columns are reversed, which is the mirrored scene if the array is symmetric
    about the camera's middle.

    Required keys: ``img_shape``; optional: images, ``gt_bboxes``, ``audio`` (C, L), ``spectrogram``
    (C, M, T), ``acoustic_image`` (C, rows, columns), ``microphone_positions`` (C, 3) (default: the published
    octagon).

    Args:
        prob: Probability of flipping. Defaults to 0.5.

    Raises:
        ValueError: In use, if the array is not mirror symmetric or has another number of microphones than
            the sound, or if images of a prepared store meet the flip before ResizeModalities.
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in 0..1, got {prob}')
        self.prob = prob

    @cache_randomness
    def _choose(self) -> bool:
        return bool(np.random.rand() < self.prob)

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Flip ``results`` or not; see the class."""
        if results.get('prepared_resize') is not None:
            raise ValueError(
                'put ResizeModalities before MirrorFlip: the prepared images are resized already'
            )
        results['flip'] = self._choose()
        results['flip_direction'] = 'horizontal' if results['flip'] else None
        if not results['flip']:
            return results
        height, width = results['img_shape'][:2]
        for name in results.get('visual_modalities', ()):
            flipped = results[name].copy()
            content = cv2.flip(np.ascontiguousarray(results[name][:height, :width]), 1)
            flipped[:height, :width] = content.reshape(height, width, -1)
            results[name] = flipped
        if results.get('gt_bboxes') is not None:
            boxes = results['gt_bboxes'].clone()
            boxes.flip_((height, width), direction='horizontal')
            results['gt_bboxes'] = boxes
        for name in ('audio', 'spectrogram'):
            if name in results:
                order = mirror_permutation(results.get('microphone_positions', OCTAGON_POSITIONS))
                if len(order) != len(results[name]):
                    raise ValueError(
                        f'{len(results[name])} microphones in the sound, {len(order)} in '
                        'metainfo.microphone_positions of the data set'
                    )
                results[name] = results[name][order]
        if 'acoustic_image' in results:
            if 'acoustic_settings' in results:  # mirrored sound is that of a symmetric array alone
                positions = np.asarray(results['acoustic_settings']['rig']['microphone_positions'])
                mirror_permutation(positions - positions.mean(0))
            results['acoustic_image'] = np.ascontiguousarray(results['acoustic_image'][..., ::-1])
        return results
