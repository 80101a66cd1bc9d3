import numpy as np
from golden import GOLDEN

from mmav.datasets.localization_map import localization_map


def test_worked_by_hand():
    boxes = [[0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 0.99, 0.5], [0.25, -3.0, 0.5, 0.25]]
    union = localization_map(boxes, (2, 4))
    np.testing.assert_array_equal(union, [[1, 1, 1, 0], [0, 0, 0, 0]])
    consensus = localization_map(boxes, (2, 4), consensus=True)
    np.testing.assert_array_equal(consensus, [[0.5, 1, 0.5, 0], [0, 0, 0, 0]])
    assert union.dtype == np.float32


def test_no_box_marks_nothing():
    assert not localization_map(np.zeros((0, 4)), (3, 5)).any()
    assert not localization_map([[0.3, 1.0, 0.7, 1.0]], (3, 5)).any()
    assert localization_map([[0, 0, 1, 1]]).sum() == 224 * 224


def test_published_evaluation():
    """The stored cIoU of each stored heat map, by its definition with the map of the stored boxes."""
    golden = np.load(GOLDEN / 'ciou_metric.npz')
    for heatmap, boxes, expected in zip(golden['heatmaps'], golden['boxes'], golden['ciou']):
        boxes = boxes[boxes[:, 0] >= 0]
        truth = localization_map((boxes + 0.5) / 224, consensus=True)
        low, high = heatmap.min(), heatmap.max()
        heatmap = (heatmap - low) / (high - low)
        shown = heatmap >= np.sort(heatmap.ravel())[heatmap.size // 2]
        value = (shown * truth).sum() / (truth.sum() + (shown & (truth == 0)).sum())
        np.testing.assert_allclose(value, expected, rtol=1e-5)
