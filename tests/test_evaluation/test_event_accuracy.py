import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from mmav.evaluation import segment_accuracy, segment_counts, window_accuracy, window_chance


def test_segments_are_counted_as_sklearn_does():
    rng = np.random.default_rng(0)
    gt, pred = rng.integers(0, 5, (2, 7, 10))
    np.testing.assert_array_equal(
        segment_counts(pred, gt, 5), confusion_matrix(gt.ravel(), pred.ravel(), labels=range(5))
    )
    assert segment_accuracy(pred, gt) == pytest.approx(100 * accuracy_score(gt.ravel(), pred.ravel()))


def test_windows_are_right_to_the_segment():
    # of five answers two are right, one more is one off, one two, one three
    pred, gt = np.array([0, 4, 2, 5, 7]), np.array([0, 4, 3, 3, 4])
    assert window_accuracy(pred, gt) == 40
    assert window_accuracy(pred, gt, tolerance=1) == 60
    assert window_accuracy(pred, gt, tolerance=3) == 100


def test_chance_is_what_random_answers_reach():
    # windows: 9, 1 and 4
    lengths, segments = np.array([2, 10, 1]), np.array([10, 10, 4])
    assert window_chance(lengths, segments) == pytest.approx(100 * (1 / 9 + 1 + 1 / 4) / 3)
    rng = np.random.default_rng(0)
    answers = rng.integers(0, (segments - lengths + 1)[:, None], (3, 20000))
    truth = rng.integers(0, (segments - lengths + 1)[:, None], (3, 20000))
    reached = window_accuracy(answers.ravel(), truth.ravel())
    assert reached == pytest.approx(window_chance(lengths, segments), abs=1)


@pytest.mark.parametrize(
    'call',
    [
        lambda: segment_accuracy(np.zeros((2, 3)), np.zeros((3, 2))),
        lambda: segment_accuracy(np.zeros(0), np.zeros(0)),
        lambda: segment_counts(np.array([5]), np.array([0]), 5),
        lambda: segment_counts(np.array([0.5]), np.array([0.0]), 5),
        lambda: window_accuracy(np.zeros((2, 2)), np.zeros((2, 2))),
        lambda: window_accuracy(np.zeros(0), np.zeros(0)),
        lambda: window_chance(np.array([3]), np.array([2])),
    ],
)
def test_what_cannot_be_scored_is_refused(call):
    with pytest.raises(ValueError):
        call()
