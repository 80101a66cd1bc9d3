import cv2
import numpy as np
import pytest

from mmav.simulation.drives.geometry import MicrophoneArray, PinholeCamera, local_to_frame, plane_normal


def test_projection_equals_opencv():
    camera = PinholeCamera()
    points = np.random.default_rng(0).uniform((-20, 2, -1), (20, 60, 6), (200, 3))
    # OpenCV's camera: x right, y down, z forward.
    in_camera = np.stack((points[:, 0], camera.mount_height - points[:, 2], points[:, 1]), axis=1)
    expected, _ = cv2.projectPoints(in_camera, np.zeros(3), np.zeros(3), camera.intrinsics(), None)
    pixels, depth = camera.project(points)
    np.testing.assert_allclose(pixels, expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(depth, points[:, 1])


def test_mirrored_points_have_mirrored_pixels():
    camera = PinholeCamera()
    points = np.array([[3.0, 10.0, 1.0], [-2.0, 5.0, 0.0]])
    left, _ = camera.project(points)
    right, _ = camera.project(points * [-1, 1, 1])
    np.testing.assert_allclose(right[:, 0], camera.width - left[:, 0])
    np.testing.assert_allclose(right[:, 1], left[:, 1])


def test_array_is_an_octagon_that_mirrors_onto_itself():
    array = MicrophoneArray(radius=0.4)
    np.testing.assert_allclose(np.linalg.norm(array.offsets, axis=1), 0.4)
    np.testing.assert_allclose(array.offsets[::-1], array.offsets * [-1, 1, 1], atol=1e-12)
    # Microphone 0 is before and to the right of the center.
    assert array.offsets[0, 0] > 0 and array.offsets[0, 1] > 0
    np.testing.assert_allclose(np.degrees(array.azimuths[:2]), [22.5, 67.5])


def test_unknown_directivity_is_refused():
    with pytest.raises(ValueError, match='figure8'):
        MicrophoneArray(directivity='figure8')


def test_heading_turns_clockwise():
    ahead = np.array([0.0, 1.0, 0.5])
    np.testing.assert_allclose(local_to_frame(ahead, (2.0, 3.0), np.pi / 2), [3.0, 3.0, 0.5], atol=1e-12)
    np.testing.assert_allclose(local_to_frame(ahead, (0.0, 0.0), np.pi / 6), [0.5, np.sqrt(0.75), 0.5])


def test_plane_normal_equals_numpy_cross():
    points = np.random.default_rng(1).normal(size=(4, 3))
    np.testing.assert_allclose(plane_normal(points), np.cross(points[1] - points[0], points[2] - points[0]))
