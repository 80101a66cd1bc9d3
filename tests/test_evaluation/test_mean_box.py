import numpy as np
import pytest

from mmav.evaluation import mean_box_predictions


def test_mean_of_the_most_frequent_label():
    train = [
        np.array([[0, 0, 10, 10, 1], [20, 10, 40, 30, 1]]),
        np.zeros((0, 5)),
        np.array([[500, 500, 600, 600, 0]]),
    ]
    predictions = mean_box_predictions(train, num_frames=3)
    assert len(predictions) == 3
    for prediction in predictions:
        np.testing.assert_array_equal(prediction, [[10, 5, 25, 20, 1, 1]])


@pytest.mark.parametrize('train', [[], [np.zeros((0, 5))]])
def test_no_box(train):
    with pytest.raises(ValueError, match='no box'):
        mean_box_predictions(train, num_frames=1)
