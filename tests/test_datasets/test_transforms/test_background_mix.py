import numpy as np
import pytest
import soundfile

from mmav.datasets import SampleError
from mmav.datasets.transforms import BackgroundMix, mix_at_snr

RATE = 8000


def power_db(values):
    return 10 * np.log10(np.mean(np.square(values, dtype=np.float64)))


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    return dict(audio=(rng.standard_normal((8, RATE)) * 2000).astype(np.int16), sample_rate=RATE)


@pytest.fixture
def write(tmp_path):
    def write(name, channels=8, samples=3 * RATE, rate=RATE, level=0.01):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(len(name)).standard_normal((samples, channels)) * level
        soundfile.write(path, values, rate, subtype='FLOAT')
        return str(path)

    return write


@pytest.mark.parametrize('snr', [-5.0, 0.0, 20.0])
def test_ratio(snr):
    rng = np.random.default_rng(0)
    signal, background = rng.standard_normal((2, 8, 1000)).astype(np.float32)
    background *= np.linspace(0.1, 3, 8, dtype=np.float32)[:, None]
    added = mix_at_snr(signal, background, snr) - signal
    assert power_db(signal) - power_db(added) == pytest.approx(snr, abs=1e-3)
    gain = np.vdot(added, background) / np.vdot(background, background)
    np.testing.assert_allclose(added, gain * background, atol=1e-5)  # one gain for all microphones


@pytest.mark.parametrize('channels', [1, 8])
def test_files_are_mixed_at_the_drawn_ratio(sample, write, channels):
    path = write('a.wav', channels)
    out = BackgroundMix(files=[path], snr_range=(3.0, 9.0), prob=1.0)(dict(sample))
    signal = sample['audio'] / 32768
    added = out['audio'] - signal
    assert 3 <= out['background_snr'] <= 9 and out['background_path'] == path
    assert power_db(signal) - power_db(added) == pytest.approx(out['background_snr'], abs=1e-2)
    values = soundfile.read(path, always_2d=True)[0].T
    start = np.correlate(values[0], added[0], 'valid').argmax()
    stretch = np.broadcast_to(values[:, start : start + RATE], added.shape)
    assert np.corrcoef(added.ravel(), stretch.ravel())[0, 1] > 0.9999


def test_files_of_microphones_belong_together(sample, write, tmp_path):
    for k in range(8):
        write(f'bg/x/audio_{k}_bridge.wav', channels=1)
    write('bg/rain.wav')
    transform = BackgroundMix(folder=str(tmp_path / 'bg'), prob=1.0)
    assert [path.rsplit('/', 1)[-1] for path in transform.files] == ['rain.wav', 'audio_{}_bridge.wav']
    transform.files = transform.files[1:]
    assert transform(dict(sample))['audio'].shape == (8, RATE)


def test_probability_zero(sample, write):
    out = BackgroundMix(files=[write('a.wav')], prob=0.0)(dict(sample))
    assert out['audio'] is sample['audio'] and 'background_snr' not in out


@pytest.mark.parametrize(
    ('kwargs', 'reason'),
    [
        (dict(level=0.0), 'silent'),
        (dict(samples=RATE - 1), 'shorter'),
        (dict(rate=16000), '16000 Hz'),
        (dict(channels=4), '4 channels'),
    ],
)
def test_unusable_backgrounds_are_named(sample, write, kwargs, reason):
    path = write('bad.wav', **kwargs)
    with pytest.raises(SampleError, match=reason) as error:
        BackgroundMix(files=[path], prob=1.0)(dict(sample))
    assert path in str(error.value)


def test_missing_background_is_named(sample, tmp_path):
    with pytest.raises(SampleError, match='missing'):
        BackgroundMix(files=[str(tmp_path / 'no.wav')], prob=1.0)(dict(sample))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SampleError, match='no background'):
        BackgroundMix(folder=str(tmp_path / 'empty'))


@pytest.mark.parametrize(
    'kwargs', [dict(), dict(folder='a', files=['b']), dict(files=['b'], snr_range=(3, 1))]
)
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError):
        BackgroundMix(**kwargs)
