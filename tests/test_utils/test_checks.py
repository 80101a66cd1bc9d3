import math

import pytest

from mmav.utils.checks import check_below, check_choice, check_distinct, check_positive, check_range
from mmav.utils.errors import SampleError


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


@pytest.mark.parametrize(
    'name', ['..', '../x', 'a/../../x', '/etc/passwd', 'a/..', '\\\\host\\x', 'a\\..\\x', 'C:/x', 'C:x']
)
def test_names_that_lead_elsewhere(name):
    with pytest.raises(SampleError, match=r'^list, line 3: the name '):
        check_below(name, 'list, line 3')


@pytest.mark.parametrize('name', ['x', 'a/b/x.jpg', '..x', 'x..', 'a/..b/c', './x', '-hChcJAh5N0', '...'])
def test_names_that_stay_below(name):
    check_below(name, 'list')


def test_results_of_one_name():
    check_distinct([('x/a.wav', 'a'), ('y/b.wav', 'b')])
    with pytest.raises(SampleError, match=r"^y/a\.flac: .* that of x/a\.wav: 'a'$"):
        check_distinct([('x/a.wav', 'a'), ('y/b.wav', 'b'), ('y/a.flac', 'a')])
