"""Folders of images read as videos."""

import cv2
import numpy as np
import pytest

from mmav.media.image_folder import iter_picture_files, list_pictures


@pytest.fixture
def files(tmp_path):
    """Pictures 1.png to 12.png, number i of red 10 i."""
    for number in range(1, 13):
        picture = np.zeros((4, 6, 3), np.uint8)
        picture[..., 2] = 10 * number  # OpenCV writes blue, green, red
        cv2.imwrite(str(tmp_path / f'{number}.png'), picture)
    return list_pictures(tmp_path)


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
def test_pictures_at_another_rate(files, fps, end, expected):
    pictures = np.stack(list(iter_picture_files(files, 4, fps, end)))
    assert pictures.shape == (len(expected), 4, 6, 3)
    assert (pictures[:, 0, 0, 0] / 10).tolist() == expected
    assert not pictures[..., 1:].any()
