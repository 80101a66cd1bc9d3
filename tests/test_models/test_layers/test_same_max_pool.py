"""TensorFlow's SAME padding, of the pooling and of mmcv's convolution that the backbone takes."""

import numpy as np
import pytest
import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from scipy import ndimage

from mmav.models.layers import SameMaxPool2d
from mmav.models.layers.same_max_pool import same_padding


@pytest.mark.parametrize(
    ('size', 'kernel_size', 'stride', 'padding'),
    [
        (13, 6, 5, (1, 2)),  # the example in TensorFlow's documentation
        (4, 3, 2, (0, 1)),
        (5, 3, 2, (1, 1)),
        (5, 3, 1, (1, 1)),
        (4, 2, 2, (0, 0)),
        (7, 1, 3, (0, 0)),
        (1, 3, 2, (1, 1)),
    ],
)
def test_padding_by_hand(size, kernel_size, stride, padding):
    assert same_padding(size, kernel_size, stride) == padding


def test_the_documented_windows_hold_what_they_should():
    row = torch.arange(1.0, 14).reshape(1, 1, 1, 13)
    # windows: 0 1 2 3 4 5 | 5 6 7 8 9 10 | 10 11 12 13 0 0
    conv = Conv2dAdaptivePadding(1, 1, (1, 6), (1, 5), bias=False)
    torch.nn.init.ones_(conv.weight)
    assert conv(row).flatten().tolist() == [15.0, 45.0, 46.0]
    pooled = SameMaxPool2d(6, 5)(row.expand(1, 1, 13, 13))
    assert pooled[0, 0].tolist() == [[5.0, 10.0, 13.0]] * 3


@pytest.mark.parametrize('shape', [(8, 8), (7, 7), (5, 8), (2, 1)])
def test_equals_scipys_filters_at_every_second_place(shape):
    image = np.random.default_rng(0).standard_normal(shape)
    kernel = np.random.default_rng(1).standard_normal((3, 3))
    # scipy centers each window on its cell: on even sizes the first window's center is cell 1
    cells = tuple(slice(1 - size % 2, None, 2) for size in shape)
    x = torch.from_numpy(image)[None, None]

    pooled = SameMaxPool2d(3, 2)(x)[0, 0]
    expected = ndimage.maximum_filter(np.pad(image, 1), 3)[1:-1, 1:-1]  # zeros take part
    np.testing.assert_array_equal(pooled, expected[cells])

    conv = Conv2dAdaptivePadding(1, 1, 3, 2, bias=False).double()
    conv.weight.data[0, 0] = torch.from_numpy(kernel)
    expected = ndimage.correlate(image, kernel, mode='constant')
    np.testing.assert_allclose(conv(x)[0, 0].detach(), expected[cells], rtol=1e-12)


def test_zeros_of_the_padding_take_part():
    x = -torch.ones(1, 1, 4, 4)
    assert SameMaxPool2d()(x)[0, 0].tolist() == [[-1.0, 0.0], [0.0, 0.0]]
