import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS
from PIL import Image
from tiny_clips import tear

from mmav.datasets import SampleError


@pytest.fixture
def load():
    return TRANSFORMS.build(dict(type='LoadClipFrame'))


@pytest.mark.parametrize('mode', ['RGB', 'L', 'RGBA', 'P'])
def test_equals_mmcv(tmp_path, load, mode):
    pixels = cv2.resize(np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8), (30, 20))
    path = str(tmp_path / 'a.png')
    Image.fromarray(pixels).convert(mode).save(path)
    ours, mmcv = load(dict(img_path=path)), LoadImageFromFile()(dict(img_path=path))
    assert ours['img_shape'] == ours['ori_shape'] == mmcv['img_shape'] == (20, 30)
    np.testing.assert_array_equal(ours['img'], mmcv['img'])


def test_image_of_a_phone_is_turned(tmp_path, load):
    pixels = np.zeros((20, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.fromarray(pixels).save(tmp_path / 'a.jpg', exif=exif)
    assert load(dict(img_path=str(tmp_path / 'a.jpg')))['img_shape'] == (30, 20)


def test_truncated_file(clips, load):
    path = clips.path('frames', 'aaaaaaaaaaa_000010', 'jpg')
    tear(path)
    with pytest.raises(SampleError, match=rf'{path}: truncated image'):
        load(dict(img_path=str(path)))
