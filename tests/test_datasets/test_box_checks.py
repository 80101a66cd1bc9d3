import pytest

from mmav.datasets.box_checks import box_error, is_label

SIZE = (100, 50)


@pytest.mark.parametrize(
    'box', [[0, 0, 100, 50], [10.5, 10.5, 5, 5], [-1.5, 0, 20, 20], [90, 40, 11.9, 11.9]]
)
def test_usable_boxes(box):
    assert box_error(dict(bbox=box, area=box[2] * box[3]), SIZE) is None


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
    assert reason in box_error(annotation, SIZE)


def test_tolerance():
    annotation = dict(bbox=[90, 10, 30, 30], area=900)
    assert box_error(annotation, SIZE, tolerance=20) is None


@pytest.mark.parametrize(
    ('instance', 'expected'),
    [
        ({}, True),
        (dict(ignore_flag=0, score=0.5), True),
        (dict(ignore_flag=1, score=0.9), False),
        (dict(ignore_flag=0, score=0.4), False),
    ],
)
def test_labels_are_neither_ignored_nor_of_a_low_score(instance, expected):
    assert is_label(instance, score_thr=0.5) is expected
