"""Acoustic images on their way through pipeline, prepared store and data preprocessor."""

import numpy as np
import pytest
import soundfile
import torch
from mmcv.transforms import Compose
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from rigs import make_rig
from torch.nn.functional import interpolate

from mmav.datasets.transforms import BackgroundMix, MicrophoneDropout, MirrorFlip, RandomGain
from mmav.models.data_preprocessors import AudioVisualDataPreprocessor
from mmav.models.layers import AcousticImage, LogMelSpectrogram

SIZE = (64, 96)  # height, width
OPTIONS = dict(rig=make_rig().to_dict(), grid=(6, 12))
CHANNELS = 35


def preprocessor(**options) -> AudioVisualDataPreprocessor:
    values = dict(acoustic_image=OPTIONS, audio_size=SIZE, modality='audio')
    return AudioVisualDataPreprocessor(**{**values, **options})


def sound(seed: int = 0) -> np.ndarray:
    """(8, 44100) int16: a source at the right, and noise."""
    rng = np.random.default_rng(seed)
    source = rng.standard_normal(44200) * 3000
    delays = [5, 0, 0, 5, 12, 18, 18, 12]
    array = np.stack([source[20 - delay : 44120 - delay] for delay in delays])
    return (array + rng.standard_normal(array.shape) * 100).astype(np.int16)


def batch(*sounds: np.ndarray, name: str = 'audio', **metainfo) -> dict:
    samples = [DetDataSample(metainfo=dict(img_shape=SIZE, **metainfo)) for _ in sounds]
    return dict(inputs={name: [torch.from_numpy(value) for value in sounds]}, data_samples=samples)


def test_image_is_the_layers_resized_and_standardized():
    mean, std = torch.arange(float(CHANNELS)), torch.linspace(1, 3, CHANNELS)
    layer = preprocessor(acoustic_mean=mean.tolist(), acoustic_std=std.tolist())
    output = layer(batch(sound(0), sound(1)))['inputs']
    waveform = torch.from_numpy(np.stack([sound(0), sound(1)])).float() / 32768
    image = interpolate(AcousticImage(**OPTIONS)(waveform), size=SIZE, mode='bilinear')
    expected = (image - mean[:, None, None]) / std[:, None, None]
    assert output.shape == (2, CHANNELS, *SIZE)
    assert torch.allclose(output, expected, atol=1e-5)


def test_spectrograms_follow_the_acoustic_image():
    log_mel = dict(reference='clip')
    both = preprocessor(log_mel=log_mel)(batch(sound()))['inputs']
    acoustic = preprocessor()(batch(sound()))['inputs']
    spectrogram = preprocessor(log_mel=log_mel, acoustic_image=None)(batch(sound()))['inputs']
    assert torch.equal(both, torch.cat((acoustic, spectrogram), 1)) and both.shape[1] == CHANNELS + 8


@pytest.mark.parametrize('stored', [False, True])
def test_mirrored_scene_is_the_mirrored_image(stored):
    """Microphones that change places, or columns that are reversed, give the same."""
    results = dict(img_shape=SIZE, gt_bboxes=HorizontalBoxes(torch.tensor([[10.0, 5, 30, 40]])))
    if stored:
        waveform = torch.from_numpy(sound())[None].float() / 32768
        results['acoustic_image'] = AcousticImage(**OPTIONS)(waveform)[0].numpy()
    else:
        results['audio'] = sound()
    name = 'acoustic_image' if stored else 'audio'
    plain = preprocessor()(batch(results[name], name=name))['inputs']
    flipped = MirrorFlip(prob=1.0)(results)
    mirrored = preprocessor()(batch(flipped[name], name=name))['inputs']
    assert torch.allclose(mirrored, plain.flip(-1), atol=2e-3)
    assert not torch.allclose(mirrored, plain, atol=0.1)
    assert flipped['gt_bboxes'].tensor.tolist() == [[66, 5, 86, 40]]


def test_dropped_microphone_is_left_out_of_the_steering():
    np.random.seed(0)
    results = MicrophoneDropout(prob=1.0)(dict(audio=sound()))
    (dropped,) = results['dropped_microphones']
    output = preprocessor()(batch(results['audio']))['inputs']
    rig = make_rig().to_dict()
    rest = [k for k in range(8) if k != dropped]
    rig['microphone_positions'] = [rig['microphone_positions'][k] for k in rest]
    alone = preprocessor(acoustic_image=dict(OPTIONS, rig=rig))(batch(sound()[rest]))['inputs']
    assert torch.allclose(output, alone, atol=1e-3)


def test_dropped_microphone_is_a_masked_one():
    np.random.seed(1)
    results = MicrophoneDropout(prob=1.0, max_microphones=3)(dict(audio=sound()))
    mask = torch.ones(1, 8, dtype=torch.bool)
    mask[0, results['dropped_microphones']] = False
    assert 4 < mask.sum() < 8
    layer = AcousticImage(**OPTIONS)
    silent, whole = (torch.from_numpy(audio)[None].float() / 32768 for audio in (results['audio'], sound()))
    assert torch.allclose(layer(silent), layer(whole, mask), atol=1e-5)
    assert not torch.allclose(layer(silent), layer(whole), atol=0.1)


