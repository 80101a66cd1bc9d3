import numpy as np
import pytest

from mmav.datasets.transforms import RandomGain


def level(values):
    return 10 * np.log10(np.mean(np.square(values, dtype=np.float64), axis=-1))


@pytest.fixture
def audio():
    return (np.random.default_rng(0).standard_normal((8, 4000)) * 3000).astype(np.int16)


@pytest.mark.parametrize('gain', [-20.0, 6.0])
def test_common_gain_in_decibel(audio, gain):
    out = RandomGain((gain, gain))(dict(audio=audio))['audio']
    assert out.dtype == np.float32
    assert level(out) - level(audio / 32768) == pytest.approx(gain, abs=1e-3)


def test_mismatch_has_its_deviation(audio):
    np.random.seed(0)
    transform = RandomGain((0.0, 0.0), mismatch_db=2.0)
    gains = np.stack([level(transform(dict(audio=audio))['audio']) for _ in range(200)]) - level(
        audio / 32768
    )
    assert gains.mean() == pytest.approx(0, abs=0.2)
    assert gains.std() == pytest.approx(2.0, abs=0.15)


def test_decibels_are_added_to_spectrograms():
    spectrogram = np.zeros((8, 4, 5), np.float32)
    out = RandomGain((3.0, 3.0))(dict(spectrogram=spectrogram))['spectrogram']
    assert (out == 3).all() and out.dtype == np.float32


def test_range_and_probability(audio):
    np.random.seed(0)
    transform = RandomGain((-6.0, 6.0), prob=0.5)
    gains = []
    for _ in range(100):
        out = transform(dict(audio=audio))['audio']
        gains.append(level(out)[0] - level(audio / 32768)[0] if out.dtype == np.float32 else None)
    changed = [gain for gain in gains if gain is not None]
    assert 30 < len(changed) < 70
    assert min(changed) >= -6.001 and max(changed) <= 6.001 and max(changed) - min(changed) > 8


@pytest.mark.parametrize('kwargs', [dict(gain_db=(3, -3)), dict(mismatch_db=-1), dict(prob=2)])
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError):
        RandomGain(**kwargs)
