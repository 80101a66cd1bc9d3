from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmav.simulation import DriveRenderer, PinholeCamera, make_config, view_vehicles
from mmav.simulation.drives.appearance import THERMAL_RANGE, make_appearance
from mmav.simulation.drives.painter import Canvas
from mmav.simulation.drives.rendering import paint_vehicle

CONFIG = make_config('demo')


@pytest.mark.parametrize('condition', ['day', 'dusk', 'night', 'fog', 'tunnel'])
def test_shapes_and_ranges(make_scene, condition):
    images = DriveRenderer(make_scene(condition=condition, ego_speed=3.0), CONFIG).render(1)
    assert images['rgb'].shape == (650, 1920, 3) and images['rgb'].dtype == np.uint8
    assert images['depth'].shape == (650, 1920, 3) and images['depth'].dtype == np.uint8
    thermal = images['thermal']
    assert thermal.shape == (650, 1920) and thermal.dtype == np.uint16
    assert THERMAL_RANGE[0] <= thermal.min() and thermal.max() <= THERMAL_RANGE[1]


def test_only_what_is_wanted_is_made(make_scene):
    config = make_config('demo', modalities=('thermal',))
    assert list(DriveRenderer(make_scene(), config).render(0)) == ['thermal']


@pytest.mark.parametrize('kind', ['car', 'truck', 'motorcycle'])
def test_painted_vehicle_fills_its_box(make_vehicle, make_scene, kind):
    size = dict(car=(1.8, 4.3, 1.5), truck=(2.4, 7.5, 3.2), motorcycle=(0.8, 2.1, 1.6))[kind]
    vehicle = make_vehicle(kind=kind, size=size, position=(2.0, 13.0), heading=0.6)
    scene = make_scene(vehicles=(vehicle,))
    camera = PinholeCamera()
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    canvas = Canvas(camera, replace(make_appearance(scene), ambient=(1, 1, 1)), image, None, None)
    paint_vehicle(canvas, vehicle, np.array(vehicle.position), vehicle.heading)
    # Smoothed edges reach up to two pixels beyond the outline.
    rows, columns = np.nonzero(image.any(axis=2))
    painted = [columns.min() - 200, rows.min(), columns.max() + 1 - 200, rows.max() + 1]
    np.testing.assert_allclose(painted, view_vehicles(scene, camera, 0.6)[0].box, atol=2.1)


def test_depth_of_a_vehicle_is_its_distance(make_vehicle, make_scene):
    vehicle = make_vehicle(position=(0.0, 12.0))
    scene = make_scene(vehicles=(vehicle,))
    camera = PinholeCamera()
    canvas = Canvas(camera, make_appearance(scene), None, None, np.zeros((325, 960), np.float32))
    paint_vehicle(canvas, vehicle, np.array(vehicle.position), 0.0)
    # The tail's middle, 2.15 m nearer than the vehicle's middle.
    pixel = camera.project(np.array([0.3, 12.0 - 2.15, 0.6]))[0] / 2
    assert 1 / canvas.inverse_depth[int(pixel[1]), int(pixel[0])] == pytest.approx(12.0 - 2.15, rel=0.02)


def test_depth_along_a_slanted_side(make_vehicle, make_scene):
    vehicle = make_vehicle(kind='truck', size=(2.4, 8.0, 3.2), position=(-4.0, 12.0))
    camera = PinholeCamera()
    canvas = Canvas(camera, make_appearance(make_scene()), None, None, np.zeros((325, 960), np.float32))
    paint_vehicle(canvas, vehicle, np.array(vehicle.position), 0.0)
    for along in (9.0, 11.0, 13.0):
        pixel = camera.project(np.array([-2.8, along, 2.0]))[0] / 2
        assert 1 / canvas.inverse_depth[int(pixel[1]), int(pixel[0])] == pytest.approx(along, rel=0.03)


def contrast(make_vehicle, make_scene, condition, modality, **fields):
    vehicle = make_vehicle(position=(0.0, 15.0), paint=(60, 60, 60), **fields)
    scene = make_scene(vehicles=(vehicle,), condition=condition, light=(0.5, 0.5, 0.5, 0.9))
    box = np.rint(view_vehicles(scene, PinholeCamera(), 0.6)[0].box).astype(int)
    empty = DriveRenderer(replace(scene, vehicles=()), CONFIG).render(0)[modality].astype(float)
    full = DriveRenderer(scene, CONFIG).render(0)[modality].astype(float)
    region = slice(box[1], box[3]), slice(box[0] + 200, box[2] + 200)
    return np.abs(full - empty)[region].mean()


def test_each_modality_fails_where_another_does_not(make_vehicle, make_scene):
    def of(*arguments, **fields):
        return contrast(make_vehicle, make_scene, *arguments, **fields)

    assert of('day', 'rgb') > 1.5 * of('fog', 'rgb')
    assert of('day', 'rgb') > 1.2 * of('night', 'rgb', parked=True)
    # A hot day hides warm engines; a parked vehicle is cold.
    assert of('night', 'thermal') > 2 * of('day', 'thermal')
    assert of('night', 'thermal') > 1.5 * of('night', 'thermal', parked=True)


def test_camera_noise_differs_from_image_to_image_but_is_reproducible(make_scene):
    scene = make_scene(condition='night')
    one, again = DriveRenderer(scene, CONFIG), DriveRenderer(scene, CONFIG)
    first = one.render(0)['rgb']
    assert not np.array_equal(first, one.render(1)['rgb'])
    for modality, image in again.render(0).items():
        np.testing.assert_array_equal(image, one.render(0)[modality])
    assert cv2.cvtColor(first, cv2.COLOR_BGR2GRAY).mean() < 60
