"""Oracles: scipy's Welch estimate, white noise, sines of known depth."""

import numpy as np
import pytest
import torch
from rigs import make_rig
from scipy.signal import welch

from mmav.models.layers import AcousticImage
from mmav.models.layers.sound_spectra import band_spectrum, check_bands, modulation_spectrum

RATE = 8000
ALL = torch.ones(1, 2, dtype=torch.bool)


def noise(number: int = RATE, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 2, number)))


def test_band_spectrum_is_welchs_of_one_segment():
    waveform, edges = noise(), (50, 120, 400, 1000)
    found = band_spectrum(waveform, RATE, edges, ALL)[0]
    # scaled to 1 for white noise of power 1, whose density is 2 / RATE
    frequencies, density = welch(waveform[0].numpy(), RATE, nperseg=RATE, detrend=False)
    density = density.mean(0) * RATE / 2
    for level, low, high in zip(found.tolist(), edges[:-1], edges[1:]):
        inside = (frequencies >= low) & (frequencies < high)
        assert level == pytest.approx(10 * np.log10(density[inside].mean()), abs=0.05)


def test_microphones_that_do_not_count_change_nothing():
    waveform = torch.cat([noise(seed=1), 100 * noise(seed=2)], dim=1)[:, :3]
    live = torch.tensor([[True, True, False]])
    for spectrum, arguments in (
        (band_spectrum, ((100, 900),)),
        (modulation_spectrum, ((500, 2500), (10, 90))),
    ):
        found = spectrum(waveform, RATE, *arguments, live)
        torch.testing.assert_close(found, spectrum(waveform[:, :2], RATE, *arguments, ALL))


def test_modulated_noise_shows_its_rate_and_depth():
    time = torch.arange(RATE) / RATE
    carrier, edges = noise(), tuple(range(10, 90, 16))
    for rate in (20.0, 70.0):
        waveform = carrier * (1 + 0.7 * torch.sin(2 * torch.pi * rate * time))
        found = modulation_spectrum(waveform, RATE, (500, 3500), edges, ALL)[0]
        band = next(k for k in range(len(edges) - 1) if edges[k] <= rate < edges[k + 1])
        # (1 + m sin)^2 has a line of m at its rate over a mean of 1 + m^2 / 2
        assert found[band].item() == pytest.approx(10 * np.log10(0.7 / (1 + 0.7**2 / 2)), abs=0.5)
        others = [k for k in range(len(edges) - 1) if not edges[k] <= 2 * rate < edges[k + 1] and k != band]
        assert (found[others] < found[band] - 5).all()


def test_silence_is_finite():
    silence = torch.zeros(1, 2, RATE, requires_grad=True)
    levels = band_spectrum(silence, RATE, (50, 100, 200), ALL)
    lines = modulation_spectrum(silence, RATE, (500, 2500), (10, 50), ALL)
    assert (levels == -120).all() and (lines == -60).all()
    (levels.sum() + lines.sum()).backward()
    assert silence.grad.isfinite().all()


def test_bands_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match='reaches to 5000 Hz, above half of the sample rate'):
        check_bands('edges', (100, 5000), RATE)
    with pytest.raises(ValueError, match='edges must be at least two increasing'):
        check_bands('edges', (100,), RATE)


def test_they_are_channels_of_the_acoustic_image():
    options = dict(grid=(2, 3), channels=('spectrum', 'broadband', 'modulation'))
    layer = AcousticImage(make_rig(), **options)
    waveform = 0.1 * torch.randn(2, 8, 44100, generator=torch.Generator().manual_seed(0))
    out, live = layer(waveform), torch.ones(2, 8, dtype=torch.bool)
    assert out.shape == (2, layer.num_channels, 2, 3) and layer.num_channels == 24 + 3 + 12
    expected = band_spectrum(waveform, 44100, layer.spectrum_edges, live)
    torch.testing.assert_close(out[:, :24], expected[..., None, None].expand(-1, -1, 2, 3))
    bands = layer.modulation_band, layer.modulation_edges
    expected = modulation_spectrum(waveform, 44100, *bands, live)
    torch.testing.assert_close(out[:, 27:], expected[..., None, None].expand(-1, -1, 2, 3))
    with pytest.raises(ValueError, match='spectrum_edges reaches to 8000 Hz'):
        AcousticImage(make_rig(), 12000, band_edges=(200, 800), **options)
