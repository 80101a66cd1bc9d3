import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from mmav.datasets.transforms import ResizeModalities


@pytest.fixture
def results():
    """A white rectangle that the box encloses exactly."""
    image = np.zeros((50, 100, 3), np.uint8)
    image[10:30, 20:60] = 255
    return dict(
        ori_shape=(50, 100),
        rgb=image,
        thermal=image[..., :1].copy(),
        visual_modalities=('rgb', 'thermal'),
        gt_bboxes=HorizontalBoxes(torch.tensor([[20.0, 10.0, 60.0, 30.0]])),
    )


def enclosed(image):
    """Box of the bright pixels."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize(
    ('scale', 'mode', 'content', 'factor'),
    [
        ((200, 150), 'stretch', (150, 200), (2.0, 3.0)),
        ((50, 25), 'stretch', (25, 50), (0.5, 0.5)),
        ((200, 200), 'letterbox', (100, 200), (2.0, 2.0)),
        ((200, 50), 'letterbox', (50, 100), (1.0, 1.0)),
    ],
)
def test_boxes_follow_the_images(results, scale, mode, content, factor):
    out = ResizeModalities(scale, mode)(results)
    assert out['img_shape'] == content
    assert out['scale_factor'] == pytest.approx(factor)
    box = out['gt_bboxes'].tensor[0].tolist()
    assert box == pytest.approx([20 * factor[0], 10 * factor[1], 60 * factor[0], 30 * factor[1]])
    for name, channels in (('rgb', 3), ('thermal', 1)):
        assert out[name].shape == (scale[1], scale[0], channels)
        assert enclosed(out[name]) == pytest.approx(box, abs=1)


def test_pixels_equal_opencv(results):
    image = results['rgb'] = np.random.default_rng(0).integers(0, 256, (50, 100, 3), dtype=np.uint8)
    for name, flag in (
        ('bilinear', cv2.INTER_LINEAR),
        ('area', cv2.INTER_AREA),
        ('nearest', cv2.INTER_NEAREST),
    ):
        out = ResizeModalities((33, 44), interpolation=name)(dict(results))
        np.testing.assert_array_equal(out['rgb'], cv2.resize(image, (33, 44), interpolation=flag))


def test_letterbox_fills_the_rest(results):
    out = ResizeModalities((200, 200), 'letterbox', pad_value=9)(results)
    assert (out['rgb'][100:] == 9).all() and out['rgb'].shape == (200, 200, 3)


def test_letterbox_fills_each_modality_with_its_own_value(results):
    resize = ResizeModalities((200, 200), 'letterbox', pad_value=dict(rgb=(104, 116, 124)))
    out = resize(dict(results))
    assert (out['rgb'][100:] == (104, 116, 124)).all() and (out['thermal'][100:] == 0).all()
    assert resize.settings()['pad_value'] == dict(rgb=[104, 116, 124])  # as json gives it back
    with pytest.raises(ValueError, match='thermal has 1 channels, its pad_value 3'):
        ResizeModalities((200, 200), 'letterbox', pad_value=dict(thermal=(1, 2, 3)))(results)


def test_without_images_boxes_follow_alone(results):
    sound_alone = dict(ori_shape=(50, 100), gt_bboxes=results['gt_bboxes'])
    out = ResizeModalities((200, 150))(sound_alone)
    assert out['gt_bboxes'].tensor.tolist() == [[40.0, 30.0, 120.0, 90.0]]
    assert results['gt_bboxes'].tensor.tolist() == [[20.0, 10.0, 60.0, 30.0]]


def test_arrays_of_boxes_stay_arrays(results):
    results['gt_bboxes'] = np.array([[20.0, 10.0, 60.0, 30.0]], np.float32)
    boxes = ResizeModalities((200, 150))(results)['gt_bboxes']
    np.testing.assert_allclose(boxes, [[40, 30, 120, 90]])


def test_boxes_are_clipped(results):
    results['gt_bboxes'] = HorizontalBoxes(torch.tensor([[-1.0, 10.0, 101.0, 51.0]]))
    assert ResizeModalities((200, 150))(results)['gt_bboxes'].tensor.tolist() == [[0.0, 30.0, 200.0, 150.0]]


@pytest.mark.parametrize('kwargs', [dict(mode='crop'), dict(interpolation='magic')])
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError):
        ResizeModalities((10, 10), **kwargs)
