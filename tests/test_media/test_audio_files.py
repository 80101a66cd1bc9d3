import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.io.wavfile
import soundfile

from mmav.datasets import SampleError
from mmav.media.audio_files import audio_length, read_audio, read_audio_segment


@pytest.fixture
def sound():
    return (np.random.default_rng(0).standard_normal((2, 5000)) * 3000).astype(np.int16)


def test_wav_equals_scipy(tmp_path, sound):
    path = tmp_path / 'a.wav'
    scipy.io.wavfile.write(path, 16000, sound.T)
    clip = read_audio(str(path))
    assert (clip.sample_rate, clip.is_spectrogram, clip.values.dtype) == (16000, False, np.int16)
    np.testing.assert_array_equal(clip.values, sound)


@pytest.mark.parametrize('subtype', ['PCM_16', 'PCM_24', 'FLOAT'])
def test_subtypes_keep_their_values(tmp_path, sound, subtype):
    path = tmp_path / 'a.wav'
    soundfile.write(path, sound.T / 32768, 44100, subtype=subtype)
    values = read_audio(str(path)).values
    assert values.dtype == (np.int16 if subtype == 'PCM_16' else np.float32)
    scale = 1 if subtype == 'PCM_16' else 32768
    np.testing.assert_allclose(values * scale, sound, atol=1.0 if subtype == 'PCM_16' else 1e-2)


def test_flac_is_lossless_and_mp3_close(tmp_path):
    tone = (np.sin(2 * np.pi * 440 * np.arange(44100) / 44100) * 8000).astype(np.int16)
    soundfile.write(tmp_path / 'a.flac', tone, 44100)
    np.testing.assert_array_equal(read_audio(str(tmp_path / 'a.flac')).values[0], tone)
    soundfile.write(tmp_path / 'a.mp3', tone, 44100)
    clip = read_audio(str(tmp_path / 'a.mp3'))
    assert clip.values.dtype == np.float32
    middle = slice(10000, 30000)
    spectrum = np.abs(np.fft.rfft(clip.values[0, middle]))
    assert spectrum.argmax() * 44100 / 20000 == pytest.approx(440, abs=3)


def test_npy_and_pkl(tmp_path, sound):
    np.save(tmp_path / 'a.npy', sound[0])
    np.testing.assert_array_equal(read_audio(str(tmp_path / 'a.npy')).values, sound[:1])
    mel = np.linspace(-80, 0, 80 * 173).reshape(80, 173)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(mel))
    clip = read_audio(str(tmp_path / 'a.pkl'))
    assert clip.is_spectrogram and clip.values.dtype == np.float32
    np.testing.assert_allclose(clip.values, mel, rtol=1e-6)


def test_segment_equals_a_slice(tmp_path, sound):
    path = tmp_path / 'drive.wav'
    soundfile.write(path, sound.T, 1000)
    clip = read_audio_segment(str(path), center=2.5, duration=1.0)
    np.testing.assert_array_equal(clip.values, sound[:, 2000:3000])
    first = read_audio_segment(str(path), center=0.2, duration=1.0, pad=True)
    np.testing.assert_array_equal(first.values[:, 300:], sound[:, :700])
    assert not first.values[:, :300].any()


@pytest.mark.parametrize('center', [0.4, 4.7, -3.0, 9.0])
def test_segment_outside_is_an_error(tmp_path, sound, center):
    path = tmp_path / 'drive.wav'
    soundfile.write(path, sound.T, 1000)
    with pytest.raises(SampleError, match=r'drive\.wav: the clip of 1\.0 s around .* sticks out'):
        read_audio_segment(str(path), center=center, duration=1.0)


def _write(path, kind):
    if kind == 'empty':
        path.write_bytes(b'')
    elif kind == 'garbage':
        path.write_bytes(b'not a sound at all' * 10)
    elif kind == 'nan wav':
        soundfile.write(path, np.array([0.0, np.nan, 1.0]), 44100, subtype='FLOAT')


@pytest.mark.parametrize(
    ('name', 'kind', 'reason'),
    [
        ('a.wav', 'missing', 'missing'),
        ('a.wav', 'empty', 'empty'),
        ('a.wav', 'garbage', 'not a readable sound'),
        ('a.npy', 'garbage', 'no array can be read from it'),
        ('a.pkl', 'garbage', 'not a pickled numpy array'),
        ('a.wav', 'nan wav', 'NaN'),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, kind, reason):
    _write(tmp_path / name, kind)
    with pytest.raises(SampleError, match=reason) as error:
        read_audio(str(tmp_path / name))
    assert str(tmp_path / name) in str(error.value)


def test_missing_recording_is_named(tmp_path):
    with pytest.raises(SampleError, match=r'drive\.wav: the file is missing'):
        read_audio_segment(str(tmp_path / 'drive.wav'), 1.0, 1.0)


@pytest.mark.parametrize(
    ('array', 'reason'),
    [
        (np.zeros((2, 3, 4)), 'expected a waveform'),
        (np.zeros(0), 'expected a waveform'),
        (np.array([0.0, np.inf]), 'NaN or infinite'),
        (np.zeros(9, np.int64), 'int64'),
        (np.array([0.0, 20000.0]), 'expected -1..1'),
    ],
)
def test_unusable_arrays_are_named(tmp_path, array, reason):
    np.save(tmp_path / 'a.npy', array)
    with pytest.raises(SampleError, match=reason):
        read_audio(str(tmp_path / 'a.npy'))


def test_npy_that_is_a_pickle_is_not_run(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SampleError, match=r'a\.npy: must hold numbers, got object'):
        read_audio(str(tmp_path / 'a.npy'))


def test_truncated_wav_is_an_error(tmp_path, sound):
    """libsndfile reads what is left of it, and says nothing."""
    path = tmp_path / 'a.wav'
    soundfile.write(path, sound.T, 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    assert len(soundfile.read(path)[0]) == 4975
    for read in (read_audio, audio_length, lambda name: read_audio_segment(name, 0.1, 0.1)):
        with pytest.raises(SampleError, match=r'a\.wav: truncated: 100 of 20000 bytes of sound are missing'):
            read(str(path))
    # further chunks may follow; a program that wrote to a pipe could not fill in the length
    path.write_bytes(whole + b'LIST\x04\x00\x00\x00abcd')
    np.testing.assert_array_equal(read_audio(str(path)).values, sound)
    path.write_bytes(whole.replace(b'data' + (20000).to_bytes(4, 'little'), b'data\xff\xff\xff\xff'))
    np.testing.assert_array_equal(read_audio(str(path)).values, sound)


def test_a_header_of_many_samples_takes_no_memory(tmp_path, sound):
    """FLAC counts samples in 36 bits, of which the last 32 are bytes 22 to 25 of the file."""
    path = tmp_path / 'a.flac'
    soundfile.write(path, sound.T, 16000)
    content = bytearray(path.read_bytes())
    assert content[22:26] == (5000).to_bytes(4, 'big')
    content[21:26] = bytes((content[21] | 15, 255, 255, 255, 255))
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(SampleError, match=r'a\.flac: '):
            read_audio(str(path))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
