"""Transforms by products of matrices against numpy.fft in float64."""

import numpy as np
import pytest
import torch

from mmav.export.real_fourier import BandLimited, Frames, FrameTransform, LongTransform


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape)).float()


@pytest.mark.parametrize('number', [1, 2, 12, 31, 64, 105, 1023])
def test_frame_transform(number):
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(number) + 0.5) / number)
    signals = noise(2, number, 3)
    expected = np.fft.rfft(signals.double().numpy() * window[:, None], axis=1)
    for bins in (np.arange(number // 2 + 1), np.arange(0, number // 2 + 1, 3)[::-1]):
        transform = FrameTransform(bins, window)
        found = transform(signals)
        for part, values in enumerate((expected.real, expected.imag)):
            rows = found[:, :, part].flatten(1, 2)[:, transform.rows]
            np.testing.assert_allclose(rows, values[:, bins], atol=1e-4)
            rows = found.flatten(1, 3)[:, transform.real_and_imaginary()[:, part]]
            np.testing.assert_allclose(rows, values[:, bins], atol=1e-4)


@pytest.mark.parametrize('number', [1, 8, 35, 360, 22050])
def test_long_transform(number):
    signals = noise(2, 3, number)
    bins = np.unique(np.linspace(-3, number // 2 + 4, 50).round().astype(int))
    real, imaginary = LongTransform(number, bins)(signals)
    expected = np.fft.fft(signals.double().numpy())[..., bins % number]
    np.testing.assert_allclose(real, expected.real, atol=2e-6 * number + 1e-5)
    np.testing.assert_allclose(imaginary, expected.imag, atol=2e-6 * number + 1e-5)


def test_fewer_samples_of_a_band():
    signals, bins = noise(2, 3, 600), (20, 60)
    transform = LongTransform(150, np.arange(76))
    first = transform.sizes[0]
    start, stop = bins[0] // first * first, -(-bins[1] // first) * first
    weights = np.where((np.arange(start, stop) >= bins[0]) & (np.arange(start, stop) < bins[1]), 2 / 600, 0)
    samples = BandLimited(transform.sizes, (start, stop), weights)(
        *LongTransform(600, np.arange(start, stop))(signals)
    )
    spectrum = np.fft.rfft(signals.double().numpy())
    spectrum[..., : bins[0]] = spectrum[..., bins[1] :] = 0
    expected = np.fft.irfft(spectrum, n=600)[..., ::4]
    np.testing.assert_allclose(samples.permute(0, 2, 3, 1).flatten(2), expected, atol=1e-5)
    real, imaginary = transform.of_matrix(samples)
    np.testing.assert_allclose(real, np.fft.rfft(expected).real, atol=1e-4)
    np.testing.assert_allclose(imaginary, np.fft.rfft(expected).imag, atol=1e-4)


@pytest.mark.parametrize('n_fft, hop_length', [(8, 2), (8, 8), (8, 20), (9, 4), (200, 3)])
def test_frames_are_those_of_unfold(n_fft, hop_length):
    waveform = noise(2, 3, 467)
    frames = Frames(467, n_fft, hop_length)(waveform)
    assert torch.equal(frames.permute(0, 2, 3, 1), waveform.unfold(-1, n_fft, hop_length))
