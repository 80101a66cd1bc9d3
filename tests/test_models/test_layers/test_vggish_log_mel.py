"""VGGish's front end against its published description, written out frame by frame."""

import math

import numpy as np
import pytest
import torch

from mmav.models.layers import vggish_log_mel
from mmav.models.layers.vggish_log_mel import VGGishLogMel, mel_filters


def published_log_mel(waveform: np.ndarray) -> np.ndarray:
    """(L,) at 16 kHz to (T, 64): 400 samples every 160, magnitudes of 512 points, 64 bands of 125-7500 Hz."""

    def mel(hertz: float) -> float:
        return 1127 * math.log(1 + hertz / 700)

    corners = np.linspace(mel(125), mel(7500), 66)
    rows = []
    for start in range(0, len(waveform) - 400 + 1, 160):
        phases = 2 * np.pi * np.arange(400) / 400
        frame = waveform[start : start + 400] * (0.5 - 0.5 * np.cos(phases))
        magnitudes = np.abs(np.fft.rfft(frame, 512))
        row = []
        for low, middle, high in zip(corners, corners[1:], corners[2:]):
            total = 0.0
            for number in range(1, 257):  # the constant part does not count
                at = mel(number * 16000 / 512)
                total += magnitudes[number] * max(
                    0.0, min((at - low) / (middle - low), (high - at) / (high - middle))
                )
            row.append(math.log(total + 0.01))
        rows.append(row)
    return np.array(rows)


def sounds() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    time = np.arange(2400) / 16000
    return dict(
        noise=rng.standard_normal(2400) * 0.1,
        # a loud tone leaves the bands far from it near the offset, where rounding shows most
        tone=0.99 * np.sin(2 * np.pi * 1000 * time),
        clicks=(np.arange(2400) % 700 == 0) * 1.0,
        silence=np.zeros(2400),
        constant=np.full(2400, 0.5),
    )


@pytest.mark.parametrize('name', list(sounds()))
def test_equals_the_published_front_end(name):
    waveform = sounds()[name].astype(np.float32)
    out = VGGishLogMel()(torch.from_numpy(waveform)[None])
    expected = published_log_mel(waveform.astype(np.float64))
    assert out.shape == (1, *expected.shape) == (1, 13, 64) and out.dtype == torch.float32
    np.testing.assert_allclose(out[0].numpy(), expected, atol=1e-5)


def test_clips_of_a_batch_do_not_mix():
    waves = torch.from_numpy(np.stack(list(sounds().values())).astype(np.float32))
    layer = VGGishLogMel()
    together = layer(waves)
    for row, wave in zip(together, waves):
        torch.testing.assert_close(row, layer(wave[None])[0])


def test_bands_cover_the_middle_and_nothing_else():
    filters = mel_filters()
    hertz = np.arange(257) * 16000 / 512
    covered = filters.sum(1)
    assert not covered[(hertz <= 125) | (hertz >= 7500)].any()
    # neighboring triangles add up to 1 between the first and the last top
    tops = hertz[filters.argmax(0)]
    inside = (hertz > tops[0] + 40) & (hertz < tops[-1] - 300)
    np.testing.assert_allclose(covered[inside], 1)


def test_the_same_under_autocast():
    wave = torch.from_numpy(sounds()['tone'].astype(np.float32))[None]
    layer = VGGishLogMel()
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(layer(wave), layer(wave.double()))


def test_what_it_cannot_take_is_named():
    layer = VGGishLogMel()
    with pytest.raises(TypeError, match='int16'):
        layer(torch.zeros(1, 500, dtype=torch.int16))
    for shape in ((500,), (1, 399), (1, 2, 500)):
        with pytest.raises(ValueError, match='expected a waveform'):
            layer(torch.zeros(shape))


@pytest.mark.parametrize('step', [1, 5, 10**6])
def test_frames_taken_together_do_not_matter(step, monkeypatch):
    waves = torch.from_numpy(np.stack([sounds()['noise'], sounds()['tone']]).astype(np.float32))
    layer = VGGishLogMel()
    expected = layer(waves)
    monkeypatch.setitem(vggish_log_mel._FRAMES_PER_STEP, 'cpu', step)
    torch.testing.assert_close(layer(waves), expected)
