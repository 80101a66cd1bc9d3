import cv2
import numpy as np
import pytest
import torch
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmav.visualization import MAVDLocalVisualizer, crop_to_sample

CROP = (20, 0, 152, 65)


def sample(**metainfo) -> DetDataSample:
    data_sample = DetDataSample(metainfo=dict(ori_shape=(65, 132), crop=CROP, **metainfo))
    data_sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[30.0, 10.0, 90.0, 50.0]]), scores=torch.tensor([0.9]), labels=torch.tensor([0])
    )
    return data_sample


def make_image() -> np.ndarray:
    image = np.zeros((65, 192, 3), np.uint8)
    image[..., 0] = np.arange(192)  # each column tells its place
    return image


def test_crop():
    cropped = crop_to_sample(make_image(), sample())
    assert cropped.shape == (65, 132, 3)
    assert cropped[0, 0, 0] == 20 and cropped[0, -1, 0] == 151


def test_cropped_images_and_samples_without_a_crop_are_left_alone():
    image = make_image()
    assert crop_to_sample(image, None) is image
    assert crop_to_sample(image, DetDataSample()) is image
    cropped = crop_to_sample(image, sample())
    assert crop_to_sample(cropped, sample()) is cropped


def test_small_image_is_named():
    with pytest.raises(ValueError, match=r'small\.jpg of 100 x 65'):
        crop_to_sample(make_image()[:, :100], sample(img_path='small.jpg'))


def test_stock_hook_draws_on_the_crop(tmp_path):
    path = tmp_path / 'frame.png'
    cv2.imwrite(str(path), make_image()[..., ::-1])
    visualizer = VISUALIZERS.build(
        dict(type='MAVDLocalVisualizer', name='test_stock_hook', save_dir=str(tmp_path))
    )
    assert isinstance(visualizer, MAVDLocalVisualizer)
    visualizer.dataset_meta = dict(classes=('vehicle',), palette=[(0, 255, 0)])
    hook = DetVisualizationHook(draw=True, test_out_dir='drawn')

    class Runner:
        work_dir, timestamp = str(tmp_path), 'now'

    hook.after_test_iter(Runner, 0, {}, [sample(img_path=str(path))])
    drawn = cv2.imread(str(tmp_path / 'now' / 'drawn' / 'frame.png'))
    assert drawn.shape[:2] == (65, 2 * 132)  # ground truth (none here) on the left
    drawn = drawn[:, 132:]
    green = (drawn[..., 1] > 100) & (drawn[..., 2] < 200)
    rows, columns = np.flatnonzero(green.any(axis=1)), np.flatnonzero(green.any(axis=0))
    np.testing.assert_allclose([columns[0], rows[0], columns[-1], rows[-1]], [30, 10, 90, 50], atol=3)
