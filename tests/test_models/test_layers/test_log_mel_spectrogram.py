import librosa
import numpy as np
import pytest
import torch

from mmav.models.layers import LogMelSpectrogram


def signal(channels=8, samples=44100, seed=0):
    """Tones and noise that rise and fall, at unequal levels."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 44100
    tones = np.sin(2 * np.pi * np.outer(100 + 300 * np.arange(channels), time)) * 0.2
    noise = rng.standard_normal((channels, samples)) * np.hanning(samples) * 0.05
    level = np.geomspace(1, 0.01, channels)[:, None]
    return ((tones + noise) * level).astype(np.float32)


def librosa_power(waveform, sample_rate=44100, n_fft=1024, hop_length=256, n_mels=80, **kwargs):
    return librosa.feature.melspectrogram(
        y=waveform, sr=sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, **kwargs
    )


def decibel(power: np.ndarray, ref, top_db: float | None) -> np.ndarray:
    """Microphones below one another: from 1.0 on librosa refers each channel to itself."""
    return librosa.power_to_db(np.concatenate(power), ref=ref, top_db=top_db).reshape(power.shape)


@pytest.mark.parametrize('samples', [44100, 30000, 700, 1])
@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(sample_rate=16000, n_fft=512, hop_length=160, n_mels=64),
        dict(n_fft=2048, hop_length=300, n_mels=128),
        dict(n_fft=1023, hop_length=100, n_mels=13),
    ],
)
@pytest.mark.filterwarnings('ignore')
def test_equals_librosa_microphone_by_microphone(samples, options):
    waveform = signal(3, samples)
    expected = np.stack([librosa.power_to_db(librosa_power(row, **options), ref=np.max) for row in waveform])
    out = LogMelSpectrogram(**options)(torch.from_numpy(waveform)[None])[0].numpy()
    assert out.shape == expected.shape and out.dtype == np.float32
    np.testing.assert_allclose(out, expected, atol=1e-3)


@pytest.mark.parametrize('reference', ['clip', 1.0, 0.03])
@pytest.mark.parametrize('top_db', [80.0, 30.0, None])
def test_common_references_equal_librosa(reference, top_db):
    waveform = signal()
    power = librosa_power(waveform)
    ref = np.max if reference == 'clip' else reference
    expected = decibel(power, ref, top_db)
    layer = LogMelSpectrogram(reference=reference, top_db=top_db)
    out = layer(torch.from_numpy(np.stack([waveform, 0.1 * waveform[::-1]])))
    np.testing.assert_allclose(out[0].numpy(), expected, atol=1e-3)
    other = decibel(librosa_power(0.1 * waveform[::-1]), ref, top_db)
    np.testing.assert_allclose(out[1].numpy(), other, atol=1e-3)


def test_frequency_limits_equal_librosa():
    waveform = signal(1)
    expected = librosa.power_to_db(librosa_power(waveform[0], fmin=200, fmax=8000), ref=np.max)
    out = LogMelSpectrogram(f_min=200.0, f_max=8000.0)(torch.from_numpy(waveform)[None])
    np.testing.assert_allclose(out[0, 0].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize('n_fft', [1024, 1023])
def test_mirrored_edges_equal_librosa(n_fft):
    waveform = signal(2, 3000)
    kwargs = dict(n_fft=n_fft, pad_mode='reflect')
    expected = librosa.power_to_db(librosa_power(waveform[1], **kwargs), ref=np.max)
    layer = LogMelSpectrogram(**kwargs)
    rows = torch.from_numpy(waveform)[None].requires_grad_()
    for out in (layer(rows.detach()), layer(rows)):  # a CPU has a way of its own without gradients
        np.testing.assert_allclose(out[0, 1].detach().numpy(), expected, atol=1e-3)
    with pytest.raises(ValueError, match=r'511 samples are too few|512 samples are too few'):
        layer(rows.detach()[..., : n_fft // 2])


def test_silence_equals_librosa():
    expected = librosa.power_to_db(librosa_power(np.zeros(44100, np.float32)), ref=np.max)
    out = LogMelSpectrogram()(torch.zeros(1, 1, 44100))
    np.testing.assert_allclose(out[0, 0].numpy(), expected, atol=1e-3)


def test_one_second_is_80_by_173():
    layer = LogMelSpectrogram()
    assert layer(torch.zeros(2, 8, 44100)).shape == (2, 8, 80, 173)
    assert layer.num_frames(44100) == 173


def test_level_differences_survive_a_common_reference_alone():
    waveform = torch.from_numpy(signal(2))
    waveform[1] = waveform[0] / 8  # exactly, in binary
    per_channel = LogMelSpectrogram(reference='channel')(waveform[None])[0]
    common = LogMelSpectrogram(reference='clip')(waveform[None])[0]
    assert (per_channel[0] - per_channel[1]).abs().max() < 1e-3
    assert (common[0] - common[1]).median() == pytest.approx(20 * np.log10(8), abs=1e-3)


def test_single_precision_is_near():
    waveform = torch.from_numpy(signal())[None]
    single, double = LogMelSpectrogram(double_precision=False)(waveform), LogMelSpectrogram()(waveform)
    assert not torch.equal(single, double)
    torch.testing.assert_close(single, double, atol=0.02, rtol=0)


def test_gradient_path_gives_the_same_values():
    waveform = torch.from_numpy(signal(2, 4000))[None].requires_grad_()
    for phase in (False, True):
        layer = LogMelSpectrogram(phase_channels=phase)
        with_grad = layer(waveform)
        torch.testing.assert_close(with_grad.detach(), layer(waveform.detach()), atol=1e-4, rtol=0)
        with_grad.sum().backward()
        assert waveform.grad.isfinite().all() and waveform.grad.abs().sum() > 0


def test_autocast_changes_nothing():
    waveform = torch.from_numpy(signal(2, 8000))[None]
    layer = LogMelSpectrogram(phase_channels=True)
    expected = layer(waveform)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = layer(waveform)
    assert out.dtype == torch.float32 and torch.equal(out, expected)


def test_half_precision_input_is_computed_in_single():
    waveform = torch.from_numpy(signal(1, 8000))[None].half()
    assert torch.equal(LogMelSpectrogram()(waveform), LogMelSpectrogram()(waveform.float()))


@pytest.mark.parametrize('frequency', [430.0, 1500.0])
@pytest.mark.parametrize('delay', [-0.2e-3, 0.0, 0.15e-3])
def test_phase_channels_of_a_delayed_tone(frequency, delay):
    """A tone that reaches the second microphone later by tau lags there by 2 pi f tau."""
    time = np.arange(44100) / 44100
    pair = np.stack([np.sin(2 * np.pi * frequency * (time - lag)) for lag in (0.0, delay)])
    out = LogMelSpectrogram(phase_channels=True)(torch.from_numpy(pair).float()[None])[0]
    assert out.shape == (4, 80, 173)
    cosine, sine = out[2], out[3]
    band = out[0, :, 80].argmax()
    angle = -2 * np.pi * frequency * delay
    assert cosine[band, 20:-20].mean() == pytest.approx(np.cos(angle), abs=2e-2)
    assert sine[band, 20:-20].mean() == pytest.approx(np.sin(angle), abs=2e-2)


def test_phase_channels_of_noise_and_silence():
    out = LogMelSpectrogram(phase_channels=True)(torch.from_numpy(signal())[None])
    assert out.shape == (1, 22, 80, 173)
    assert out[:, 8:].abs().max() <= 1 + 1e-5
    torch.testing.assert_close(out[:, :8], LogMelSpectrogram()(torch.from_numpy(signal())[None]))
    assert not LogMelSpectrogram(phase_channels=True)(torch.zeros(1, 3, 5000))[:, 3:].any()


def test_checkpoints_hold_nothing_of_it():
    assert LogMelSpectrogram().state_dict() == {}


def test_settings_are_the_arguments():
    settings = dict(LogMelSpectrogram(n_mels=64, reference='clip').settings())
    assert settings['n_mels'] == 64 and LogMelSpectrogram(**settings).settings() == settings


@pytest.mark.parametrize('shape', [(8, 44100), (1, 8, 0), (0, 8, 100)])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match='shape'):
        LogMelSpectrogram()(torch.zeros(shape))


def test_integers_are_refused():
    with pytest.raises(TypeError, match='divide int16 by 32768'):
        LogMelSpectrogram()(torch.zeros(1, 8, 100, dtype=torch.int16))


@pytest.mark.parametrize(
    'kwargs',
    [dict(reference='mean'), dict(reference=0.0), dict(reference=-1), dict(hop_length=0), dict(amin=0)],
)
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError):
        LogMelSpectrogram(**kwargs)
