import pytest

from mmav.datasets.box_fault import box_fault

SIZE = (100, 50)


@pytest.mark.parametrize(
    'box', [[0, 0, 100, 50], [10.5, 10.5, 5, 5], [-1.5, 0, 20, 20], [90, 40, 11.9, 11.9]]
)
def test_usable_boxes(box):
    assert box_fault(dict(bbox=box, area=box[2] * box[3]), SIZE) is None


@pytest.mark.parametrize(
    ('annotation', 'reason'),
    [
        (dict(bbox=[120, 10, 30, 30], area=900), 'outside'),
        (dict(bbox=[10, -40, 30, 30], area=900), 'outside'),
        (dict(bbox=[90, 10, 30, 30], area=900), 'sticks out'),
        (dict(bbox=[10, 10, 0, 30], area=0), 'degenerate'),
        (dict(bbox=[10, 10, -5, 30], area=-150), 'degenerate'),
        (dict(bbox=[10, 10, 5, 30], area=0), 'degenerate'),
        (dict(bbox=[10, 10, float('nan'), 30], area=1), 'not finite'),
        (dict(bbox=[10, 10, 30], area=1), 'is not'),
        (dict(area=1), 'is not'),
        (dict(bbox=[10, 10, 5, 5]), 'no area'),
    ],
)
def test_faulty_boxes(annotation, reason):
    assert reason in box_fault(annotation, SIZE)


def test_tolerance():
    annotation = dict(bbox=[90, 10, 30, 30], area=900)
    assert box_fault(annotation, SIZE, tolerance=20) is None
