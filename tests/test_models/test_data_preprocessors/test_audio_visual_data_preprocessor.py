import cv2
import librosa
import numpy as np
import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from mmav.models.data_preprocessors import AudioVisualDataPreprocessor

SIZE = (64, 96)  # height, width
RGB = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)


def data_samples(count=2, shape=SIZE, **meta):
    samples = []
    for _ in range(count):
        sample = DetDataSample(metainfo=dict(img_shape=shape, **meta))
        boxes = HorizontalBoxes(torch.tensor([[1.0, 2, 30, 40]]))
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0]))
        samples.append(sample)
    return samples


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    audio = (rng.standard_normal((2, 8, 44100)) * np.geomspace(3000, 30, 8)[:, None]).astype(np.int16)
    inputs = dict(
        audio=[torch.from_numpy(clip) for clip in audio],
        rgb=[torch.from_numpy(rng.integers(0, 256, (3, *SIZE), dtype=np.uint8)) for _ in range(2)],
        thermal=[torch.from_numpy(rng.integers(0, 256, (1, *SIZE), dtype=np.uint8)) for _ in range(2)],
    )
    return dict(inputs=inputs, data_samples=data_samples())


def only(batch, *names):
    return dict(batch, inputs={name: batch['inputs'][name] for name in names})


@pytest.mark.parametrize('reference', ['channel', 'clip', 1.0])
def test_sound_equals_librosa_and_opencv(batch, reference):
    low, high = (-80.0, 0.0) if isinstance(reference, str) else (-60.0, 40.0)
    layer = AudioVisualDataPreprocessor(
        log_mel=dict(reference=reference), audio_size=SIZE, db_range=(low, high), modality='audio'
    )
    out = layer(only(batch, 'audio'))['inputs']
    assert out.shape == (2, 8, *SIZE)
    for clip, pixels in zip(batch['inputs']['audio'], out):
        waveform = clip.numpy() / np.float32(32768)
        power = librosa.feature.melspectrogram(y=waveform, sr=44100, n_fft=1024, hop_length=256, n_mels=80)
        if reference == 'channel':
            decibel = np.stack([librosa.power_to_db(row, ref=np.max) for row in power])
        else:
            # microphones below one another: from 1.0 on librosa refers each channel to itself
            rows = librosa.power_to_db(
                np.concatenate(power), ref=np.max if reference == 'clip' else reference
            )
            decibel = rows.reshape(power.shape)
        scaled = ((decibel - low) / (high - low)).clip(0, 1)
        for row, image in zip(scaled, pixels):
            expected = cv2.resize(row, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
            np.testing.assert_allclose(image.numpy(), expected, atol=2e-4)


def test_images_equal_mmdets(batch):
    layer = AudioVisualDataPreprocessor(modality='rgb', modalities=dict(rgb=RGB), pad_size_divisor=40)
    theirs = DetDataPreprocessor(**RGB, pad_size_divisor=40)
    ours = layer(only(batch, 'rgb'))
    expected = theirs(dict(inputs=batch['inputs']['rgb'], data_samples=data_samples()))
    torch.testing.assert_close(ours['inputs'], expected['inputs'])
    for a, b in zip(ours['data_samples'], expected['data_samples']):
        assert a.metainfo == b.metainfo
        assert torch.equal(a.gt_instances.bboxes, b.gt_instances.bboxes)


def test_all_modalities_together(batch):
    layer = AudioVisualDataPreprocessor(
        log_mel=dict(), audio_size=SIZE, modalities=dict(rgb=RGB, thermal=dict(mean=100, std=50))
    )
    out = layer(batch)
    assert {name: tuple(t.shape) for name, t in out['inputs'].items()} == dict(
        audio=(2, 8, *SIZE), rgb=(2, 3, *SIZE), thermal=(2, 1, *SIZE)
    )
    expected = (torch.stack(batch['inputs']['thermal']).float() - 100) / 50
    torch.testing.assert_close(out['inputs']['thermal'], expected)
    assert out['data_samples'][0].batch_input_shape == SIZE == out['data_samples'][1].pad_shape
    assert list(layer(only(batch, 'audio'))['inputs']) == ['audio']
    assert layer.state_dict() == {}


def test_stacked_batches_and_missing_samples_will_do(batch):
    layer = AudioVisualDataPreprocessor(log_mel=dict(), modality='audio')
    listed = layer(only(batch, 'audio') | dict(data_samples=None))
    stacked = layer(dict(inputs=torch.stack(batch['inputs']['audio'])))
    assert torch.equal(listed['inputs'], stacked['inputs']) and stacked['data_samples'] is None
    assert stacked['inputs'].shape == (2, 8, 80, 173)


def test_normalization_of_many_channels(batch):
    plain = AudioVisualDataPreprocessor(log_mel=dict(), modality='audio')(
        only(batch, 'audio') | dict(data_samples=None)
    )
    mean, std = np.linspace(0.1, 0.8, 8), np.linspace(0.5, 2, 8)
    layer = AudioVisualDataPreprocessor(
        log_mel=dict(), modality='audio', audio_mean=mean.tolist(), audio_std=std.tolist()
    )
    out = layer(only(batch, 'audio') | dict(data_samples=None))['inputs']
    expected = (plain['inputs'].numpy() - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(out.numpy(), expected, atol=1e-5)


def test_masks_in_training_alone(batch):
    options = dict(log_mel=dict(), modality='audio')
    layer = AudioVisualDataPreprocessor(**options, spec_augment=dict(num_time_masks=1, time_mask_width=50))
    plain = AudioVisualDataPreprocessor(**options)
    sound = only(batch, 'audio') | dict(data_samples=None)
    assert torch.equal(layer(sound)['inputs'], plain(sound, training=True)['inputs'])
    torch.manual_seed(0)
    masked = layer(sound, training=True)['inputs']
    assert not torch.equal(masked, plain(sound)['inputs'])
    assert 0 <= masked.min() and masked.max() <= 1


def test_phase_channels(batch):
    layer = AudioVisualDataPreprocessor(
        log_mel=dict(), modality='audio', phase_channels=True, audio_size=SIZE
    )
    plain = AudioVisualDataPreprocessor(log_mel=dict(), modality='audio', audio_size=SIZE)
    sound = only(batch, 'audio')
    out = layer(sound)['inputs']
    assert out.shape == (2, 22, *SIZE)
    torch.testing.assert_close(out[:, :8], plain(sound)['inputs'])
    assert out[:, 8:].mean() == pytest.approx(0.5, abs=0.05)  # unrelated noises: no phase prevails


def test_spectrograms_give_what_waveforms_give(batch):
    layer = AudioVisualDataPreprocessor(log_mel=dict(), modality='audio', audio_size=SIZE)
    decibel = layer.log_mel(torch.stack(batch['inputs']['audio']).float() / 32768)
    spectrograms = dict(inputs=dict(spectrogram=list(decibel)), data_samples=data_samples())
    assert torch.equal(layer(spectrograms)['inputs'], layer(only(batch, 'audio'))['inputs'])
    without = AudioVisualDataPreprocessor(modality='audio', audio_size=SIZE)
    assert torch.equal(without(spectrograms)['inputs'], layer(spectrograms)['inputs'])
    good = dict(spectrograms, data_samples=data_samples(log_mel=layer.log_mel.settings()))
    layer(good)
    other = dict(layer.log_mel.settings(), reference='clip')
    with pytest.raises(ValueError, match='were prepared with'):
        layer(dict(spectrograms, data_samples=data_samples(log_mel=other)))
    with pytest.raises(ValueError, match='40 mel bands'):
        layer(dict(inputs=dict(spectrogram=[decibel[0, :, :40]])))
    phase = AudioVisualDataPreprocessor(log_mel=dict(), phase_channels=True)
    with pytest.raises(ValueError, match='need waveforms'):
        phase(spectrograms)


def test_float_waveforms_equal_integers(batch):
    layer = AudioVisualDataPreprocessor(log_mel=dict(), modality='audio')
    floats = [clip.float() / 32768 for clip in batch['inputs']['audio']]
    assert torch.equal(
        layer(dict(inputs=dict(audio=floats)))['inputs'],
        layer(dict(inputs=only(batch, 'audio')['inputs']))['inputs'],
    )


def test_letterboxed_boxes_fit(batch):
    layer = AudioVisualDataPreprocessor(log_mel=dict(), modality='audio', audio_size=(96, 96))
    layer(only(batch, 'audio') | dict(data_samples=data_samples(shape=(41, 96))))
    with pytest.raises(ValueError, match='the boxes live in'):
        layer(only(batch, 'audio') | dict(data_samples=data_samples(shape=(41, 80))))


def test_stock_detector_takes_sound(batch, build_detector, toy_config):
    """A stock mmdet data sample and tensor come out: FasterRCNN needs nothing else."""
    layer = MODELS.build(
        dict(type='mmdet.AudioVisualDataPreprocessor', log_mel=dict(), modality='audio', audio_size=SIZE)
    )
    out = layer(only(batch, 'audio'), training=True)
    assert isinstance(out['inputs'], torch.Tensor) and out['inputs'].dtype == torch.float32
    assert isinstance(out['data_samples'][0].gt_instances.bboxes, torch.Tensor)


def test_nan_names_the_sample(batch):
    layer = AudioVisualDataPreprocessor(log_mel=dict(), modality='audio')
    clips = [clip.float() for clip in batch['inputs']['audio']]
    clips[1][3, 100] = float('nan')
    with pytest.raises(ValueError, match=r'audio: NaN or infinite values in sample 1 of the batch'):
        layer(dict(inputs=dict(audio=clips)))


@pytest.mark.parametrize(
    ('options', 'inputs', 'error', 'reason'),
    [
        (dict(modality='audio', log_mel={}), ['rgb'], KeyError, "holds no 'audio'"),
        (dict(log_mel={}), ['audio', 'rgb'], KeyError, 'modalities=dict'),
        (dict(), ['audio'], ValueError, 'give log_mel'),
        (dict(log_mel={}, modalities=dict(rgb=RGB)), ['audio', 'rgb'], ValueError, 'differ in size'),
        (dict(modalities=dict(thermal=RGB)), ['thermal'], ValueError, 'needs 3 channels'),
        (dict(modalities=dict(rgb=dict(mean=[1, 2]))), ['rgb'], ValueError, 'its mean 2 values'),
        (dict(modality='audio', log_mel={}, audio_size=(80, 80)), ['audio'], ValueError, 'make audio_size'),
    ],
)
def test_bad_batches_are_explained(batch, options, inputs, error, reason):
    with pytest.raises(error, match=reason):
        AudioVisualDataPreprocessor(**options)(only(batch, *inputs))


def test_mixed_shapes_are_explained(batch):
    batch['inputs']['audio'][1] = batch['inputs']['audio'][1][:, :-1]
    with pytest.raises(ValueError, match='audio: the samples of a batch differ in shape'):
        AudioVisualDataPreprocessor(log_mel=dict(), modality='audio')(only(batch, 'audio'))


def test_a_list_needs_a_modality(batch):
    with pytest.raises(TypeError, match='dict by modality'):
        AudioVisualDataPreprocessor(log_mel=dict())(dict(inputs=batch['inputs']['audio']))


@pytest.mark.parametrize(
    'options',
    [
        dict(db_range=(0, -80)),
        dict(audio_std=0),
        dict(phase_channels=True),
        dict(modalities=dict(audio=RGB)),
        dict(modalities=dict(rgb=dict(means=[1]))),
        dict(spec_augment=dict(prob=3)),
    ],
)
def test_bad_arguments(options):
    with pytest.raises(ValueError):
        AudioVisualDataPreprocessor(**options)


@pytest.mark.parametrize('size', [(96, 96), (50, 200), (80, 173)])
def test_resizing_on_the_cpu_equals_interpolate(size):
    spectrogram = torch.rand(2, 8, 80, 173, generator=torch.Generator().manual_seed(0)) * 80 - 80
    preprocessor = AudioVisualDataPreprocessor(audio_size=size, modality='audio')
    resized = preprocessor(dict(inputs=dict(spectrogram=spectrogram)))['inputs']
    expected = torch.nn.functional.interpolate(
        (spectrogram + 80) / 80, size=size, mode='bicubic', align_corners=False
    )
    torch.testing.assert_close(resized, expected, atol=2e-6, rtol=0)
