import numpy as np
import pytest
import scipy.signal
import soundfile

from mmav.datasets import SampleError
from mmav.datasets.transforms import LoadMultichannelAudio
from mmav.utils.precision import as_float

RATE = 8000


@pytest.fixture
def write(tmp_path):
    def write(samples=RATE, rate=RATE, channels=8, subtype='PCM_16', name='a'):
        time = np.arange(samples) / rate
        tones = np.stack([np.sin(2 * np.pi * (200 + 50 * k) * time) for k in range(channels)]) * 0.3
        paths = []
        for k in range(channels):
            paths.append(str(tmp_path / f'{name}_{k}.wav'))
            soundfile.write(paths[-1], tones[k], rate, subtype=subtype)
        return paths, tones

    return write


def load(paths, **kwargs):
    kwargs.setdefault('sample_rate', RATE)
    return LoadMultichannelAudio(**kwargs)(dict(audio_paths=paths))


def test_files_are_stacked_in_order(write):
    paths, tones = write()
    results = load(paths)
    assert (results['audio'].dtype, results['audio'].shape, results['sample_rate']) == (
        np.int16,
        (8, RATE),
        RATE,
    )
    np.testing.assert_allclose(as_float(results['audio']), tones, atol=1 / 32768)


def test_mixed_subtypes_become_float(write):
    paths, tones = write()
    other, _ = write(subtype='FLOAT', name='b')
    audio = load([*paths[:4], *other[4:]])['audio']
    assert audio.dtype == np.float32
    np.testing.assert_allclose(audio, tones, atol=1 / 32768)


def test_one_file_of_all_microphones(write, tmp_path):
    _, tones = write()
    path = str(tmp_path / 'all.wav')
    soundfile.write(path, tones.T, RATE)
    audio = LoadMultichannelAudio(sample_rate=RATE)(dict(audio_path=path))['audio']
    np.testing.assert_allclose(as_float(audio), tones, atol=1 / 32768)
    with pytest.raises(SampleError, match='8 microphones, expected 4'):
        LoadMultichannelAudio(sample_rate=RATE, num_channels=4)(dict(audio_path=path))


def test_resampling_equals_scipy_inside(write):
    paths, _ = write(samples=16000, rate=16000)
    audio = load(paths, resample=True)['audio']
    original = np.stack([soundfile.read(path)[0] for path in paths])
    expected = scipy.signal.resample_poly(original, 1, 2, axis=1)
    assert audio.shape == (8, RATE)
    np.testing.assert_allclose(audio[:, 500:-500], expected[:, 500:-500], atol=2e-3)


def test_uneven_rates_give_the_expected_length(write):
    paths, _ = write(samples=11025, rate=11025)
    assert load(paths, resample=True)['audio'].shape == (8, RATE)


def test_length_tolerance(write):
    long, tones = write(samples=RATE + 100)
    short, _ = write(samples=RATE - 100, name='b')
    for paths in (long, short):
        with pytest.raises(SampleError, match='expected 8000'):
            load(paths)
        with pytest.raises(SampleError, match='expected 8000'):
            load(paths, length_tolerance=0.01)
    np.testing.assert_allclose(
        as_float(load(long, length_tolerance=0.02)['audio']), tones[:, :RATE], atol=1e-4
    )
    padded = load(short, length_tolerance=0.02)['audio']
    assert padded.shape == (8, RATE) and not padded[:, -100:].any()


def test_wrong_numbers_of_microphones(write):
    paths, _ = write()
    with pytest.raises(SampleError, match='7 microphones, expected 8'):
        load(paths[:7])


def test_spectrograms_must_agree(write, tmp_path):
    paths, _ = write()
    shapes = [(80, 173)] * 7 + [(80, 172)]
    mels = []
    for k, shape in enumerate(shapes):
        mels.append(str(tmp_path / f'm_{k}.npy'))
        np.save(mels[-1], np.zeros(shape, np.float32))
    with pytest.raises(SampleError, match=r'm_7\.npy: spectrogram \(80, 172\)'):
        load(mels)
    with pytest.raises(SampleError, match=r'a spectrogram and .* a waveform'):
        load([*paths[:7], mels[0]])


def test_wrong_rate_names_the_remedy(write):
    paths, _ = write(samples=16000, rate=16000)
    with pytest.raises(SampleError, match='resample=True'):
        load(paths)
