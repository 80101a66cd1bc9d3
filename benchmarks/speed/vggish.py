"""Benchmark of VGGish's log-mel front end against the way it is published, in numpy, clip by clip."""

import numpy as np
import torch

from mmav.models.layers.vggish_log_mel import (
    HOP,
    N_FFT,
    OFFSET,
    SAMPLE_RATE,
    WINDOW,
    VGGishLogMel,
    mel_filters,
)

from .pairs import Comparison, pinned_threads, time_pairs


def numpy_log_mel(waveform: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Log-mel spectrogram of one clip, all in float64 numpy.

    Args:
        waveform: (samples,), at 16 kHz.
        filters: Mel filters (257, 64), kept between clips.

    Returns:
        (frames, 64).
    """
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), WINDOW)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return np.log(np.abs(np.fft.rfft(frames * window, N_FFT)) @ filters + OFFSET)


def vggish_log_mel(
    clips: int = 8,
    seconds: float = 10.0,
    repeats: int = 20,
    device: str = 'cpu',
    threads: int = 1,
) -> list[Comparison]:
    """:class:`VGGishLogMel` on a batch against numpy, clip by clip.

    Args:
        clips: In a batch.
        seconds: Length of each.
        repeats: Pairs.
        device: Where ours computes.
        threads: Of both.

    Returns:
        One.
    """
    generator = np.random.default_rng(0)
    waveforms = (generator.standard_normal((clips, round(SAMPLE_RATE * seconds))) * 0.1).astype(np.float32)
    batch = torch.from_numpy(waveforms).to(device)
    layer, filters = VGGishLogMel().to(device), mel_filters()

    def ours() -> torch.Tensor:
        return layer(batch)

    def reference() -> np.ndarray:
        return np.stack([numpy_log_mel(clip, filters) for clip in waveforms])

    with pinned_threads(threads), torch.inference_mode():
        difference = np.abs(ours().cpu().numpy() - reference()).max()
        assert difference < 1e-4, f'the spectrograms differ by {difference}'
        mine, theirs = time_pairs(ours, reference, repeats)
    return [
        Comparison(
            'vggish-log-mel',
            f'on {device}',
            'VGGishLogMel',
            'numpy, clip by clip, filters kept',
            'gain',
            ours_values=mine,
            reference_values=theirs,
            settings=dict(clips=clips, seconds=seconds, threads=threads),
            checked=f'largest difference {difference:.1e}',
            notes=[f'{clips * seconds / min(mine):.0f} seconds of sound a second'],
        )
    ]
