import numpy as np
import pytest
import scipy.signal

from mmav.simulation.clips.clip_sounds import SOUNDS, clip_sound

RATE = 22050


def features(sound):
    """Mean log power in a few bands, and how much each changes with time."""
    _, _, power = scipy.signal.spectrogram(sound, RATE, nperseg=512, noverlap=274)
    bands = np.log(np.array([part.mean(0) for part in np.array_split(power[1:], 24)]) + 1e-7)
    return np.concatenate((bands.mean(1), bands.std(1)))


def test_kinds_can_be_told_apart_by_ear():
    """The nearest mean of 12 sounds a kind names the kind of nearly all others, from a second."""
    drawn = {
        kind: np.array([features(clip_sound(kind, RATE, RATE, 20.0, seed)) for seed in range(18)])
        for kind in sorted(SOUNDS)
    }
    means = np.array([values[:12].mean(0) for values in drawn.values()])
    right = [
        np.linalg.norm(means - value, axis=1).argmin() == number
        for number, values in enumerate(drawn.values())
        for value in values[12:]
    ]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize('kind', sorted(SOUNDS))
def test_loud_enough_and_not_clipped(kind):
    for seed in range(3):
        sound = clip_sound(kind, 22050, RATE, 10.0, seed)
        assert sound.shape == (22050,) and sound.dtype == np.float32 and np.isfinite(sound).all()
        assert 0.35 < np.abs(sound).max() < 0.901
        # in every half second something is heard over the noise 40 dB below the peak
        assert min(np.abs(part).max() for part in np.array_split(sound, 2)) > 0.02


def test_signal_to_noise_ratio():
    quiet, loud = (clip_sound('fountain', 66150, RATE, snr, 1) for snr in (60.0, 0.0))
    scale = (quiet @ loud) / (quiet @ quiet)
    noise = loud - scale * quiet
    ratio = 10 * np.log10(np.mean((scale * quiet) ** 2) / np.mean(noise**2))
    assert ratio == pytest.approx(0, abs=0.3)


def test_same_seed_same_sound():
    first, again, other = (clip_sound('bell', 8000, 16000, 10.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.05
