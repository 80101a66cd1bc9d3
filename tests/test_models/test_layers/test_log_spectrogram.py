"""Log spectrograms against scipy's."""

import numpy as np
import pytest
import torch
from scipy.signal import spectrogram

from mmav.models.layers import LogSpectrogram

RATE = 22050


def sounds() -> np.ndarray:
    """Noise, a loud tone on an offset, near silence and silence, 3 s each."""
    time = np.arange(3 * RATE) / RATE
    noise = np.random.RandomState(0).standard_normal(len(time))
    return np.stack([0.2 * noise, np.sin(2 * np.pi * 440 * time) + 0.3, 1e-6 * noise, 0 * time])


def by_scipy(waveform: np.ndarray, n_fft: int = 512, overlap: int = 274) -> np.ndarray:
    return np.log(spectrogram(waveform, RATE, nperseg=n_fft, noverlap=overlap)[2] + 1e-7)


def test_equals_scipy():
    waveform = sounds().astype(np.float32)
    result = LogSpectrogram()(torch.from_numpy(waveform))
    assert result.shape == (4, 257, 276) and result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), by_scipy(waveform.astype(np.float64)), rtol=0, atol=1e-5)
    exact = LogSpectrogram()(torch.from_numpy(sounds()))
    np.testing.assert_allclose(exact.numpy(), by_scipy(sounds()), rtol=0, atol=1e-7)


@pytest.mark.parametrize(('n_fft', 'hop_length'), [(64, 64), (63, 20), (2, 1)])
def test_equals_scipy_at_other_sizes(n_fft, hop_length):
    waveform = sounds()[:, :700]
    layer = LogSpectrogram(RATE, n_fft, hop_length)
    result = layer(torch.from_numpy(waveform)).numpy()
    np.testing.assert_allclose(result, by_scipy(waveform, n_fft, n_fft - hop_length), rtol=0, atol=1e-6)
    assert result.shape[-1] == layer.num_frames(700)


def test_clips_do_not_see_each_other_and_any_leading_shape_is_kept():
    waveform = torch.from_numpy(sounds()[:, :2000])
    layer = LogSpectrogram()
    together = layer(waveform.view(2, 1, 2, 2000))
    assert together.shape == (2, 1, 2, 257, 7)
    for row, alone in zip(together.view(4, 257, 7), waveform):
        torch.testing.assert_close(row, layer(alone))


def test_precision_is_not_the_models():
    waveform = torch.from_numpy(sounds()[:, :2000]).float()
    expected = LogSpectrogram()(waveform)
    layer = torch.nn.Sequential(LogSpectrogram()).half()
    torch.testing.assert_close(layer(waveform), expected, rtol=0, atol=0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        torch.testing.assert_close(layer(waveform), expected, rtol=0, atol=0)
    assert not layer.state_dict()
    single = LogSpectrogram(double_precision=False)(waveform)
    torch.testing.assert_close(single, expected, rtol=0, atol=1e-3)


def test_gradients():
    waveform = torch.from_numpy(sounds()[:1, :40]).requires_grad_()
    assert torch.autograd.gradcheck(LogSpectrogram(RATE, 16, 8, floor=1e-3), waveform)


def test_bad_input_is_named():
    layer = LogSpectrogram()
    with pytest.raises(ValueError, match=r'at least 512 samples, got \(2, 511\)'):
        layer(torch.zeros(2, 511))
    with pytest.raises(TypeError, match='divide int16 by 32768'):
        layer(torch.zeros(600, dtype=torch.int16))
    for wrong in (dict(hop_length=0), dict(floor=0.0), dict(n_fft=1)):
        with pytest.raises(ValueError, match='LogSpectrogram'):
            LogSpectrogram(**wrong)
