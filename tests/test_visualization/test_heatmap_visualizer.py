from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample

from mmav.visualization import HeatmapLocalVisualizer, blend_heatmap


def gray(height: int = 60, width: int = 90) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def corner_map(size: int = 16) -> np.ndarray:
    """High at the top left, low elsewhere."""
    heatmap = np.full((size, size), -0.2, np.float32)
    heatmap[: size // 2, : size // 2] = 0.6
    return heatmap


def sample(heatmap: np.ndarray, **metainfo) -> DetDataSample:
    data_sample = DetDataSample(metainfo=metainfo)
    data_sample.pred_map = torch.from_numpy(heatmap)
    return data_sample


def test_blend_is_the_weighted_sum():
    image = np.random.RandomState(0).randint(0, 256, (60, 90, 3), np.uint8)
    blended = blend_heatmap(image, corner_map(), alpha=0.25)
    red, blue = np.array([128, 0, 0]), np.array([0, 0, 128])  # the ends of the jet color map
    for place, color in (((5, 5), red), ((55, 85), blue)):
        np.testing.assert_allclose(blended[place], 0.75 * image[place] + 0.25 * color, atol=1)
    np.testing.assert_array_equal(blend_heatmap(image, corner_map(), alpha=0), image)


def test_blend_with_a_range_shows_maps_that_are_off():
    faint = 0.1 * corner_map()
    own = blend_heatmap(gray(), faint, alpha=1)
    assert own[5, 5, 0] == 128 and own[5, 5, 2] == 0, 'scaled to itself, its maximum is red'
    ranged = blend_heatmap(gray(), faint, alpha=1, value_range=(0, 1))
    assert ranged[5, 5, 2] > 128 and ranged[5, 5, 0] == 0, 'it is low'
    flat = blend_heatmap(gray(), np.full((4, 4), 0.3), alpha=1)
    assert (flat == flat[0, 0]).all()


@pytest.mark.parametrize('arguments', [dict(alpha=1.5), dict(value_range=(1, 0)), dict(value_range=(1, 1))])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        blend_heatmap(gray(), corner_map(), **arguments)


def test_truth_and_prediction_stand_side_by_side():
    visualizer = HeatmapLocalVisualizer(name='side by side', map_alpha=1.0)
    visualizer.add_datasample(
        'name', gray(), sample(corner_map(), gt_boxes=np.array([[0.25, 0.2, 0.75, 0.8]]))
    )
    drawn = visualizer.get_image()
    assert drawn.shape == (60, 180, 3)
    for left in (0, 90):  # the box' left edge, at 22.5 pixels
        assert drawn[30, left + 20 : left + 25].min(axis=1).max() > 200
    assert (drawn[5, 5] == 100).all() and drawn[5, 95, 0] == 128
    visualizer.add_datasample('name', gray(), sample(corner_map()), draw_gt=False)
    np.testing.assert_array_equal(visualizer.get_image(), blend_heatmap(gray(), corner_map(), alpha=1.0))


def test_stock_hook_writes_an_image_for_each_sound(tmp_path):
    visualizer = VISUALIZERS.build(dict(type='HeatmapLocalVisualizer', name='hook'))
    cv2.imwrite(str(tmp_path / 'clip.jpg'), gray())
    hook = DetVisualizationHook(draw=True, test_out_dir='images')
    hook._visualizer = visualizer
    common = dict(img_path=str(tmp_path / 'clip.jpg'), category='dog', gt_boxes=np.array([[0, 0, 0.5, 0.5]]))
    outputs = [sample(corner_map(), **common), sample(corner_map(), negative='silence', **common)]
    hook.after_test_iter(SimpleNamespace(work_dir=str(tmp_path), timestamp='now'), 0, {}, outputs)
    written = {path.name: cv2.imread(str(path)) for path in (tmp_path / 'now' / 'images').iterdir()}
    assert set(written) == {'clip.jpg', 'clip_silence.jpg'}
    own, silent = written['clip.jpg'], written['clip_silence.jpg']
    assert own.shape == silent.shape and own.shape[0] > 60 and own.shape[1] == 180
    words = own.shape[0] - 60
    assert (own[:words].astype(int) != silent[:words]).any(), 'the kind of sound is written'


def test_detections_are_drawn_as_ever():
    visualizer = HeatmapLocalVisualizer(name='detections')
    visualizer.add_datasample('name', gray(), DetDataSample())
    np.testing.assert_array_equal(visualizer.get_image(), np.concatenate([gray(), gray()], axis=1))
