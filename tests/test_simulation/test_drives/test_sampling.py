from dataclasses import replace

import numpy as np
import pytest

from mmav.simulation import PinholeCamera, make_config, render_recording, sample_drive, view_vehicles

CAMERA = PinholeCamera()


@pytest.mark.parametrize('index', range(8))
def test_demo_shows_every_vehicle_in_every_image(index):
    config = make_config('demo')
    scene = sample_drive(config, 'train', index)
    assert 1 <= len(scene.vehicles) <= 2
    gaps = np.diff(scene.frame_times)
    assert len(gaps) == 3 and (gaps >= 0.5 - 1e-6).all() and (gaps <= 1.0 + 1e-6).all()
    for time in scene.frame_times:
        assert 0.5 < time < scene.duration - 0.5
        for view in view_vehicles(scene, CAMERA, time):
            assert view.labeled(config)
            assert 5.0 <= view.distance <= 20.0
            assert view.box[3] - view.box[1] >= 60
            assert view.visibility >= 0.5


def test_demo_vehicles_are_audible():
    config = make_config('demo')
    scene = sample_drive(config, 'val', 3)
    in_view = np.ones((len(scene.frame_times), len(scene.vehicles)), dtype=bool)
    recording = render_recording(scene, config, in_view)
    ratios = np.array([recording.vehicle_snr(time) for time in scene.frame_times])
    quietest = 10 * np.log10(np.mean(10 ** (ratios / 10), axis=0)).min()
    assert quietest == pytest.approx(scene.snr, abs=0.01)
    assert 5 <= scene.snr <= 25


def test_a_drive_depends_on_its_place_alone():
    config = make_config('demo')
    more = replace(config, drives=(1, 1, 1))
    assert sample_drive(config, 'train', 2) == sample_drive(more, 'train', 2)
    assert sample_drive(config, 'train', 2) != sample_drive(config, 'test', 2)
    assert sample_drive(config, 'train', 2) != sample_drive(replace(config, seed=1), 'train', 2)


@pytest.mark.parametrize('preset', ['default', 'hard'])
def test_wider_presets_have_what_they_promise(preset):
    config = make_config(preset, frames_per_drive=3)
    scenes = [sample_drive(config, 'train', index) for index in range(40)]
    vehicles = [vehicle for scene in scenes for vehicle in scene.vehicles]
    assert {vehicle.kind for vehicle in vehicles} == {'car', 'truck', 'motorcycle'}
    assert {scene.motion for scene in scenes} == {'static', 'drive'}
    assert len({scene.condition for scene in scenes}) >= 4
    assert any(vehicle.parked and vehicle.level is None for vehicle in vehicles)
    assert any(vehicle.lane_change for vehicle in vehicles)
    unseen = [v for v in vehicles if v.position[1] < -5 and v.level is not None]
    assert unseen
    assert max(len(scene.vehicles) for scene in scenes) <= 6 + config.parked


def test_impossible_wishes_are_reported():
    config = make_config('demo', min_box_height=600.0)
    with pytest.raises(RuntimeError, match='min_box_height'):
        sample_drive(config, 'train', 0)