@pytest.mark.parametrize('channels', [1, 8])
def test_mixed_background_is_that_of_the_summed_sounds(tmp_path, channels):
    background = np.random.default_rng(5).standard_normal((44100, channels)) * 0.05
    soundfile.write(tmp_path / 'rain.wav', background, 44100, subtype='DOUBLE')
    files, waveform = [str(tmp_path / 'rain.wav')], sound() / 32768
    results = BackgroundMix(files=files, prob=1.0, snr_range=(3.0, 3.0))(
        dict(audio=sound(), sample_rate=44100)
    )
    # by hand: the sum over all microphones has 3 dB less power than the sound
    noise = np.broadcast_to(background.T, waveform.shape)
    gain = np.sqrt(np.square(waveform).sum() / np.square(noise).sum() / 10**0.3)
    expected = preprocessor()(batch((waveform + gain * noise).astype(np.float32)))['inputs']
    output = preprocessor()(batch(results['audio']))['inputs']
    plain = preprocessor()(batch(sound()))['inputs']
    assert torch.allclose(output, expected, atol=2e-3)
    assert (output - plain).abs().max() > 1


def test_common_gain_changes_the_levels_alone():
    np.random.seed(0)
    louder = RandomGain(gain_db=(6.0, 6.0))(dict(audio=sound()))['audio']
    before, after = (preprocessor()(batch(audio))['inputs'] for audio in (sound(), louder))
    change = after - before
    assert torch.allclose(change[:, 24:32], torch.tensor(6.0), atol=1e-3)
    assert change[:, :24].abs().max() < 1e-3 and change[:, 32:].abs().max() < 1e-3


@pytest.mark.parametrize('held', ['acoustic_image', 'spectrogram'])
def test_background_is_not_mixed_into_what_a_store_holds(held):
    transform = BackgroundMix(files=['rain.wav'], prob=0.0)  # whether drawn or not
    with pytest.raises(KeyError, match=rf"holds the {held} of a prepared store.*audio='int16'"):
        transform({held: np.zeros((35, 6, 12), np.float32)})
    with pytest.raises(KeyError, match='put LoadMultichannelAudio before it'):
        transform({})


def test_stored_image_of_an_array_without_symmetry_is_not_mirrored():
    rig = make_rig(microphone_positions=make_rig().microphone_positions + np.eye(8, 3) * 0.1)
    settings = AcousticImage(**dict(OPTIONS, rig=rig)).settings()
    results = dict(img_shape=SIZE, acoustic_image=np.zeros((35, 6, 12), np.float32))
    with pytest.raises(ValueError, match='not mirror symmetric'):
        MirrorFlip(prob=1.0)(dict(results, acoustic_settings=settings))


def test_waveforms_of_another_rate_are_not_steered():
    with pytest.raises(ValueError, match='the waveforms have 48000 Hz, but acoustic_image wants 44100 Hz'):
        preprocessor()(batch(sound(), sample_rate=48000))
    assert preprocessor()(batch(sound(), sample_rate=44100))['inputs'].shape[1] == CHANNELS


def test_masks_need_spectrograms():
    with pytest.raises(ValueError, match='spec_augment masks spectrograms'):
        preprocessor(spec_augment={})
    assert preprocessor(spec_augment={}, log_mel={}).spec_augment == {}


@pytest.mark.parametrize('transform', [MicrophoneDropout(prob=1.0), RandomGain()])
def test_stored_images_have_no_microphones_to_change(transform):
    with pytest.raises(KeyError, match=r"changes single microphones.*audio='int16'"):
        Compose([transform])(dict(acoustic_image=np.zeros((35, 6, 12), np.float32)))


def test_settings_of_stored_images_are_checked():
    image = np.zeros((CHANNELS, 6, 12), np.float32)
    settings = AcousticImage(**OPTIONS).settings()
    output = preprocessor()(batch(image, name='acoustic_image', acoustic_settings=settings))['inputs']
    assert output.shape == (1, CHANNELS, *SIZE)
    other = dict(settings, max_distance=80.0, n_fft=1024)
    with pytest.raises(ValueError, match='prepared with other max_distance, n_fft than'):
        preprocessor()(batch(image, name='acoustic_image', acoustic_settings=other))


@pytest.mark.parametrize(
    'options, name, message',
    [
        (dict(acoustic_image=None, log_mel={}), 'acoustic_image', r'give acoustic_image=dict'),
        (dict(log_mel={}), 'acoustic_image', 'acoustic images alone, but log_mel wants waveforms'),
        (dict(), 'spectrogram', 'acoustic_image needs waveforms'),
    ],
)
def test_sound_of_another_kind_is_named(options, name, message):
    with pytest.raises(ValueError, match=message):
        preprocessor(**options)(batch(np.zeros((8, 80, 12), np.float32), name=name))


def test_needs_the_size_of_the_network():
    with pytest.raises(ValueError, match='acoustic_image needs audio_size'):
        preprocessor(audio_size=None)
    assert isinstance(preprocessor(log_mel={}).log_mel, LogMelSpectrogram)


def test_a_stride_makes_the_input_smaller_and_leaves_the_boxes_where_they_are():
    data = preprocessor(acoustic_stride=2, pad_size_divisor=64)(batch(sound()))
    waveform = torch.from_numpy(sound())[None].float() / 32768
    image = interpolate(AcousticImage(**OPTIONS)(waveform), size=(32, 48), mode='bilinear')
    assert data['inputs'].shape == (1, CHANNELS, 32, 64)  # 96 columns are padded to 128
    assert torch.allclose(data['inputs'][..., :48], image, atol=1e-5) and not data['inputs'][..., 48:].any()
    assert data['data_samples'][0].batch_input_shape == data['data_samples'][0].pad_shape == (64, 128)


def test_strides_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='must divide'):
        preprocessor(acoustic_stride=5)
    with pytest.raises(ValueError, match='must divide'):
        preprocessor(acoustic_stride=2, pad_size_divisor=1)
    with pytest.raises(ValueError, match='no log_mel'):
        preprocessor(acoustic_stride=2, pad_size_divisor=32, log_mel=dict(reference='clip'))
