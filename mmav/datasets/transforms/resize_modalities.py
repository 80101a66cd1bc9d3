"""Resizing of a frame's images and boxes to the network's input."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import autocast_box_type

from mmav.utils.checks import check_choice

_INTERPOLATIONS = dict(nearest=cv2.INTER_NEAREST, bilinear=cv2.INTER_LINEAR, area=cv2.INTER_AREA)


@TRANSFORMS.register_module()
class ResizeModalities(BaseTransform):
    """Resize every image of the sample, and its boxes, to one size.

    The AVD paper stretches images to a square; the released MM-DistillNet letterboxes them into the top
    left of a square. The spectrogram is stretched in both cases, in the data preprocessor. Works as well
    where no image is loaded (training on sound alone): then the boxes alone follow.

    Required keys: ``ori_shape``; optional: ``visual_modalities`` and their images, ``gt_bboxes``.

    Modified keys: the images (of shape ``scale``; letterboxed ones are filled with ``pad_value`` at the
    right or bottom) and ``gt_bboxes``. Added keys: ``img_shape`` (H, W) of the content without the filling,
    and ``scale_factor`` (w, h).

    Args:
        scale: (width, height) in pixels.
        mode: 'stretch' or 'letterbox'. Defaults to 'stretch'.
        interpolation: 'bilinear', 'nearest' or 'area'. Defaults to 'bilinear'.
        pad_value: Fills the rest of a letterboxed image. A dict has values by modality, one number or one per
            channel (in the file's order); modalities that it lacks are filled with 0. Defaults to 0.

    Raises:
        ValueError: If an argument is unknown or, in use, a prepared store was made with others, or
            ``pad_value`` has another number of values than the image channels.
    """

    def __init__(
        self,
        scale: tuple[int, int],
        mode: str = 'stretch',
        interpolation: str = 'bilinear',
        pad_value: int | Mapping[str, int | Sequence[int]] = 0,
    ) -> None:
        if mode not in ('stretch', 'letterbox'):
            raise ValueError(f"mode must be 'stretch' or 'letterbox', got {mode!r}")
        check_choice('ResizeModalities', 'interpolation', interpolation, _INTERPOLATIONS)
        self.scale = (int(scale[0]), int(scale[1]))
        self.mode = mode
        self.interpolation = interpolation
        if isinstance(pad_value, Mapping):
            pad_value = {
                name: list(value) if isinstance(value, Sequence) else value
                for name, value in pad_value.items()
            }
        self.pad_value = pad_value

    def settings(self) -> dict:
        """What determines the images, as plain types."""
        return dict(
            scale=list(self.scale), mode=self.mode, interpolation=self.interpolation, pad_value=self.pad_value
        )

    @autocast_box_type()
    def transform(self, results: dict) -> dict:
        """Resize images and boxes in ``results``; see the class."""
        height, width = results.get('img_shape', results['ori_shape'])[:2]
        target_width, target_height = self.scale
        if self.mode == 'letterbox':
            ratio = min(target_width / width, target_height / height)
            content = (max(round(width * ratio), 1), max(round(height * ratio), 1))
        else:
            content = self.scale

        prepared = results.pop('prepared_resize', None)
        if prepared is not None and prepared != self.settings():
            raise ValueError(
                f'the prepared store holds images resized with {prepared}, but this pipeline asks for '
                f'{self.settings()}: make another store, or change ResizeModalities'
            )
        if prepared is None:
            for name in results.get('visual_modalities', ()):
                results[name] = self._resize(results[name], content, name)

        results['img_shape'] = (content[1], content[0])
        results['scale_factor'] = (content[0] / width, content[1] / height)
        if results.get('gt_bboxes') is not None:
            boxes = results['gt_bboxes'].clone()
            boxes.rescale_(results['scale_factor'])
            boxes.clip_(results['img_shape'])
            results['gt_bboxes'] = boxes
        return results

    def _resize(self, image: np.ndarray, content: tuple[int, int], name: str) -> np.ndarray:
        resized = cv2.resize(image, content, interpolation=_INTERPOLATIONS[self.interpolation])
        resized = resized.reshape(content[1], content[0], -1)  # OpenCV drops a single channel's axis
        if content == self.scale:
            return resized
        channels = resized.shape[2]
        filling = self.pad_value.get(name, 0) if isinstance(self.pad_value, dict) else self.pad_value
        if np.size(filling) not in (1, channels):
            raise ValueError(f'{name} has {channels} channels, its pad_value {np.size(filling)} values')
        canvas = np.full((self.scale[1], self.scale[0], channels), filling, resized.dtype)
        canvas[: content[1], : content[0]] = resized
        return canvas
