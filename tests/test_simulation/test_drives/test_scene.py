import re

import numpy as np
import pytest

from mmav.simulation.drives.scene import Road, mirror_scene

CHANGING = dict(heading=0.3, speed=6.0, acceleration=-1.5, lane_change=(0.5, 2.0, 3.5), position=(2.0, 8.0))


def test_heading_and_speed_are_the_derivative_of_position(make_vehicle):
    vehicle = make_vehicle(**{**CHANGING, 'acceleration': 0.8})
    times = np.linspace(0, 3, 3001)
    velocity = np.gradient(vehicle.positions(times), times, axis=0)
    direction = np.arctan2(velocity[:, 0], velocity[:, 1])
    np.testing.assert_allclose(vehicle.headings(times)[5:-5], direction[5:-5], atol=0.01)
    along = velocity @ [np.sin(0.3), np.cos(0.3)]
    np.testing.assert_allclose(along[5:-5], vehicle.speeds(times)[5:-5], atol=0.01)


def test_braking_vehicle_stops_and_stays(make_vehicle):
    vehicle = make_vehicle(**{**CHANGING, 'lane_change': None, 'speed': 3.0})
    positions = vehicle.positions(np.array([2.0, 5.0, 9.0]))
    np.testing.assert_allclose(positions, positions[:1].repeat(3, axis=0))
    assert np.linalg.norm(positions[0] - [2.0, 8.0]) == pytest.approx(3.0)


def test_lane_change_ends_one_lane_to_the_right(make_vehicle):
    vehicle = make_vehicle(**{**CHANGING, 'acceleration': 0.0, 'heading': 0.0, 'speed': 0.0})
    np.testing.assert_allclose(vehicle.positions(np.array([0.0, 4.0]))[:, 0], [2.0, 5.5])


def test_road_coordinates_invert_point():
    road = Road((3.0, -2.0), 0.7, 3)
    along, across = road.coordinates(np.array(road.point(12.5, 4.2)))
    assert (float(along), float(across)) == pytest.approx((12.5, 4.2))


def test_mirrored_scene(make_vehicle, make_scene):
    scene = make_scene(vehicles=(make_vehicle(**CHANGING),), road=Road((-7.0, 0.0), 0.1, 4, 3.5, 2))
    mirrored = mirror_scene(scene)
    times = np.linspace(0, 3, 7)
    before, after = scene.vehicles[0], mirrored.vehicles[0]
    np.testing.assert_allclose(after.positions(times), before.positions(times) * [-1, 1])
    np.testing.assert_allclose(after.headings(times), -before.headings(times))
    _, across = scene.road.coordinates(before.positions(times))
    _, mirrored_across = mirrored.road.coordinates(after.positions(times))
    np.testing.assert_allclose(mirrored_across, scene.road.width - across)
    twice = mirror_scene(mirrored)
    assert twice.vehicles == scene.vehicles
    assert twice.road.origin == pytest.approx(scene.road.origin)


def test_names_and_conditions(make_scene):
    scene = make_scene(condition='night', ego_speed=5.0)
    assert re.fullmatch(r'1600000000_600000000_0000', scene.frame_id(0))
    assert re.fullmatch(r'\d+_\d{9}_\w+', scene.frame_id(1))
    assert (scene.time_of_day, scene.motion) == ('night', 'drive')
    assert make_scene(condition='fog', ego_speed=0.0).time_of_day == 'day'
    assert make_scene(ego_speed=0.0).motion == 'static'
