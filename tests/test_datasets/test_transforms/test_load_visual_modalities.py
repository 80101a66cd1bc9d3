import cv2
import numpy as np
import pytest

from mmav.datasets import SampleError
from mmav.datasets.transforms import LoadVisualModalities


def load(path, modality, shape, **kwargs):
    results = dict(modality_paths={modality: str(path)}, ori_shape=shape)
    return LoadVisualModalities((modality,), **kwargs)(results)[modality]


def test_thermal_range(tmp_path):
    raw = np.array([[0, 21800, 21801], [23400, 25000, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / 't.png'), raw)
    scaled = load(tmp_path / 't.png', 'thermal', (2, 3), crop=None)
    assert scaled.shape == (2, 3, 1)
    assert scaled[..., 0].tolist() == [[0, 0, 0], [128, 255, 255]]


def test_thermal_of_eight_bits_is_taken_as_it_is(tmp_path):
    raw = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    cv2.imwrite(str(tmp_path / 'gray.png'), raw)
    cv2.imwrite(str(tmp_path / 'color.png'), np.repeat(raw[..., None], 3, axis=2))
    for name in ('gray.png', 'color.png'):
        np.testing.assert_array_equal(load(tmp_path / name, 'thermal', (3, 4), crop=None)[..., 0], raw)


def test_gray_and_transparent_images_get_three_channels(tmp_path):
    raw = np.random.default_rng(0).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), raw)
    np.testing.assert_array_equal(load(tmp_path / 'a.png', 'rgb', (6, 8), crop=None), raw[..., :3])
    cv2.imwrite(str(tmp_path / 'g.png'), raw[..., 0])
    assert load(tmp_path / 'g.png', 'depth', (6, 8), crop=None).shape == (6, 8, 3)


def test_crop(tmp_path):
    raw = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), raw)
    np.testing.assert_array_equal(load(tmp_path / 'a.png', 'rgb', (5, 3), crop=(2, 1, 5, 6)), raw[1:6, 2:5])
    with pytest.raises(SampleError, match='too small to crop'):
        load(tmp_path / 'a.png', 'rgb', (5, 3), crop=(2, 1, 9, 6))
    with pytest.raises(SampleError, match='boxes refer to 8 x 5'):
        load(tmp_path / 'a.png', 'rgb', (5, 8), crop=None)
    with pytest.raises(ValueError, match='crop'):
        LoadVisualModalities(crop='full')


def test_sixteen_bits_are_for_thermal_alone(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((4, 4, 3), np.uint16))
    with pytest.raises(SampleError, match='uint16 pixels'):
        load(tmp_path / 'a.png', 'rgb', (4, 4), crop=None)


def test_truncation_is_found_where_opencv_is_silent(tmp_path):
    raw = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    whole = cv2.imencode('.jpg', raw)[1].tobytes()
    path = tmp_path / 'a.jpg'
    path.write_bytes(whole + b'\0' * 100)  # what some cameras append
    assert load(path, 'rgb', (60, 80), crop=None).shape == (60, 80, 3)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SampleError, match='truncated'):
        load(path, 'rgb', (60, 80), crop=None)


def test_damage_of_png_is_found_where_opencv_is_silent(tmp_path):
    raw = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = tmp_path / 'a.png'
    content = bytearray(cv2.imencode('.png', raw)[1].tobytes())
    path.write_bytes(content)
    np.testing.assert_array_equal(load(path, 'rgb', (60, 80), crop=None), raw)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SampleError, match=r"a\.png: damaged image: b'IDAT' in it differs from its checksum"):
        load(path, 'rgb', (60, 80), crop=None)


def test_a_name_is_no_list_of_names():
    with pytest.raises(TypeError, match='sequence of names'):
        LoadVisualModalities('rgb')


def test_modality_that_the_data_set_lacks():
    with pytest.raises(KeyError, match='rgb'):
        LoadVisualModalities(('rgb',))(dict(modality_paths={}, ori_shape=(2, 2)))
