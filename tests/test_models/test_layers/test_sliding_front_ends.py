"""Front ends of overlapping windows against the same layers on each window by itself."""

import pytest
import torch

from mmav.models.layers import AcousticImage, LogMelSpectrogram
from mmav.models.layers.sliding_front_ends import SlidingAcousticImage, SlidingLogMel
from mmav.structures import Rig

LENGTH, STARTS = 22050, (0, 512, 1024, 1024, 5120, 5123, 5635, 40000, 39488)


@pytest.fixture
def stream():
    return torch.rand(4, 80000, generator=torch.Generator().manual_seed(0)) - 0.5


def make_rig():
    places = [[-0.1, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]
    pose = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]
    return Rig(places, [[50, 0, 50], [0, 50, 20], [0, 0, 1]], pose, (100, 40))


@pytest.mark.parametrize(
    'options', [dict(), dict(beamformer='mvdr', channels=('contrast', 'level', 'spectrum'))]
)
def test_acoustic_images(stream, options):
    windows = ((0.25, 0.1), None)
    layer = AcousticImage(make_rig(), grid=(2, 5), windows=windows, **options)
    sliding = SlidingAcousticImage(layer)
    for start in STARTS:
        window = stream[:, start : start + LENGTH]
        torch.testing.assert_close(sliding(window, start), layer(window[None])[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize('pad_mode', ['constant', 'reflect'])
@pytest.mark.parametrize('reference', ['channel', 'clip', 1.0])
@pytest.mark.parametrize('sizes', [dict(n_fft=1024, hop_length=256), dict(n_fft=1200, hop_length=512)])
def test_log_mel(stream, pad_mode, reference, sizes):
    layer = LogMelSpectrogram(n_mels=20, reference=reference, pad_mode=pad_mode, **sizes)
    sliding = SlidingLogMel(layer)
    for start in STARTS:
        window = stream[:, start : start + LENGTH]
        torch.testing.assert_close(sliding(window, start), layer(window[None])[0], rtol=0, atol=1e-5)


def test_only_what_is_new_is_transformed(stream, monkeypatch):
    layer = AcousticImage(make_rig(), grid=(2, 5), windows=(None,))
    lengths = []
    spectrum = layer.spectrum
    monkeypatch.setattr(layer, 'spectrum', lambda clip: lengths.append(clip.shape[1]) or spectrum(clip))
    sliding = SlidingAcousticImage(layer)
    for start in (0, 2048, 4096):
        sliding(stream[:, start : start + LENGTH], start)
    # 22,050 samples are 40 frames, of which 4 are new: 3 hops and a frame's length
    frames = [1 + (length - 2048) // 512 for length in lengths]
    assert frames == [40, 4, 4]
    sliding.reset()
    sliding(stream[:, :LENGTH], 0)
    assert lengths[-1] == LENGTH


def test_windows_too_short_for_frames_inside(stream):
    layer = LogMelSpectrogram(n_mels=20, n_fft=1024, hop_length=256)
    window = stream[:, :900]
    torch.testing.assert_close(SlidingLogMel(layer)(window, 0), layer(window[None])[0])


def test_phase_channels_are_refused():
    with pytest.raises(ValueError, match='phase_channels'):
        SlidingLogMel(LogMelSpectrogram(phase_channels=True))
