import numpy as np
import pytest
import scipy.io.wavfile
import scipy.signal
import soundfile
from mmdet.registry import TRANSFORMS
from tiny_clips import tear

from mmav.datasets import SampleError
from mmav.datasets.transforms import LoadAudioSegment
from mmav.media.video_writer import write_video


def load(path, **kwargs):
    return LoadAudioSegment(**kwargs)(dict(audio_path=str(path)))['audio']


@pytest.fixture
def noise():
    return (np.random.default_rng(0).standard_normal((7000, 2)) * 3000).astype(np.int16)


@pytest.mark.parametrize('extension', ['wav', 'flac'])
def test_middle_of_a_long_sound_in_one_channel(tmp_path, noise, extension):
    soundfile.write(tmp_path / f'a.{extension}', noise, 1000)
    sample = LoadAudioSegment(sample_rate=1000)(dict(audio_path=str(tmp_path / f'a.{extension}')))
    assert sample['sample_rate'] == 1000 and sample['audio'].dtype == np.float32
    np.testing.assert_allclose(sample['audio'], noise[2000:5000].mean(1) / 32768, atol=1e-6)


def test_short_sound_is_repeated(tmp_path, noise):
    scipy.io.wavfile.write(tmp_path / 'a.wav', 1000, noise[:1200])
    wave = noise[:1200].mean(1) / 32768
    np.testing.assert_allclose(
        load(tmp_path / 'a.wav', sample_rate=1000), np.concatenate((wave, wave, wave[:600])), atol=1e-6
    )


@pytest.mark.parametrize('rate', [16000, 44100, 48000, 11111])
def test_other_rates_are_converted(tmp_path, rate):
    tone = np.sin(2 * np.pi * 1000 * np.arange(4 * rate) / rate) * 0.5
    soundfile.write(tmp_path / 'a.wav', tone, rate)
    wave = load(tmp_path / 'a.wav')
    assert wave.shape == (66150,)
    expected = scipy.signal.resample(tone[rate // 2 : rate // 2 + 3 * rate], 66150)
    np.testing.assert_allclose(wave[2000:-2000], expected[2000:-2000], atol=2e-3)


def test_mp3_and_teachers_key(tmp_path):
    tone = np.sin(2 * np.pi * 440 * np.arange(32000) / 16000) * 0.5
    soundfile.write(tmp_path / 'a.mp3', tone, 16000)
    transform = TRANSFORMS.build(
        dict(type='LoadAudioSegment', sample_rate=32000, duration=1.0, key='teacher_waveform')
    )
    sample = transform(dict(audio_path=str(tmp_path / 'a.mp3')))
    assert 'sample_rate' not in sample and 'audio' not in sample
    spectrum = np.abs(np.fft.rfft(sample['teacher_waveform']))
    assert spectrum.argmax() == 440 and sample['teacher_waveform'].shape == (32000,)


def test_sound_of_the_video(tmp_path):
    rate = 16000
    time = np.arange(3 * rate) / rate
    sound = 0.5 * np.sin(2 * np.pi * np.where((time >= 1) & (time < 2), 700, 300) * time)
    write_video(tmp_path / 'a.mp4', [np.zeros((16, 16, 3), np.uint8)] * 15, 5, sound, rate)
    transform = LoadAudioSegment(sample_rate=8000, duration=0.8, from_video=True)
    wave = transform(dict(video_path=str(tmp_path / 'a.mp4')))['audio']
    spectrum = np.abs(np.fft.rfft(wave))
    assert wave.shape == (6400,) and spectrum.argmax() / 0.8 == pytest.approx(700, abs=2)


def test_broken_files_are_named(tmp_path, noise):
    path = tmp_path / 'a.wav'
    soundfile.write(path, noise, 1000)
    tear(path)
    with pytest.raises(SampleError, match=rf'{path}: truncated: \d+ of 28000 bytes of sound are missing'):
        load(path)
    soundfile.write(path, noise[:0], 1000)
    with pytest.raises(SampleError, match=f'{path}: the file holds no sound'):
        load(path)
    (tmp_path / 'a.mp3').write_bytes(b'')
    with pytest.raises(SampleError, match=r'a\.mp3: the file is empty'):
        load(tmp_path / 'a.mp3')
    np.save(tmp_path / 'a.npy', np.zeros((80, 100), np.float32))
    with pytest.raises(SampleError, match=r'a\.npy: a spectrogram'):
        load(tmp_path / 'a.npy')
    (tmp_path / 'a.mp4').write_bytes(b'no video')
    with pytest.raises(SampleError, match=r'a\.mp4: not a readable video'):
        LoadAudioSegment(from_video=True)(dict(video_path=str(tmp_path / 'a.mp4')))


def test_arguments():
    with pytest.raises(ValueError, match='must be above 0'):
        LoadAudioSegment(duration=0)
