import math

import pytest

from mmav.utils.checks import check_choice, check_positive, check_range


def test_choices_are_named_with_what_was_given():
    check_choice('Loss', 'mode', 'a', ('a', 'b'))
    with pytest.raises(ValueError, match=r"^Loss: mode must be one of \('a', 'b'\), got 'c'$"):
        check_choice('Loss', 'mode', 'c', dict(a=1, b=2))


@pytest.mark.parametrize(
    ('bounds', 'good', 'bad', 'text'),
    [
        ((0, 1), (0, 0.5, 1), (-0.1, 1.1, math.nan), '>= 0 and <= 1'),
        ((2, None), (2, 9), (1.9, math.nan), '>= 2'),
        ((None, 3), (-9, 3), (3.1, math.inf), '<= 3'),
        ((None, None), (-9, math.inf), (math.nan,), 'a number'),
    ],
)
def test_ranges_include_their_bounds_and_no_nan(bounds, good, bad, text):
    for value in good:
        check_range('Loss', 'weight', value, *bounds)
    for value in bad:
        with pytest.raises(ValueError, match=f'^Loss: weight must be {text}, got {value}$'):
            check_range('Loss', 'weight', value, *bounds)


def test_positive_numbers():
    check_positive('Loss', temperature=0.1, weight=3)
    for value in (0, -1, math.nan):
        with pytest.raises(ValueError, match=f'^Loss: weight must be above 0, got {value}$'):
            check_positive('Loss', temperature=0.1, weight=value)
