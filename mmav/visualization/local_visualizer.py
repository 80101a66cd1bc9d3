"""The visualizer that MMDetection's hook and our inferencer draw with."""

from typing import Any

import numpy as np
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer


def crop_to_sample(image: np.ndarray, data_sample: DetDataSample | None) -> np.ndarray:
    """Cut a camera image (H, W, 3) as read from its file to the region that a sample's boxes refer to.

    Its metainfo ``crop`` is (x1, y1, x2, y2) in pixels of the file's image. Without it, or when the image has
    the cropped size ``ori_shape`` already, nothing is cut. ValueError if the image is smaller than the crop.
    """
    if data_sample is None or (crop := data_sample.get('crop')) is None:
        return image
    x1, y1, x2, y2 = (int(value) for value in crop)
    height, width = image.shape[:2]
    if (height, width) == (y2 - y1, x2 - x1) and (x1, y1) != (0, 0):
        return image
    if width < x2 or height < y2:
        raise ValueError(
            f'the image {data_sample.get("img_path", "")} of {width} x {height} pixels does not hold the '
            f'crop {(x1, y1, x2, y2)}; set the crop in LoadVisualModalities to fit the images'
        )
    return np.ascontiguousarray(image[y1:y2, x1:x2])


@VISUALIZERS.register_module()
class MAVDLocalVisualizer(DetLocalVisualizer):
    """``DetLocalVisualizer`` that first crops the camera image to the sample's ``crop``.

    Boxes of MAVD refer to the cropped image, while ``DetVisualizationHook`` reads the whole file; with this
    visualizer the stock hook draws them where they belong. Arguments are those of ``DetLocalVisualizer``.
    """

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Crop the image, (H, W, 3) RGB as in the file, and draw; see ``DetLocalVisualizer.add_datasample``.

        A cropped one stays; ValueError if it is smaller than the crop.
        """
        super().add_datasample(name, crop_to_sample(image, data_sample), data_sample, *args, **kwargs)
