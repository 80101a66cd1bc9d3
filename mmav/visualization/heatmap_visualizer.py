"""Localization maps over images, for MMDetection's hook and our inferencer.

H, W: height and width of an image in pixels; h, w: of a map; n: boxes.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmengine.dist import master_only

from .local_visualizer import MAVDLocalVisualizer


def blend_heatmap(
    image: np.ndarray,
    heatmap: np.ndarray,
    alpha: float = 0.5,
    value_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Lay a map over an image, in colors from blue (low) to red (high).

    Args:
        image: (H, W, 3) of uint8, RGB. It stays as it is.
        heatmap: (h, w), resized bilinearly to the image.
        alpha: Weight of the map's colors, 0 to 1. Defaults to 0.5.
        value_range: Values of the ends of the colors; what lies beyond is cut off.
            None: the map's own minimum and maximum, by which every map has red somewhere. Defaults to None.

    Returns:
        (H, W, 3) of uint8, RGB.

    Raises:
        ValueError: If ``alpha`` or ``value_range`` is out of order.
    """
    heatmap = np.asarray(heatmap, np.float32)
    low, high = (heatmap.min(), heatmap.max()) if value_range is None else value_range
    if not 0 <= alpha <= 1 or high < low or (value_range is not None and high == low):
        raise ValueError(f'bad alpha {alpha} or value_range {value_range}')
    scaled = (heatmap - low) / (high - low) if high > low else np.zeros_like(heatmap)
    scaled = cv2.resize(scaled.clip(0, 1), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    colors = cv2.applyColorMap(np.round(255 * scaled).astype(np.uint8), cv2.COLORMAP_JET)
    return cv2.addWeighted(image, 1 - alpha, cv2.cvtColor(colors, cv2.COLOR_BGR2RGB), alpha, 0)


@VISUALIZERS.register_module()
class HeatmapLocalVisualizer(MAVDLocalVisualizer):
    """Visualizer whose images of samples with a ``pred_map`` show it over the image, with the true boxes.

    With truth and prediction asked for, as ``DetVisualizationHook`` does, the image with the boxes stands
    left of the map with the boxes. True boxes are those of the metainfo ``gt_boxes`` (n, 4), relative to the
    image. Category and kind of a sound that is not the image's (metainfo ``category``, ``negative``) are
    written above, and a file of such a sample has the kind in its name, since the clip's own has that name
    without it. Samples without a map are drawn as detections.

    Args:
        name: Name of the instance. Defaults to ``'visualizer'``.
        map_alpha: Weight of the map's colors. Defaults to 0.5.
        map_range: See :func:`blend_heatmap`; give it to compare clips, and to see
            whether a map stays on. Defaults to None, each map's own.
        **kwargs: Of ``DetLocalVisualizer``.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        map_alpha: float = 0.5,
        map_range: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.map_alpha = map_alpha
        self.map_range = map_range

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: DetDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        pred_score_thr: float = 0.3,
        step: int = 0,
    ) -> None:
        """Draw a sample; see ``DetLocalVisualizer.add_datasample``.

        The image is (H, W, 3) RGB as in the file, of which the model's is a resized copy; ``draw_pred`` draws
        the map.
        """
        if data_sample is None or 'pred_map' not in data_sample:
            super().add_datasample(
                name, image, data_sample, draw_gt, draw_pred, show, wait_time, out_file, pred_score_thr, step
            )
            return
        boxes = self._boxes(data_sample, image) if draw_gt else np.zeros((0, 4))
        images = []
        if draw_gt and (len(boxes) or not draw_pred):
            images.append(self._draw_boxes(image, boxes))
        if draw_pred:
            heatmap = data_sample.pred_map.detach().float().cpu().numpy()
            blended = blend_heatmap(image, heatmap, self.map_alpha, self.map_range)
            images.append(self._draw_boxes(blended, boxes))
        drawn = np.concatenate(images or [image], axis=1)
        kind = data_sample.get('negative')
        words = [word for word in (data_sample.get('category'), kind and f'sound: {kind}') if word]
        drawn = _write_words(drawn, ', '.join(words)) if words else drawn
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        if out_file is None:
            self.add_image(name, drawn, step)
        else:
            path = Path(out_file)
            path = path.with_name(f'{path.stem}_{kind}{path.suffix}') if kind else path
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), drawn[..., ::-1])

    @staticmethod
    def _boxes(data_sample: DetDataSample, image: np.ndarray) -> np.ndarray:
        boxes = data_sample.get('gt_boxes')
        height, width = image.shape[:2]
        return np.reshape([] if boxes is None else boxes, (-1, 4)) * [width, height, width, height]

    def _draw_boxes(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        if not len(boxes):
            return image
        self.set_image(image)
        self.draw_bboxes(boxes, edge_colors='w', line_widths=max(1, image.shape[0] / 120))
        return self.get_image()


def _write_words(image: np.ndarray, words: str) -> np.ndarray:
    """Put a line of text on a strip above an image."""
    size = max(image.shape[1] / 1000, 0.4)
    (_, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    strip = np.full((height + 2 * below, image.shape[1], 3), 30, np.uint8)
    cv2.putText(strip, words, (below, height + below // 2), cv2.FONT_HERSHEY_SIMPLEX, size, (255,) * 3, 1)
    return np.concatenate([strip, image])
