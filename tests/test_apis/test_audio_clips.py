import mmcv
import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import resample_poly

from mmav.apis import AudioClip, collect_clips
from mmav.apis.audio_clips import read_camera_images, windows
from mmav.datasets import SampleError

RATE = 8000


def tones(length: int = RATE, channels: int = 8) -> np.ndarray:
    time = np.arange(length) / RATE
    return np.stack([np.sin(2 * np.pi * 100 * (k + 1) * time) * 0.5 for k in range(channels)])


def as_int16(wave: np.ndarray) -> np.ndarray:
    return np.round(wave * 32767).astype(np.int16)


def read_all(inputs, **options) -> list:
    return [(clip.name, clip.read(RATE, 8, **options)) for clip in collect_clips(inputs)]


@pytest.fixture
def files(tmp_path):
    wave = as_int16(tones())
    soundfile.write(tmp_path / 'array.wav', wave.T, RATE, subtype='PCM_16')
    (tmp_path / 'drive').mkdir()
    for k in range(8):
        soundfile.write(tmp_path / 'drive' / f'audio_{k}_12_000000003_a.wav', wave[k], RATE, subtype='PCM_16')
    return tmp_path, wave


def test_every_kind_of_input_holds_the_same(files):
    folder, wave = files
    mono = [folder / 'drive' / f'audio_{k}_12_000000003_a.wav' for k in range(8)]
    for inputs, name in (
        (folder / 'array.wav', 'array.wav'),
        (str(folder / 'array.wav'), 'array.wav'),
        (mono, 'audio_0_12_000000003_a..audio_7_12_000000003_a'),
        ([mono], 'audio_0_12_000000003_a..audio_7_12_000000003_a'),
        (folder / 'drive', '12_000000003_a'),
        (folder, 'array.wav'),
        (wave, 'array'),
        (torch.from_numpy(wave), 'array'),
        ([wave], 'inputs[0]'),
        (wave[None], 'inputs[0]'),
    ):
        ((found, values),) = read_all(inputs)
        assert found == name
        assert values.dtype == np.int16
        np.testing.assert_array_equal(values, wave)
    two = read_all([folder / 'array.wav', wave.astype(np.float32) / 32768])
    assert [name for name, _ in two] == ['array.wav', 'inputs[1]']
    np.testing.assert_array_equal(np.round(two[1][1] * 32768), wave)


def test_resampling_agrees_with_scipy():
    wave = tones(2 * RATE)
    ((_, values),) = read_all(wave.astype(np.float32), array_rate=2 * RATE)
    expected = resample_poly(wave, 1, 2, axis=1)
    assert values.shape == (8, RATE)
    inner = slice(200, -200)  # the two treat the ends in their own ways
    np.testing.assert_allclose(values[:, inner], expected[:, inner], atol=2e-3)


def write(path, wave: np.ndarray, rate: int = RATE) -> str:
    soundfile.write(path, wave.T, rate, subtype='FLOAT')
    return str(path)


@pytest.mark.parametrize('channels', [1, 2, 7, 9])
def test_wrong_number_of_channels(tmp_path, channels):
    path = write(tmp_path / 'wrong.wav', tones(channels=channels))
    with pytest.raises(SampleError, match=rf'wrong\.wav: {channels} channels.*8 microphones'):
        read_all(path)
    with pytest.raises(SampleError, match=rf'array: {channels} channels'):
        read_all(as_int16(tones(channels=channels)))


def test_bad_files_are_named(tmp_path):
    wave = tones()
    wave[3, 10] = np.nan
    with pytest.raises(SampleError, match=r'nan\.wav: .*NaN'):
        read_all(write(tmp_path / 'nan.wav', wave))
    with pytest.raises(SampleError, match=r'array: .*NaN'):
        read_all(wave)
    (tmp_path / 'empty.wav').write_bytes(b'')
    with pytest.raises(SampleError, match=r'empty\.wav: the file is empty'):
        read_all(tmp_path / 'empty.wav')
    (tmp_path / 'text.wav').write_text('no sound')
    with pytest.raises(SampleError, match=r'text\.wav'):
        read_all(tmp_path / 'text.wav')
    with pytest.raises(SampleError, match=r'gone\.wav: no such file'):
        read_all([str(tmp_path / 'gone.wav')])
    np.save(tmp_path / 'mel.npy', np.zeros((80, 173), np.float32))
    with pytest.raises(SampleError, match=r'mel\.npy: .*spectrogram'):
        read_all(tmp_path / 'mel.npy')


@pytest.mark.parametrize(
    'array, message',
    [
        (np.zeros(100, np.int16), 'shape'),
        (np.zeros((8, 0), np.int16), 'shape'),
        (np.zeros((8, 100), np.int64), 'int16 or floating point'),
        (np.full((8, 100), 3000.0), 'divide 16-bit samples by 32768'),
    ],
)
def test_bad_arrays(array, message):
    with pytest.raises(SampleError, match=message):
        read_all(array)


