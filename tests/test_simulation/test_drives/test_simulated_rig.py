import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmav.models.layers import AcousticImage
from mmav.simulation import make_config, simulate_dataset
from mmav.simulation.drives.geometry import CROP, PinholeCamera
from mmav.simulation.drives.propagation import CROSSOVER, directivity_gains
from mmav.simulation.drives.recording import render_recording
from mmav.simulation.drives.simulated_rig import first_order_directivity, make_rig
from mmav.simulation.drives.truth import view_vehicles
from mmav.structures import Rig


def test_rig_file_lies_beside_the_manifest(tmp_path):
    config = make_config(
        'demo', drives=(1, 0, 0), frames_per_drive=1, modalities=('rgb',), microphones='shadow'
    )
    root = simulate_dataset(tmp_path / 'mavd', config, workers=0, progress=False)
    rig, manifest = Rig.from_file(root / 'rig.json'), json.loads((root / 'manifest.json').read_text())
    assert rig == make_rig(config)
    height = [0, 0, manifest['array_height']]
    np.testing.assert_allclose(rig.microphone_positions - height, manifest['microphone_positions'], atol=1e-8)
    np.testing.assert_allclose(rig.microphone_axes, manifest['microphone_axes'])
    assert list(rig.crop) == manifest['crop'] and rig.cropped_size == (1520, 650)
    assert rig.ground.reflection == manifest['parameters']['ground_reflection']
    # a data set of an earlier version gets the file when its command is given again
    (root / 'rig.json').unlink()
    simulate_dataset(root, config, workers=0, progress=False)
    assert Rig.from_file(root / 'rig.json') == rig


def test_rig_projects_as_the_simulated_camera():
    points = np.random.default_rng(0).uniform((-20, 2, -1), (20, 60, 6), (200, 3))
    pixels, depth = make_rig(make_config('demo')).project(points)
    expected, expected_depth = PinholeCamera().project(points)
    np.testing.assert_allclose(pixels, expected - CROP[:2], atol=1e-6)
    np.testing.assert_allclose(depth, expected_depth)


@pytest.mark.parametrize('name', ['omni', 'cardioid', 'shadow'])
def test_directivity_is_the_simulated_one(name):
    cosine = np.linspace(-1, 1, 21)
    frequencies = np.linspace(50, 20000, 400)
    bands = directivity_gains(name, cosine)
    low = 1 / (1 + (frequencies / CROSSOVER) ** 4)
    expected = bands[:1] + 0 * low[:, None] if len(bands) == 1 else np.outer(low, bands[0])
    if len(bands) == 2:
        expected = expected + np.outer(1 - low, bands[1])
    pattern = first_order_directivity(name)
    alpha = np.ones(400) if pattern is None else pattern.alpha_at(frequencies)
    np.testing.assert_allclose(alpha[:, None] + (1 - alpha[:, None]) * cosine, expected, atol=2e-3)


@pytest.mark.parametrize('microphones', ['cardioid', 'shadow'])
@pytest.mark.parametrize('position', [(0.0, 9.0), (3.0, 10.0), (-5.0, 11.0), (6.0, 13.0), (-1.5, 18.0)])
def test_acoustic_image_is_brightest_in_the_middle_of_the_box(
    make_scene, make_vehicle, position, microphones
):
    """Steering and camera share their axes: nothing here is learned."""
    # Seen from behind, so that the box is as wide left of the sound's source as right of it.
    heading = float(np.arctan2(*position))
    scene = make_scene(vehicles=(make_vehicle(position=position, heading=heading),), snr=15.0)
    config = make_config('demo', microphones=microphones)
    recording = render_recording(scene, config)
    time = scene.frame_times[0]
    first = round((time - 0.5) * 44100)
    clip = torch.from_numpy(recording.waveform[:, first : first + 44100])
    layer = AcousticImage(make_rig(config), grid=(24, 152), channels=('broadband',), max_bins=16)
    image = layer(clip[None])[0, 1]
    column = (int(image.amax(0).argmax()) + 0.5) * 1520 / 152
    (view,) = view_vehicles(scene, PinholeCamera(), time)
    assert abs(column - (view.box[0] + view.box[2]) / 2) < 0.02 * 1520


def test_a_vehicle_is_found_by_its_share_of_the_sound(make_scene, make_vehicle):
    """Exact steering explains nearly all of the sound of a single vehicle, cruder steering less."""
    scene = make_scene(vehicles=(make_vehicle(position=(3.0, 10.0)),), snr=60.0)
    config = make_config('demo')
    recording = render_recording(scene, config)
    clip = torch.from_numpy(recording.waveform[:, :44100])[None]
    best = []
    for options in (dict(), dict(directivity=None), dict(directivity=None, ground_reflection=0.0)):
        layer = AcousticImage(make_rig(config), grid=(65, 76), channels=('contrast',), max_bins=6, **options)
        best.append(layer(clip)[0, 8:16].amax((1, 2)).mean())
    assert best[0] > -0.1 and best[0] > best[1] + 0.4
    assert best[1] >= best[2] - 0.05


def test_example_of_the_docs_is_what_the_simulator_writes():
    text = (Path(__file__).parents[3] / 'docs' / 'rig.md').read_text()
    example = text.split('```json\n')[1].split('```')[0]
    assert json.loads(example) == make_rig(make_config('demo')).to_dict()
