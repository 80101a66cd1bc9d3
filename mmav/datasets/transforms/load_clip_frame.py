"""Loading of a clip's image."""

import cv2
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from .load_visual_modalities import read_image


@TRANSFORMS.register_module()
class LoadClipFrame(BaseTransform):
    """mmcv's ``LoadImageFromFile``, with errors that name the file, and truncated images among them.

    OpenCV, depending on its version, fills the missing part of a truncated jpg with gray and says nothing.

    Required key: ``img_path``. Added keys: ``img`` (H, W, 3) uint8, BGR; ``img_shape`` and ``ori_shape`` (H,
    W).

    Args:
        backend_args: Of mmengine's file backends.

    Raises:
        SampleError: In use, if the file is missing, empty, truncated or no image.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the image to ``results``; see the class."""
        results['img'] = read_image(results['img_path'], self.backend_args, cv2.IMREAD_COLOR)
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results
