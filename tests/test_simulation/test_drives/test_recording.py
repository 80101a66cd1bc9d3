from dataclasses import replace

import numpy as np
import pytest
from scipy import fft

from mmav.simulation import make_config, mirror_scene, render_recording
from mmav.simulation.drives.geometry import SAMPLE_RATE, SPEED_OF_SOUND
from mmav.simulation.drives.propagation import oversample
from mmav.simulation.drives.recording import make_array, render_source, source_signal, to_int16
from mmav.simulation.drives.scene import Road

START = -0.5


def click(seconds=2.0):
    """A single unit sample at time 0 of a signal that begins at START."""
    signal = np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)
    signal[round(-START * SAMPLE_RATE)] = 1.0
    return oversample(signal, 1)


def distances(scene, config, image=(1, 1, 1)):
    vehicle = scene.vehicles[0]
    source = np.array([*vehicle.position, vehicle.source_height]) * image
    return np.linalg.norm(make_array(config).positions - source, axis=1)


def test_ground_reflection_cuts_notches_where_theory_puts_them(make_vehicle, make_scene):
    scene = make_scene(vehicles=(make_vehicle(position=(0.0, 6.0)),))
    config = make_config('demo', microphones='omni', ground_reflection=0.7)
    heard = render_source(scene, config, scene.vehicles[0], click(), START)
    spectrum = np.abs(fft.rfft(heard[:, : SAMPLE_RATE // 2], axis=1))
    frequencies = fft.rfftfreq(SAMPLE_RATE // 2, 1 / SAMPLE_RATE)
    direct, reflected = distances(scene, config), distances(scene, config, (1, 1, -1))
    for m in range(8):
        for order in (0, 1):
            notch = (order + 0.5) * SPEED_OF_SOUND / (reflected[m] - direct[m])
            near = np.abs(frequencies - notch) < 0.4 * notch / (order + 0.5)
            found = frequencies[near][np.argmin(spectrum[m, near])]
            assert found == pytest.approx(notch, rel=0.01)
            depth = spectrum[m, near].min() * direct[m]
            assert depth == pytest.approx(1 - 0.7 * direct[m] / reflected[m], abs=0.02)
    without = render_source(scene, replace(config, ground_reflection=0.0), scene.vehicles[0], click(), START)
    flat = np.abs(fft.rfft(without[:, : SAMPLE_RATE // 2], axis=1)) * direct[:, None]
    np.testing.assert_allclose(flat[:, frequencies < 4000], 1.0, atol=0.01)


def test_facade_echo_arrives_from_the_mirrored_vehicle(make_vehicle, make_scene):
    road = Road((-7.0, 0.0), 0.0, 4)
    scene = make_scene(vehicles=(make_vehicle(position=(2.0, 10.0)),), road=road, facade=20.0)
    config = make_config('demo', microphones='omni', ground_reflection=0.0, facade_reflection=0.5)
    heard = render_source(scene, config, scene.vehicles[0], click(), START)
    mirrored = replace(scene, vehicles=(make_vehicle(position=(24.0, 10.0)),))  # facade at x = 13
    expected = distances(mirrored, config)
    for m in range(8):
        arrival = round(expected[m] / SPEED_OF_SOUND * SAMPLE_RATE)
        window = np.abs(heard[m, arrival - 40 : arrival + 41])
        assert abs(np.argmax(window) - 40) <= 1


@pytest.mark.parametrize('microphones', ['omni', 'cardioid', 'shadow'])
def test_mirrored_scene_swaps_the_microphones(make_vehicle, make_scene, microphones):
    vehicle = make_vehicle(speed=8.0, heading=2.5, lane_change=(0.2, 1.0, 3.5))
    scene = make_scene(vehicles=(vehicle,), ego_speed=4.0, facade=18.0)
    config = make_config('demo', microphones=microphones, facade_reflection=0.4)
    signal, start = source_signal(scene, vehicle, 2 if microphones == 'shadow' else 1)
    other = mirror_scene(scene)
    heard = render_source(scene, config, vehicle, signal, start)
    mirrored = render_source(other, config, other.vehicles[0], signal, start)
    np.testing.assert_allclose(mirrored[::-1], heard, atol=1e-5 * np.abs(heard).max())


def test_facing_cardioid_is_louder_than_the_averted_one(make_vehicle, make_scene):
    scene = make_scene(vehicles=(make_vehicle(position=(8.0, 3.3)),))  # in microphone 1's direction
    config = make_config('demo', ground_reflection=0.0)
    heard = render_source(scene, config, scene.vehicles[0], *source_signal(scene, scene.vehicles[0], 1))
    level = np.sqrt(np.mean(heard**2, axis=1))
    assert np.argmax(level) == 1 and np.argmin(level) == 5
    direct = distances(scene, config)
    # 1 to 0.25, nearly: the vehicle lies lower than the roof.
    assert level[1] / level[5] == pytest.approx(4.0 * direct[5] / direct[1], rel=0.05)


def test_silent_vehicle_adds_nothing(make_vehicle, make_scene):
    config = make_config('demo')
    silent = make_scene(vehicles=(make_vehicle(level=None, parked=True),))
    nobody = make_scene(vehicles=())
    recording = render_recording(silent, config)
    np.testing.assert_array_equal(recording.waveform, render_recording(nobody, config).waveform)
    assert (recording.vehicle_power == 0).all()
    assert recording.vehicle_snr(0.7)[0] < -100


def test_signal_to_noise_ratio_is_the_one_asked_for(make_vehicle, make_scene):
    config = make_config('demo', distance=(3.0, 20.0))
    vehicles = (make_vehicle(), make_vehicle(track_id=1, position=(-3.0, 15.0), level=88.0))
    scene = make_scene(vehicles=vehicles, noise_shares=(0.5, 0.3, 0.2), snr=0.0, frame_times=(0.7,))
    noisy = render_recording(scene, config)
    clean = render_recording(replace(scene, snr=300.0), config).waveform
    noise = noisy.waveform - clean
    alone = render_recording(replace(scene, snr=300.0, vehicles=vehicles[1:]), config).waveform
    window = slice(round(0.2 * SAMPLE_RATE), round(1.2 * SAMPLE_RATE))
    ratio = 10 * np.log10(np.mean(alone[:, window] ** 2) / np.mean(noise**2))
    # The demo refers to the quietest vehicle in view.
    assert ratio == pytest.approx(0.0, abs=0.5)
    assert noisy.vehicle_snr(0.7)[1] == pytest.approx(0.0, abs=0.1)
    assert noisy.vehicle_snr(0.7)[0] > 3
    loudest = render_recording(scene, replace(config, snr_reference='loudest'))
    assert loudest.vehicle_snr(0.7)[0] == pytest.approx(0.0, abs=0.1)


def test_level_follows_full_scale_and_is_never_normalized(make_vehicle, make_scene):
    config = make_config('demo')
    near = make_scene(vehicles=(make_vehicle(position=(0.0, 5.0)),), snr=300.0)
    far = make_scene(vehicles=(make_vehicle(position=(0.0, 20.0)),), snr=300.0)
    waveform = render_recording(near, config).waveform
    halved = render_recording(near, replace(config, full_scale=2 * config.full_scale)).waveform
    np.testing.assert_allclose(halved, waveform / 2, rtol=1e-4, atol=1e-9)
    assert np.std(waveform) > 2.5 * np.std(render_recording(far, config).waveform)
    with pytest.raises(ValueError, match=r'train_0000 .*raise full_scale'):
        render_recording(near, replace(config, full_scale=0.01))


def test_mismatch_of_gains_and_delays(make_vehicle, make_scene):
    config = make_config('demo')
    scene = make_scene(snr=300.0)
    waveform = render_recording(scene, config).waveform
    louder = replace(scene, microphone_gains=(6.0206, *(0.0,) * 7))
    np.testing.assert_allclose(
        render_recording(louder, config).waveform[0], 2 * waveform[0], rtol=1e-4, atol=1e-8
    )
    later = replace(scene, microphone_delays=(0.0, 10 / SAMPLE_RATE, *(0.0,) * 6))
    delayed = render_recording(later, config).waveform[1]
    np.testing.assert_allclose(delayed[10:], waveform[1, :-10], atol=1e-3 * np.abs(waveform[1]).max())


def test_sixteen_bits():
    np.testing.assert_array_equal(
        to_int16(np.array([-1.0, 0.0, 0.5, 1.0], np.float32)), [-32767, 0, 16384, 32767]
    )
