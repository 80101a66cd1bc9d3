import numpy as np
import pytest

from mmav.datasets import OCTAGON_POSITIONS, mirror_permutation


def test_octagon_mirrors_k_to_seven_minus_k():
    assert mirror_permutation(OCTAGON_POSITIONS).tolist() == [7, 6, 5, 4, 3, 2, 1, 0]


def test_octagon_starts_right_of_the_driving_direction_and_goes_clockwise():
    x, y, _ = np.array(OCTAGON_POSITIONS).T
    azimuth = np.rad2deg(np.arctan2(x, y)) % 360
    assert azimuth == pytest.approx((np.arange(8) + 0.5) * 45, abs=1e-3)


def test_microphone_on_the_axis_stays():
    line = [(-0.5, 0.0, 0.0), (0.0, 0.2, 0.0), (0.5, 0.0, 0.0)]
    assert mirror_permutation(line).tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    'positions',
    [
        [(0.0, 0.1, 0.0), (0.3, 0.0, 0.0)],  # the right one has no partner
        [(0.1, 0.0, 0.0), (0.1, 0.0, 0.0), (-0.1, 0.0, 0.0)],  # two share one partner
    ],
)
def test_asymmetric_array_is_refused(positions):
    with pytest.raises(ValueError, match='not mirror symmetric'):
        mirror_permutation(positions)


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match='shape'):
        mirror_permutation(np.zeros(8))
