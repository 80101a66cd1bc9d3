import numpy as np
import pytest

from mmav.simulation.drives.geometry import SAMPLE_RATE
from mmav.simulation.drives.scene import Vehicle
from mmav.simulation.drives.sources import (
    GEARS,
    engine_speed,
    noise_of_shape,
    vehicle_sound,
)


def vehicle(kind='car', speed=10.0, **extra):
    return Vehicle(0, kind, (1.8, 4.3, 1.5), (0.0, 0.0), 0.0, speed, **extra)


@pytest.mark.parametrize('kind', ['car', 'truck', 'motorcycle'])
def test_level_at_reference_speed(kind):
    sound = vehicle_sound(vehicle(kind, level=90.0), 0.0, 2 * SAMPLE_RATE)
    level = 20 * np.log10(np.sqrt(np.mean(sound.astype(np.float64) ** 2)) / 20e-6)
    assert level == pytest.approx(90.0, abs=0.7)


@pytest.mark.parametrize(
    ('kind', 'cylinders', 'speed'), [('car', 4, 8.0), ('truck', 6, 12.0), ('motorcycle', 2, 10.0)]
)
def test_strongest_low_line_is_the_firing_frequency(kind, cylinders, speed):
    ratios, idle, upshift = GEARS[kind]
    # By hand: the first gear whose engine speed stays under the limit.
    revolutions = max(next(60 * speed * r for r in ratios if 60 * speed * r <= upshift), idle)
    expected = revolutions * cylinders / 120
    assert engine_speed(kind, np.array(speed)) == pytest.approx(revolutions)
    length = 4 * SAMPLE_RATE
    sound = vehicle_sound(vehicle(kind, speed, cylinders=cylinders), 0.0, length)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(length)))
    frequencies = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    near = (frequencies > 0.6 * expected) & (frequencies < 1.4 * expected)
    assert frequencies[near][np.argmax(spectrum[near])] == pytest.approx(expected, abs=0.6)


def test_engine_speed_rises_within_a_gear_and_drops_at_the_change():
    speed = np.linspace(0.0, 25.0, 500)
    revolutions = engine_speed('car', speed)
    assert revolutions.min() == GEARS['car'][1]
    drops = np.flatnonzero(np.diff(revolutions) < -1)
    assert len(drops) == len(GEARS['car'][0]) - 1
    assert revolutions.max() <= GEARS['car'][2] + 1


def test_silent_vehicle_makes_no_sound():
    assert vehicle_sound(vehicle(level=None), 0.0, 1000) is None


def test_sound_depends_on_seed_alone():
    first = vehicle_sound(vehicle(sound_seed=3), 0.0, 5000)
    np.testing.assert_array_equal(first, vehicle_sound(vehicle(sound_seed=3), 0.0, 5000))
    assert not np.array_equal(first, vehicle_sound(vehicle(sound_seed=4), 0.0, 5000))


def test_noise_of_shape_has_unit_power():
    shape = np.linspace(1, 0, 5001, dtype=np.float32)
    noise = noise_of_shape(shape, 10000, np.random.default_rng(0))
    assert np.mean(noise**2) == pytest.approx(1.0, rel=0.05)
