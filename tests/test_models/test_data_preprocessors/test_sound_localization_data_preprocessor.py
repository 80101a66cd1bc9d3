"""Batches of images and sounds for localizers, against plain numpy and scipy."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from scipy.signal import spectrogram

from mmav.models.data_preprocessors import SoundLocalizationDataPreprocessor


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, 6, 8), generator=generator, dtype=torch.uint8) for _ in range(2)]
    sounds = [torch.randn(900, generator=generator) / 10 for _ in range(2)]
    samples = [DetDataSample(metainfo=dict(img_shape=(6, 8))) for _ in range(2)]
    return dict(inputs=dict(image=images, audio=sounds), data_samples=samples)


def build(**options):
    init_default_scope('mmdet')
    return MODELS.build(dict(type='SoundLocalizationDataPreprocessor', **options))


def test_equals_numpy_and_scipy(batch):
    result = build()(batch)
    inputs = result['inputs']
    for number in (0, 1):
        bgr = batch['inputs']['image'][number].numpy().astype(float)
        rgb = (bgr[::-1] / 255 - np.reshape([0.485, 0.456, 0.406], (3, 1, 1))) / np.reshape(
            [0.229, 0.224, 0.225], (3, 1, 1)
        )
        np.testing.assert_allclose(inputs['image'][number].numpy(), rgb, atol=1e-5)
        sound = batch['inputs']['audio'][number].double().numpy()
        density = spectrogram(sound, 22050, nperseg=512, noverlap=274)[2]
        expected = np.log(density + 1e-7) / 12
        np.testing.assert_allclose(inputs['spectrogram'][number, 0].numpy(), expected, atol=1e-5)
    assert inputs['spectrogram'].shape == (2, 1, 257, 2) and inputs['image'].shape == (2, 3, 6, 8)
    for sample in result['data_samples']:
        assert sample.batch_input_shape == sample.pad_shape == (6, 8)


def test_spectrograms_may_be_given_and_int16_is_scaled(batch):
    from_floats = build()(batch)['inputs']['spectrogram']
    preprocessor = build()
    given = [preprocessor.log_spectrogram(sound)[None] for sound in batch['inputs']['audio']]
    inputs = dict(image=batch['inputs']['image'], spectrogram=given)
    torch.testing.assert_close(
        build(log_spectrogram=None)(dict(inputs=inputs))['inputs']['spectrogram'], from_floats
    )
    integers = [(sound * 32768).round().to(torch.int16) for sound in batch['inputs']['audio']]
    inputs = dict(image=batch['inputs']['image'], audio=integers)
    torch.testing.assert_close(
        build()(dict(inputs=inputs))['inputs']['spectrogram'], from_floats, rtol=0, atol=0.01
    )


def test_teachers_inputs_pass_as_they_are(batch):
    batch['inputs'].update(
        teacher_audio=[torch.ones(4).half()] * 2,
        teacher_visual=[torch.ones(4, 2, 2)] * 2,
        teacher_waveform=[torch.ones(7)] * 2,
    )
    inputs = build()(batch)['inputs']
    shapes = {name: tuple(inputs[name].shape) for name in inputs if name.startswith('teacher')}
    assert shapes == dict(teacher_audio=(2, 4), teacher_visual=(2, 4, 2, 2), teacher_waveform=(2, 7))
    assert all(inputs[name].dtype == torch.float32 and (inputs[name] == 1).all() for name in shapes)


def test_options(batch):
    plain = build(mean=0.0, std=1.0, bgr_to_rgb=False, spectrogram_scale=1.0)(batch)['inputs']
    torch.testing.assert_close(plain['image'], torch.stack(batch['inputs']['image']).float())
    torch.testing.assert_close(plain['spectrogram'], 12 * build()(batch)['inputs']['spectrogram'])
    small = build(log_spectrogram=dict(type='LogSpectrogram', n_fft=64, hop_length=64))
    assert small(batch)['inputs']['spectrogram'].shape == (2, 1, 33, 14)
    assert not SoundLocalizationDataPreprocessor().state_dict()


def test_bad_batches_are_named(batch):
    preprocessor, inputs = build(), batch['inputs']
    with pytest.raises(KeyError, match="either 'audio' or 'spectrogram', it holds"):
        preprocessor(dict(inputs=dict(image=inputs['image'])))
    with pytest.raises(ValueError, match='image: the samples of a batch differ in shape'):
        preprocessor(dict(inputs=dict(inputs, image=[inputs['image'][0], torch.zeros(3, 6, 7)])))
    broken = [inputs['audio'][0], inputs['audio'][1].clone()]
    broken[1][5] = torch.nan
    with pytest.raises(ValueError, match=r'audio: NaN or infinite values in sample 1 of the batch'):
        preprocessor(dict(inputs=dict(inputs, audio=broken)))
    with pytest.raises(ValueError, match=r'expected mono waveforms \(L,\), got \(2, 900\)'):
        preprocessor(dict(inputs=dict(inputs, audio=[torch.zeros(2, 900)] * 2)))
    with pytest.raises(ValueError, match=r'expected images \(3, H, W\), got \(1, 6, 8\)'):
        preprocessor(dict(inputs=dict(inputs, image=[image[:1] for image in inputs['image']])))
    with pytest.raises(ValueError, match='give log_spectrogram'):
        build(log_spectrogram=None)(batch)
    for options, text in (
        (dict(std=0.0), 'std'),
        (dict(mean=[1.0, 2.0]), 'mean'),
        (dict(spectrogram_scale=0), '0'),
    ):
        with pytest.raises(ValueError, match=text):
            build(**options)


def test_a_modality_alone_is_what_it_is_beside_the_other(batch):
    both = build()(batch)['inputs']
    for modality, source in (('image', 'image'), ('spectrogram', 'audio')):
        preprocessor = build(modality=modality)
        parts = batch['inputs'][source]
        for inputs in (batch['inputs'], {source: parts}, parts, torch.stack(parts)):
            torch.testing.assert_close(
                preprocessor(dict(inputs=inputs))['inputs'], both[modality], rtol=0, atol=0
            )
        samples = preprocessor(dict(batch, inputs=parts))['data_samples']
        shape = dict(image=(6, 8), spectrogram=(257, 2))[modality]
        assert [sample.batch_input_shape for sample in samples] == [shape] * 2
    with pytest.raises(KeyError, match=r"it holds \['audio'\]"):
        build(modality='image')(dict(inputs=dict(audio=batch['inputs']['audio'])))
    with pytest.raises(ValueError, match='modality must be'):
        build(modality='audio')
