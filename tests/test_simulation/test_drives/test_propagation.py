import numpy as np
import pytest
from scipy import fft
from scipy.signal import hilbert

from mmav.simulation.drives.geometry import SAMPLE_RATE, SPEED_OF_SOUND
from mmav.simulation.drives.propagation import (
    HOP,
    directivity_gains,
    oversample,
    propagation_paths,
    render_paths,
)

LENGTH = SAMPLE_RATE // 2
START = -0.5


def smooth_noise(length, highest, seed=0):
    """Noise without content over `highest` Hz that fades at both ends."""
    spectrum = fft.rfft(np.random.default_rng(seed).standard_normal(length))
    spectrum[fft.rfftfreq(length, 1 / SAMPLE_RATE) > highest] = 0
    return (fft.irfft(spectrum, length) * np.hanning(length)).astype(np.float32)


def knot_times(length):
    return np.arange(-(-length // HOP) + 1) * HOP / SAMPLE_RATE


def render(source, microphone, signal, start=START, length=LENGTH):
    times = knot_times(length)
    microphones = (
        microphone(times)[None] if callable(microphone) else np.broadcast_to(microphone, (1, len(times), 3))
    )
    delay, distance, _ = propagation_paths(source, microphones, times)
    return render_paths(oversample(signal, 1), start, delay, (1.0 / distance)[None], length)[0]


def standing(point):
    return lambda at: np.broadcast_to(np.asarray(point, dtype=np.float64), (*np.shape(at), 3))


def shift_by_fft(signal, seconds):
    frequencies = fft.rfftfreq(len(signal), 1 / SAMPLE_RATE)
    return fft.irfft(fft.rfft(signal) * np.exp(-2j * np.pi * frequencies * seconds), len(signal))


@pytest.mark.parametrize('distance', [1.0, 5.123, 17.77, 60.01])
def test_delay_is_distance_over_speed_of_sound_to_a_tenth_of_a_sample(distance):
    signal = smooth_noise(2 * LENGTH, 6000)
    heard = render(standing((0, distance, 0.5)), np.array([0, 0, 0.5]), signal)
    expected = distance / SPEED_OF_SOUND * SAMPLE_RATE
    whole = round(expected)
    offset = round(-START * SAMPLE_RATE)
    clean = signal[offset - whole : offset - whole + LENGTH]
    # What is left after a shift by whole samples: slope of the cross spectrum's phase over frequency.
    window = np.hanning(LENGTH)
    cross = fft.rfft(heard * window) * np.conj(fft.rfft(clean * window))
    bins = slice(50, 2500)
    omega = 2 * np.pi * np.arange(len(cross))[bins] / LENGTH
    weight = np.abs(cross[bins])
    residual = -np.sum(weight * omega * np.angle(cross[bins])) / np.sum(weight * omega**2)
    assert abs(whole + residual - expected) < 0.1


def test_amplitude_falls_with_distance():
    signal = smooth_noise(2 * LENGTH, 2000)
    levels = []
    for distance in (2.0, 4.0, 20.0):
        heard = render(standing((0, distance, 0)), np.zeros(3), signal, length=LENGTH)
        offset = round((-START - distance / SPEED_OF_SOUND) * SAMPLE_RATE)
        sent = signal[offset : offset + LENGTH]
        levels.append(np.sqrt(np.sum(heard**2) / np.sum(sent**2)) * distance)
    np.testing.assert_allclose(levels, 1.0, rtol=0.01)


def test_standing_source_equals_fractional_delay_by_fft():
    signal = smooth_noise(2 * LENGTH, 4000)
    point = np.array([3.0, 7.0, 0.5])
    distance = np.linalg.norm(point)
    heard = render(standing(point), np.zeros(3), signal, length=LENGTH)
    shifted = shift_by_fft(signal.astype(np.float64), distance / SPEED_OF_SOUND) / distance
    expected = shifted[round(-START * SAMPLE_RATE) :][:LENGTH]
    assert np.abs(heard - expected).max() < 0.005 * np.abs(expected).max()


@pytest.mark.parametrize(('source_speed', 'microphone_speed'), [(25.0, 0.0), (0.0, 20.0), (18.0, -15.0)])
def test_doppler_of_a_passing_tone(source_speed, microphone_speed):
    tone, length, aside = 1000.0, 2 * SAMPLE_RATE, 6.0
    lead = 0.5
    samples = np.arange(length + SAMPLE_RATE) / SAMPLE_RATE - lead
    signal = np.sin(2 * np.pi * tone * samples).astype(np.float32)

    def source(at):
        return np.stack(np.broadcast_arrays(aside, source_speed * (at - 1.0), 0.0), axis=-1)

    def microphone(at):
        return np.stack(np.broadcast_arrays(0.0, microphone_speed * (at - 1.0), 0.0), axis=-1)

    heard = render(source, microphone, signal, start=-lead, length=length)
    phase = np.unwrap(np.angle(hilbert(heard.astype(np.float64))))
    measured = np.gradient(phase) * SAMPLE_RATE / (2 * np.pi)
    for time in (0.3, 0.8, 1.0, 1.1, 1.7):
        # Instant of emission: |r(t) - s(t_e)| = c (t - t_e), a quadratic equation.
        here = microphone(np.array(time))
        a = source_speed**2 - SPEED_OF_SOUND**2
        along = here[1] + source_speed
        b = -2 * source_speed * along + 2 * SPEED_OF_SOUND**2 * time
        c = aside**2 + along**2 - (SPEED_OF_SOUND * time) ** 2
        emission = min(np.roots([a, b, c]).real, key=lambda t: abs(t - time) if t <= time else np.inf)
        towards = here - source(np.array(emission))
        towards /= np.linalg.norm(towards)
        shift = (SPEED_OF_SOUND - microphone_speed * towards[1]) / (
            SPEED_OF_SOUND - source_speed * towards[1]
        )
        window = slice(round(time * SAMPLE_RATE) - 200, round(time * SAMPLE_RATE) + 201)
        assert np.median(measured[window]) == pytest.approx(tone * shift, abs=0.2)


def test_directivities():
    cosine = np.array([1.0, 0.0, -1.0])
    np.testing.assert_allclose(directivity_gains('omni', cosine), [[1, 1, 1]])
    np.testing.assert_allclose(directivity_gains('cardioid', cosine), [[1, 0.625, 0.25]])
    np.testing.assert_allclose(directivity_gains('shadow', cosine), [[1, 0.925, 0.85], [1, 0.55, 0.1]])
    with pytest.raises(ValueError, match='other'):
        directivity_gains('other', cosine)


def test_bands_add_up_and_meet_at_the_crossover():
    signal = smooth_noise(LENGTH, 10000)
    low, high = oversample(signal, 2)
    np.testing.assert_allclose(low + high, oversample(signal, 1)[0], atol=1e-4 * np.abs(signal).max())
    np.testing.assert_allclose((low + high)[::4], signal, atol=1e-4 * np.abs(signal).max())

    def power(x, begin, end):
        spectrum = np.abs(fft.rfft(x[::4])) ** 2
        frequencies = fft.rfftfreq(len(signal), 1 / SAMPLE_RATE)
        return spectrum[(frequencies > begin) & (frequencies < end)].sum()

    assert power(low, 20, 300) > 100 * power(high, 20, 300)
    assert power(high, 3000, 9000) > 100 * power(low, 3000, 9000)


def test_source_that_begins_too_late_is_refused():
    signal = oversample(np.zeros(LENGTH, dtype=np.float32), 1)
    knots = len(knot_times(LENGTH))
    with pytest.raises(ValueError, match='does not cover'):
        render_paths(signal, 0.0, np.full((1, knots), 0.1), np.ones((1, 1, knots)), LENGTH)
    with pytest.raises(ValueError, match='knots'):
        render_paths(signal, 0.0, np.zeros((1, 3)), np.ones((1, 1, 3)), LENGTH)
