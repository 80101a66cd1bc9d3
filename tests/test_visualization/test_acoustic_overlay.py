"""Acoustic images over camera images, of waveforms and of what a prepared store holds."""

import numpy as np
import pytest
import torch
from rigs import make_rig

from mmav.models.layers import AcousticImage
from mmav.visualization import blend_heatmap, draw_acoustic_image, draw_stored_acoustic_image

OPTIONS = dict(rig=make_rig(), grid=(4, 8), band_edges=(300, 900, 2000))
IMAGE = np.random.default_rng(0).integers(0, 256, (80, 160, 3), dtype=np.uint8)
WAVEFORM = 0.1 * torch.randn(8, 44100, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('window', [None, (0.3, 0.1)])
@pytest.mark.parametrize('channels', [('contrast',), ('level', 'broadband')])
def test_broadband_of_the_window_whatever_the_layer_gives(window, channels):
    layer = AcousticImage(**OPTIONS, channels=channels, windows=((0.5, 0.2),))
    image = draw_acoustic_image(IMAGE, WAVEFORM, layer, window)
    alone = AcousticImage(**OPTIONS, channels=('broadband',), windows=(window,))
    np.testing.assert_array_equal(image, blend_heatmap(IMAGE, alone(WAVEFORM[None])[0, 0].numpy()))
    assert layer.channels == channels and layer(WAVEFORM[None]).shape[1] == layer.num_channels


def test_learnt_corrections_are_drawn():
    layer = AcousticImage(**OPTIONS, learnable=True)
    before = draw_acoustic_image(IMAGE, WAVEFORM, layer)
    with torch.no_grad():
        layer.microphone_delays[0] = 1e-3
    assert (draw_acoustic_image(IMAGE, WAVEFORM, layer) != before).any()


def test_silence_is_blue_everywhere():
    image = draw_acoustic_image(IMAGE * 0, WAVEFORM * 0, AcousticImage(**OPTIONS))
    assert (image.argmax(axis=2) == 2).all()


@pytest.mark.parametrize('channels', [('contrast', 'level', 'broadband'), ('broadband', 'contrast')])
def test_stored_image_is_drawn_as_that_of_the_waveform(channels):
    layer = AcousticImage(**OPTIONS, channels=channels)  # its last window is the whole clip
    values = layer(WAVEFORM[None])[0].numpy().astype(np.float16)
    stored = draw_stored_acoustic_image(IMAGE, values, layer.settings())
    assert np.abs(stored.astype(int) - draw_acoustic_image(IMAGE, WAVEFORM, layer)).max() <= 2


def test_stored_contrast_is_drawn_without_broadband():
    layer = AcousticImage(**OPTIONS, channels=('level', 'contrast'))
    values = layer(WAVEFORM[None])[0].numpy()
    expected = blend_heatmap(IMAGE, values[6:8].mean(0))  # two levels, three windows of two bands
    np.testing.assert_array_equal(draw_stored_acoustic_image(IMAGE, values, layer.settings()), expected)
    level = AcousticImage(**OPTIONS, channels=('level',)).settings()
    with pytest.raises(ValueError, match='the same at all places'):
        draw_stored_acoustic_image(IMAGE, values[:2], level)
