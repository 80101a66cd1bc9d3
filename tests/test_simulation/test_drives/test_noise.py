import numpy as np
import pytest

from mmav.simulation.drives.geometry import SAMPLE_RATE, MicrophoneArray
from mmav.simulation.drives.noise import ambient_noise, ego_engine_noise, wind_noise

LENGTH = 2 * SAMPLE_RATE


def make(kind, seed=0):
    rng = np.random.default_rng(seed)
    array = MicrophoneArray()
    if kind == 'wind':
        return wind_noise(LENGTH, rng)
    return (
        ambient_noise(array, LENGTH, rng) if kind == 'ambient' else ego_engine_noise(array, 8.0, LENGTH, seed)
    )


@pytest.mark.parametrize('kind', ['wind', 'ambient', 'ego'])
def test_unit_power_and_reproducible(kind):
    noise = make(kind)
    assert noise.shape == (8, LENGTH) and noise.dtype == np.float32
    assert np.mean(noise.astype(np.float64) ** 2) == pytest.approx(1.0, rel=1e-3)
    np.testing.assert_array_equal(noise, make(kind))


def test_wind_is_low_and_uncorrelated():
    # Long, as a few hertz need time to show that they have nothing in common.
    wind = wind_noise(8 * LENGTH, np.random.default_rng(0))
    correlation = np.corrcoef(wind) - np.eye(8)
    assert np.abs(correlation).max() < 0.3
    power = np.abs(np.fft.rfft(wind, axis=1)) ** 2
    frequencies = np.fft.rfftfreq(8 * LENGTH, 1 / SAMPLE_RATE)
    assert power[:, frequencies < 200].sum() > 0.98 * power.sum()


def test_ambient_sound_is_shared_by_neighbors_at_low_frequencies():
    ambient = make('ambient')
    smooth = np.apply_along_axis(lambda x: np.convolve(x, np.ones(200) / 200, 'same'), 1, ambient)
    assert np.corrcoef(smooth)[0, 1] > 0.6


def test_own_engine_is_loudest_before_the_array():
    level = np.std(make('ego'), axis=1)
    assert {0, 7} == set(np.argsort(level)[-2:])
