import cv2
import numpy as np
import pytest

from mmav.visualization.spectrogram_strip import draw_spectrogram_strip


def test_cells_are_colored_by_opencvs_map_with_low_frequencies_below():
    decibel = np.random.default_rng(0).uniform(-80, 0, (2, 30, 40)).astype(np.float32)
    image = draw_spectrogram_strip(decibel, labels=['', ''])
    assert image.shape == (62, 40, 3) and image.dtype == np.uint8
    for k, top in enumerate((0, 32)):
        gray = ((decibel[k, ::-1] + 80) / 80 * 255).round().astype(np.uint8)
        np.testing.assert_array_equal(image[top : top + 30], cv2.applyColorMap(gray, cv2.COLORMAP_MAGMA))
    assert (image[30:32] == 255).all()


def test_range_is_clipped():
    decibel = np.stack([np.full((20, 20), -200.0), np.full((20, 20), 50.0)])
    image = draw_spectrogram_strip(decibel, value_range=(-10.0, 10.0), labels=['', ''])
    ends = cv2.applyColorMap(np.array([[0, 255]], np.uint8), cv2.COLORMAP_MAGMA)[0]
    assert (image[:20] == ends[0]).all() and (image[22:] == ends[1]).all()


@pytest.mark.parametrize(
    ('columns', 'size'), [(1, (300, 500)), (2, (401, 333)), (4, (1000, 100)), (3, (301, 200))]
)
def test_size_is_exact(columns, size):
    image = draw_spectrogram_strip(np.zeros((8, 80, 173)), size, columns=columns)
    assert image.shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ('shape', 'kwargs'),
    [
        ((80, 173), {}),
        ((8, 0, 173), {}),
        ((8, 4, 4), dict(value_range=(0, -80))),
        ((8, 4, 4), dict(size=(100, 10))),
        ((8, 4, 4), dict(labels=['a'])),
        ((8, 4, 4), dict(columns=0)),
    ],
)
def test_bad_arguments(shape, kwargs):
    with pytest.raises(ValueError):
        draw_spectrogram_strip(np.zeros(shape), **kwargs)
