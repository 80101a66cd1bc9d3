import numpy as np
import pytest

from mmav.datasets.transforms import MicrophoneDropout


@pytest.fixture
def audio():
    return np.random.default_rng(0).integers(1, 99, (8, 20)).astype(np.int16)


def test_dropped_microphones_are_silent_and_the_rest_untouched(audio):
    np.random.seed(0)
    numbers = set()
    for _ in range(50):
        out = MicrophoneDropout(1.0, max_microphones=3)(dict(audio=audio))
        dropped = out['dropped_microphones']
        numbers.add(len(dropped))
        kept = [k for k in range(8) if k not in dropped]
        assert not out['audio'][dropped].any()
        np.testing.assert_array_equal(out['audio'][kept], audio[kept])
    assert numbers == {1, 2, 3}
    assert (audio > 0).all()


def test_spectrograms_fall_to_the_minimum():
    spectrogram = np.random.default_rng(0).uniform(-80, 0, (8, 4, 5)).astype(np.float32)
    out = MicrophoneDropout(1.0)(dict(spectrogram=spectrogram))
    (k,) = out['dropped_microphones']
    assert (out['spectrogram'][k] == spectrogram.min()).all()


def test_probability_zero(audio):
    out = MicrophoneDropout(0.0)(dict(audio=audio))
    assert out['dropped_microphones'] == [] and out['audio'] is audio


def test_bad_arguments(audio):
    with pytest.raises(ValueError):
        MicrophoneDropout(1.5)
    with pytest.raises(ValueError):
        MicrophoneDropout(max_microphones=0)
    with pytest.raises(ValueError, match='all 8'):
        MicrophoneDropout(max_microphones=8)(dict(audio=audio))
