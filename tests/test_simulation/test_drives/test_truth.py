import cv2
import numpy as np
import pytest

from mmav.simulation import PinholeCamera, Scenery, make_config, mirror_scene, view_vehicles
from mmav.simulation.drives.geometry import local_to_frame
from mmav.simulation.drives.meshes import vehicle_outline
from mmav.simulation.drives.truth import clip_near

CAMERA = PinholeCamera()


@pytest.mark.parametrize('kind', ['car', 'truck', 'motorcycle'])
def test_box_is_the_hull_of_opencvs_projection(make_vehicle, make_scene, kind):
    size = dict(car=(1.8, 4.3, 1.5), truck=(2.4, 7.5, 3.2), motorcycle=(0.8, 2.1, 1.6))[kind]
    vehicle = make_vehicle(kind=kind, size=size, position=(-3.0, 14.0), heading=0.8)
    view = view_vehicles(make_scene(vehicles=(vehicle,)), CAMERA, 0.6)[0]
    points = local_to_frame(vehicle_outline(kind, size), vehicle.position, vehicle.heading)
    in_camera = np.stack((points[:, 0], CAMERA.mount_height - points[:, 2], points[:, 1]), axis=1)
    pixels, _ = cv2.projectPoints(in_camera, np.zeros(3), np.zeros(3), CAMERA.intrinsics(), None)
    pixels = pixels[:, 0] - [200, 0]
    np.testing.assert_allclose(view.box, [*pixels.min(axis=0), *pixels.max(axis=0)], atol=0.01)
    assert view.visibility > 0.95
    assert view.distance == pytest.approx(np.hypot(3, 14))
    assert view.azimuth == pytest.approx(np.degrees(np.arctan2(-3, 14)))


@pytest.mark.parametrize('kind', ['car', 'truck', 'motorcycle'])
def test_vehicles_stand_on_the_ground_and_keep_their_size(kind):
    size = dict(car=(1.8, 4.3, 1.5), truck=(2.4, 7.5, 3.2), motorcycle=(0.8, 2.1, 1.6))[kind]
    points = vehicle_outline(kind, size)
    extent = points.max(axis=0) - points.min(axis=0)
    assert points[:, 2].min() == pytest.approx(0.0, abs=0.03)
    np.testing.assert_allclose(extent, size, atol=0.09)


def test_mirrored_scene_has_mirrored_boxes(make_vehicle, make_scene):
    vehicles = (
        make_vehicle(position=(-2.0, 9.0), heading=0.4, speed=5.0),
        make_vehicle(position=(4.0, 16.0)),
    )
    scene = make_scene(vehicles=vehicles, ego_speed=3.0)
    before = view_vehicles(scene, CAMERA, 0.8)
    after = view_vehicles(mirror_scene(scene), CAMERA, 0.8)
    for one, other in zip(before, after):
        np.testing.assert_allclose(other.box[[0, 2]], 1520 - one.box[[2, 0]], atol=1e-3)
        np.testing.assert_allclose(other.box[[1, 3]], one.box[[1, 3]], atol=1e-3)
        assert other.visibility == pytest.approx(one.visibility, abs=0.02)
        assert other.azimuth == pytest.approx(-one.azimuth)


def test_vehicle_behind_has_no_box(make_vehicle, make_scene):
    view = view_vehicles(make_scene(vehicles=(make_vehicle(position=(2.0, -10.0)),)), CAMERA, 0.6)[0]
    assert (view.box == 0).all() and view.visibility == 0
    assert not view.labeled(make_config('demo'))


def test_walls_and_nearer_vehicles_hide(make_vehicle, make_scene):
    far = make_vehicle(position=(0.0, 18.0))
    wall = Scenery('wall', (0.0, 9.0), np.pi / 2, (0.4, 8.0, 3.0), 0.5)
    hidden = view_vehicles(make_scene(vehicles=(far,), scenery=(wall,)), CAMERA, 0.6)[0]
    assert hidden.visibility == 0
    near = make_vehicle(track_id=1, position=(0.8, 8.0))
    partly, whole = view_vehicles(make_scene(vehicles=(far, near)), CAMERA, 0.6)
    assert partly.visibility < 0.6 and whole.visibility > 0.95
    aside = Scenery('wall', (9.0, 9.0), np.pi / 2, (0.4, 4.0, 3.0), 0.5)
    assert view_vehicles(make_scene(vehicles=(far,), scenery=(aside,)), CAMERA, 0.6)[0].visibility > 0.95


def test_box_ends_at_the_crop(make_vehicle, make_scene):
    # The middle of the car lies on the crop's left edge: x / y = -760 / 900.
    vehicle = make_vehicle(position=(-10.0 * 760 / 900, 10.0), heading=np.pi / 2)
    view = view_vehicles(make_scene(vehicles=(vehicle,)), CAMERA, 0.6)[0]
    assert view.box[0] == 0
    assert view.visibility == pytest.approx(0.5, abs=0.08)


def test_clipping_at_the_near_plane():
    square = np.array([[0, -1, 0], [1, -1, 0], [1, 1, 0], [0, 1, 0.0]])
    clipped = clip_near(square, 0.5)
    assert clipped[:, 1].min() == 0.5 and len(clipped) == 4
    assert len(clip_near(square - [0, 5, 0])) == 0
    far = square + np.array([0, 5, 0])
    np.testing.assert_array_equal(clip_near(far), far)
