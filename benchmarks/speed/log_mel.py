"""Benchmark of the log-mel spectrogram of eight microphones against librosa, microphone by microphone."""

import os

import librosa
import numpy as np
import torch

from mmav.models.layers import LogMelSpectrogram

from .pairs import Comparison, pinned_threads, time_pairs
from .variants import FP32, Variant

SETTINGS = dict(n_fft=1024, hop_length=256, n_mels=80)


def librosa_log_mel(
    waveform: np.ndarray, sample_rate: int = 44100, filters: np.ndarray | None = None
) -> np.ndarray:
    """Spectrograms as MM-DistillNet's data were made: each microphone for itself, by librosa.

    Args:
        waveform: (microphones, samples), float32 in -1..1.
        sample_rate: In hertz.
        filters: librosa's mel filters, kept; None: ``melspectrogram`` makes them anew, as it always does.

    Returns:
        (microphones, mel bands, frames) decibel, relative to each microphone's maximum.
    """
    result = []
    for channel in waveform:
        if filters is None:
            power = librosa.feature.melspectrogram(y=channel, sr=sample_rate, **SETTINGS)
        else:
            spectrum = librosa.stft(channel, n_fft=SETTINGS['n_fft'], hop_length=SETTINGS['hop_length'])
            power = filters @ (np.abs(spectrum) ** 2)
        result.append(librosa.power_to_db(power, ref=np.max))
    return np.stack(result)


def log_mel(
    sample_rate: int = 44100,
    seconds: float = 1.0,
    repeats: int = 40,
    number: int = 5,
    device: str = 'cpu',
    batch: int = 1,
    variant: Variant = FP32,
) -> list[Comparison]:
    """``LogMelSpectrogram`` against librosa on the CPU, in one thread and, where it runs there, in all.

    Args:
        sample_rate: In hertz.
        seconds: Length of the sound.
        repeats: Pairs.
        number: Spectrograms of all microphones in each measurement.
        device: Where ours runs.
        batch: Clips that ours takes at once, with the one that librosa takes first.
        variant: Autocast's precision, in which the layer takes no part; whether it is compiled.

    Returns:
        In one thread with a target, and against librosa with kept filters; in all threads.
    """
    generator = np.random.default_rng(0)
    waveform = generator.standard_normal((8, round(sample_rate * seconds))).astype(np.float32) * 0.1
    clips = torch.from_numpy(waveform)[None].to(device).expand(batch, -1, -1).contiguous()
    layer = LogMelSpectrogram(sample_rate, **SETTINGS).eval().to(device)
    variant.prepare(layer)
    ours = variant.within(lambda: layer(clips), device)
    kept = librosa.filters.mel(sr=sample_rate, n_fft=SETTINGS['n_fft'], n_mels=SETTINGS['n_mels'])
    all_threads = os.cpu_count() or 1

    results = []
    cases = [(1, None, 3.0), (1, kept, None), *([(all_threads, None, None)] if device == 'cpu' else [])]
    for threads, filters, target in cases:

        def reference(filters: np.ndarray | None = filters) -> np.ndarray:
            return librosa_log_mel(waveform, sample_rate, filters)

        with pinned_threads(threads), torch.inference_mode():
            difference = np.abs(ours()[0].cpu().numpy() - reference()).max()
            assert difference < 1e-3, f'the spectrograms differ by {difference} dB'
            mine, theirs = time_pairs(ours, reference, repeats, number=number, warm_up=number)
        results.append(
            Comparison(
                'log-mel',
                'one thread' if threads == 1 else 'all threads',
                'LogMelSpectrogram',
                'librosa, stft and power_to_db, filters kept' if filters is not None else 'librosa',
                'gain',
                target=target,
                ours_values=[value / batch for value in mine],
                reference_values=theirs,
                settings=dict(microphones=8, seconds=seconds, threads=threads, device=device, batch=batch),
                checked=f'largest difference {difference:.1e} dB',
                num_bytes=4 * (waveform.size + ours()[0].numel()),
            )
        )
    return results