def test_folders(files, tmp_path):
    folder, _ = files
    (folder / 'drive' / 'audio_3_12_000000003_a.wav').unlink()
    with pytest.raises(SampleError, match=r'12_000000003_a: microphones missing: \[3\]'):
        collect_clips(folder / 'drive')
    (tmp_path / 'bare').mkdir()
    with pytest.raises(SampleError, match='holds no sound files'):
        collect_clips(tmp_path / 'bare')
    with pytest.raises(SampleError, match='the list is empty'):
        collect_clips([])
    with pytest.raises(TypeError, match='int'):
        collect_clips(3)


def test_microphones_that_differ(tmp_path):
    waves = tones()
    paths = [write(tmp_path / f'{k}.wav', wave[None]) for k, wave in enumerate(waves)]
    paths[2] = write(tmp_path / '2.wav', waves[2][None, :-5])
    with pytest.raises(SampleError, match=r'differ in length or sample rate.*2\.wav: 7995 samples'):
        AudioClip('clip', paths).read(RATE, 8)


@pytest.mark.parametrize(
    'length, stride, starts',
    [
        (100, None, [0]),
        (101, None, [0]),
        (99, None, [0]),  # the resampler's rounding
        (100, 100, [0]),
        (300, 100, [0, 100, 200]),
        (250, 100, [0, 100, 150]),
        (200, 50, [0, 50, 100]),
    ],
)
def test_windows(length, stride, starts):
    wave = np.arange(length, dtype=np.float32)[None]
    found = list(windows(wave, 'clip', 100, stride, 10))
    assert [start for start, _ in found] == [start / 10 for start in starts]
    for (_, window), start in zip(found, starts):
        expected = np.pad(wave, ((0, 0), (0, 1)))[:, start : start + 100]
        np.testing.assert_array_equal(window, expected)


@pytest.mark.parametrize('length, stride, message', [(98, 100, 'too short'), (102, None, 'too long.*stride')])
def test_windows_refuse(length, stride, message):
    with pytest.raises(SampleError, match=f'clip: {message}'):
        list(windows(np.zeros((1, length)), 'clip', 100, stride, 10))


def test_camera_images_are_read_whole_and_one_for_each_recording(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    path = tmp_path / 'camera.png'
    mmcv.imwrite(image[..., ::-1], str(path))  # RGB to BGR
    for given in (path, str(path), image):
        found = read_camera_images(given, 2)
        assert len(found) == 2
        np.testing.assert_array_equal(found[1], image)
    assert read_camera_images(None, 2) == [None, None]
    first, second = read_camera_images([None, path], 2)
    assert first is None and second.shape == (8, 6, 3)
    with pytest.raises(ValueError, match='1 images for 2 recordings'):
        read_camera_images([path], 2)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SampleError, match=r'camera\.png: truncated image'):
        read_camera_images(path, 1)


@pytest.mark.parametrize('rate', [48000, np.int64(48000), torch.tensor(48000), 48000.0])
def test_arrays_with_their_rate(rate):
    wave = np.random.default_rng(0).standard_normal((8, 4800)).astype(np.float32) * 0.1
    for inputs in (
        (torch.from_numpy(wave), rate),
        [(wave, rate)],
        [(wave, rate), (wave, rate)],
        [wave, rate],
    ):
        for clip in collect_clips(inputs):
            np.testing.assert_array_equal(clip.read(48000, 8, array_rate=16000), wave)
    assert [clip.name for clip in collect_clips([(wave, rate), wave])] == ['inputs[0]', 'inputs[1]']
    batch = collect_clips((np.stack([wave, wave]), rate))
    assert [clip.rate for clip in batch] == [48000, 48000]


@pytest.mark.parametrize('rate', [0, -8000, float('nan'), float('inf'), True])
def test_rates_that_are_none(rate):
    with pytest.raises(SampleError, match=r'inputs\[1\]: the sample rate must be'):
        collect_clips([np.zeros((8, 9)), (np.zeros((8, 9)), rate)])


@pytest.mark.parametrize('shape', [(0, 8, 100), (2, 8, 0), (8, 0), (0, 100), (0,)])
def test_empty_arrays(shape):
    for inputs in (np.zeros(shape), torch.zeros(shape), (np.zeros(shape), 8000), [np.zeros(shape)]):
        with pytest.raises(SampleError, match='the array is empty'):
            collect_clips(inputs)


@pytest.mark.parametrize('dtype', ['<i2', '>i2', '<f4', '>f4', '>f8'])
@pytest.mark.parametrize('order', ['C', 'F'])
def test_arrays_in_any_order_of_bytes_and_axes(tmp_path, dtype, order):
    expected = (np.random.default_rng(0).standard_normal((8, 50)) * 3000).astype(np.int16)
    expected = expected if dtype[1] == 'i' else expected / np.float32(32768)
    array = np.asarray(expected.astype(dtype), order=order)
    np.save(tmp_path / 'all.npy', array)
    for inputs in (array, tmp_path / 'all.npy'):
        (clip,) = collect_clips(inputs)
        wave = torch.from_numpy(np.ascontiguousarray(clip.read(8000, 8)))  # which takes native bytes alone
        np.testing.assert_array_equal(wave.numpy(), expected, strict=True)
