import numpy as np
import pytest
from rigs import make_rig

from mmav.models.layers.acoustic_grid import band_bins, frame_times, grid_targets, window_weights


def test_cells_above_the_horizon_share_a_place():
    rig = make_rig()
    places, cells = grid_targets(rig, (8, 4), max_distance=40.0, source_height=0.8)
    shown = places[cells].reshape(8, 4, 3)
    # rows of 10 pixels; the ground at 40 m is seen in row 34: the first three rows look farther
    assert (shown[:3] == shown[0]).all() and len(places) == 6 * 4
    np.testing.assert_allclose(np.linalg.norm(shown[0, :, :2], axis=1), 40, atol=1e-5)
    # center of row 7: pixel 75, 45 below the horizon: 1.6 m x 100 / 45
    np.testing.assert_allclose(shown[7, :, 1], 160 / 45, atol=1e-5)
    np.testing.assert_allclose(shown[..., 2], 0.8)
    np.testing.assert_allclose(shown[:, ::-1, 0], -shown[..., 0], atol=1e-5)


def test_without_ground_there_are_directions():
    directions, cells = grid_targets(make_rig(ground=None), (8, 4))
    assert cells.tolist() == list(range(32))
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    # pixel (60, 5): 20 left of and 25 above the principal point (80, 30) at a focal length of 100
    np.testing.assert_allclose(directions[1] / directions[1, 1], [-0.2, 1, 0.25])


def test_bins_lie_in_their_bands():
    bins, stretches = band_bins((100, 300, 1000), 8000, 400)  # bins 20 Hz apart
    assert bins.tolist() == list(range(5, 50)) and stretches == [(0, 10), (10, 45)]
    few, stretches = band_bins((100, 300, 1000), 8000, 400, max_bins=3)
    assert few.tolist() == [5, 9, 14, 15, 32, 49] and stretches == [(0, 3), (3, 6)]


def test_windows_weigh_frames_by_triangles():
    times = frame_times(1000, 200, 100, 1000)
    np.testing.assert_allclose(times, np.arange(0.1, 0.91, 0.1))
    triangle, whole = window_weights(((0.5, 0.2), None), times)
    np.testing.assert_allclose(triangle, [0, 0, 0, 0.25, 0.5, 0.25, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(whole, 1 / 9)
    with pytest.raises(ValueError, match=r'windows: \(2, 0.1\) .* centers at 0.100 to 0.900 s'):
        window_weights(((2, 0.1),), times)
