"""Benchmark of the log spectrograms of sound localization against scipy, clip by clip."""

import numpy as np
import torch
from scipy import signal

from mmav.models.layers import LogSpectrogram

from .pairs import Comparison, pinned_threads, time_pairs

RATE = 22050


def scipy_log_spectrograms(waveforms: np.ndarray) -> np.ndarray:
    """As the published loaders do it, a clip at a time.

    Args:
        waveforms: (clips, samples).

    Returns:
        (clips, 257, frames).
    """
    return np.stack(
        [np.log(signal.spectrogram(wave, RATE, nperseg=512, noverlap=274)[2] + 1e-7) for wave in waveforms]
    )


def log_spectrogram(
    clips: int = 32,
    seconds: float = 3.0,
    repeats: int = 15,
    threads: int = 1,
    device: str = 'cpu',
) -> list[Comparison]:
    """``LogSpectrogram`` on a batch against scipy, clip by clip, on the CPU.

    Args:
        clips: In a batch.
        seconds: Length of each.
        repeats: Pairs.
        threads: Of torch and numpy.
        device: Where ours computes; from there the result is not fetched.

    Returns:
        In double precision, the default, and in single.
    """
    generator = np.random.default_rng(0)
    waveforms = (generator.standard_normal((clips, round(RATE * seconds))) * 0.1).astype(np.float32)
    batch = torch.from_numpy(waveforms).to(device)
    results = []
    for double_precision in (True, False):
        layer = LogSpectrogram(RATE, double_precision=double_precision).to(device).eval()

        def ours(layer: LogSpectrogram = layer) -> torch.Tensor:
            spectrograms = layer(batch)
            if spectrograms.is_cuda:
                torch.cuda.synchronize(spectrograms.device)
            return spectrograms

        with pinned_threads(threads), torch.inference_mode():
            difference = np.abs(ours().cpu().numpy() - scipy_log_spectrograms(waveforms)).max()
            assert difference < 1e-4, f'the spectrograms differ by {difference}'
            mine, theirs = time_pairs(ours, lambda: scipy_log_spectrograms(waveforms), repeats)
        results.append(
            Comparison(
                'log-spectrogram',
                f'{clips} clips',
                'LogSpectrogram' if double_precision else 'LogSpectrogram(double_precision=False)',
                'scipy.signal.spectrogram and logarithm, clip by clip',
                'gain',
                ours_values=mine,
                reference_values=theirs,
                settings=dict(clips=clips, seconds=seconds, threads=threads, device=device),
                checked=f'largest difference {difference:.1e}',
            )
        )
    return results
