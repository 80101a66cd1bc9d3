"""Exportable front ends against the layers that they take the values of, in torch and by onnxruntime."""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from rigs import make_rig
from tiny_array import record

from mmav.export import ExportableAcousticImage, ExportableLogMel, write_onnx
from mmav.models.layers import AcousticImage, LogMelSpectrogram

LENGTH = 12000
SMALL = dict(grid=(4, 9), windows=((0.1, 0.05), None), band_edges=(200, 500, 1200))
ALL = ('contrast', 'level', 'broadband', 'spectrum', 'modulation')
TONES = dict(spectrum_edges=(40, 90, 300, 2000), modulation_band=(400, 2000), modulation_edges=(10, 40, 120))


def sounds(number: int = 3, channels: int = 8) -> torch.Tensor:
    """Noise whose spectrum falls, of another level in each microphone; the second clip has a dead one."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((number, channels, LENGTH + 63))
    kernel = np.exp(-np.arange(64) / 12)
    clips = np.array([[np.convolve(row, kernel, 'valid') for row in clip] for clip in noise])
    clips *= np.geomspace(0.01, 0.05, channels)[:, None]
    clips[1:2, 1] = 0
    return torch.from_numpy(clips).float()


def write(module, waveform, path) -> onnxruntime.InferenceSession:
    """Of one clip, and without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        write_onnx(module, dict(waveform=waveform[:1]), ['image'], path)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert {node.domain for node in model.graph.node} == {''}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def check(layer, module, waveform, path, atol):
    """The same from torch and from one file for any number of clips."""
    session = write(module, waveform, path)
    for clips in (waveform, waveform[:1], waveform[1:2]):
        expected = layer(clips).detach()
        torch.testing.assert_close(module(clips), expected, atol=atol, rtol=0)
        found = session.run(None, dict(waveform=clips.numpy()))[0]
        torch.testing.assert_close(torch.from_numpy(found), expected, atol=atol, rtol=0)


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(beamformer='mvdr', channels=ALL, **TONES),
        dict(weighting='level', channels=('broadband', 'contrast')),
        dict(weighting='level', beamformer='mvdr', max_bins=4),
        dict(weighting='phat'),
        dict(weighting='phat', beamformer='mvdr', loading=0.1),
        dict(n_fft=1023, hop_length=100),
        dict(n_fft=1000, hop_length=1000, max_bins=3),
        dict(channels=('modulation', 'contrast'), **TONES),
        dict(channels=('spectrum',), **dict(TONES, spectrum_edges=(0, 2, 22050))),
    ],
    ids=str,
)
def test_acoustic_image(options, tmp_path):
    layer = AcousticImage(make_rig(), **{**SMALL, **options})
    check(layer, ExportableAcousticImage(layer, LENGTH), sounds(), tmp_path / 'image.onnx', 1e-4)


@pytest.mark.parametrize(
    'fields',
    [
        dict(ground=None),
        dict(microphone_gains=np.linspace(-3, 3, 8), microphone_delays=np.linspace(0, 1e-4, 8)),
        dict(microphone_positions=make_rig().microphone_positions[:3]),
        dict(microphone_positions=np.random.default_rng(0).uniform((-0.4, -0.4, 1), (0.4, 0.4, 2), (16, 3))),
    ],
    ids=['no ground', 'gains and delays', 'three microphones', 'sixteen microphones'],
)
@pytest.mark.parametrize('beamformer', ['bartlett', 'mvdr'])
def test_rigs(fields, beamformer, tmp_path):
    rig = make_rig(**fields)
    layer = AcousticImage(rig, **SMALL, beamformer=beamformer)
    waveform = sounds(channels=layer.num_microphones)
    check(layer, ExportableAcousticImage(layer, LENGTH), waveform, tmp_path / 'image.onnx', 1e-4)


def test_learnable_microphones_are_taken_as_they_are():
    layer = AcousticImage(make_rig(), **SMALL, learnable=True)
    before = layer(sounds())
    with torch.no_grad():
        layer.microphone_positions.add_(0.02 * torch.randn(8, 3, generator=torch.Generator().manual_seed(0)))
    found = ExportableAcousticImage(layer, LENGTH)(sounds())
    torch.testing.assert_close(found, layer(sounds()), atol=1e-4, rtol=0)
    assert (found - before).abs().max() > 0.1


@pytest.mark.parametrize('beamformer', ['bartlett', 'mvdr'])
def test_a_vehicle_and_silence(beamformer, tmp_path):
    """A source in the field of view, the same with silence in a window, and silence."""
    rig = make_rig()
    sound = torch.from_numpy(record(rig, np.array([1.0, 8.0, 0.5]), LENGTH / 44100))
    waveform = torch.stack([sound, sound, 0 * sound])
    waveform[1, :, :9000] = 0
    waveform[1, 2] = 0
    channels = ('contrast', 'level', 'spectrum', 'modulation')  # 'broadband' of silence is rounding
    layer = AcousticImage(rig, **SMALL, **TONES, channels=channels, beamformer=beamformer)
    expected = layer(waveform)
    assert expected[0, 3].max() - expected[0, 3].min() > 5  # decibel: the source shows
    assert (expected[2, :4] + 10 * np.log10(8)).abs().max() < 1e-5  # no direction
    module = ExportableAcousticImage(layer, LENGTH)
    # 1e-3 decibel is the layer's own rounding where few frames make a matrix of low rank
    check(layer, module, waveform, tmp_path / 'image.onnx', 1e-3)


@pytest.mark.parametrize(
    'options',
    [
        dict(reference='clip'),
        dict(reference='channel', top_db=30.0),
        dict(reference=0.3, top_db=None, pad_mode='reflect'),
        dict(phase_channels=True),
        dict(n_fft=1023, hop_length=100, n_mels=13),
        dict(n_fft=2048, hop_length=300, f_min=200.0, f_max=8000.0),
    ],
    ids=str,
)
def test_log_mel(options, tmp_path):
    layer = LogMelSpectrogram(**{**dict(n_mels=40), **options})
    waveform = sounds(channels=3)
    waveform[2] *= torch.linspace(0, 1, LENGTH) ** 4
    check(layer, ExportableLogMel(layer, LENGTH), waveform, tmp_path / 'log_mel.onnx', 2e-3)


def test_log_mel_beside_a_strong_tone():
    """Float32 is enough 60 dB below the maximum."""
    tone = 0.5 * torch.sin(2 * np.pi * 3000 / 44100 * torch.arange(LENGTH))
    waveform = tone + 1e-3 * sounds(1, 2)
    layer = LogMelSpectrogram(top_db=None)
    expected = layer(waveform)
    error = (ExportableLogMel(layer, LENGTH)(waveform) - expected).abs()
    assert error[expected > -60].max() < 0.01


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: ExportableAcousticImage(AcousticImage(make_rig(), **SMALL), 2047), '2047 samples are fewer'),
        (
            lambda: ExportableAcousticImage(AcousticImage(make_rig(), **SMALL, channels=ALL), 44101),
            'cannot be split: .* such as 44352',
        ),
        (lambda: ExportableLogMel(LogMelSpectrogram(pad_mode='reflect'), 512), '512 samples are too few'),
    ],
)
def test_lengths_that_will_not_do(make, message):
    with pytest.raises(ValueError, match=message):
        make()
