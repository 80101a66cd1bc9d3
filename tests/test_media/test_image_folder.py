"""Folders of images read as videos."""

import cv2
import numpy as np
import pytest

from mmav.media.image_folder import iter_image_files, list_images


@pytest.fixture
def files(tmp_path):
    """Images 1.png to 12.png, number i of red 10 i."""
    for number in range(1, 13):
        image = np.zeros((4, 6, 3), np.uint8)
        image[..., 2] = 10 * number  # OpenCV writes blue, green, red
        cv2.imwrite(str(tmp_path / f'{number}.png'), image)
    return list_images(tmp_path)


def test_order_is_that_of_the_numbers(files):
    assert [file.stem for file in files] == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize(
    ('fps', 'end', 'expected'),
    [
        (4, 2, [1, 2, 3, 4, 5, 6, 7, 8]),
        (2, 9, [1, 3, 5, 7, 9, 11]),  # the images end after 3 s
        (8, 1, [1, 1, 2, 2, 3, 3, 4, 4]),
        (3, 1, [1, 2, 3]),  # shown at 0, 1/3 and 2/3 s
    ],
)
def test_images_at_another_rate(files, fps, end, expected):
    images = np.stack(list(iter_image_files(files, 4, fps, end)))
    assert images.shape == (len(expected), 4, 6, 3)
    assert (images[:, 0, 0, 0] / 10).tolist() == expected
    assert not images[..., 1:].any()
