import librosa
import numpy as np

from mmav.live.spectrogram import DECIBEL_RANGE, RunningSpectrogram


def test_columns_equal_librosas_however_the_sound_comes():
    rate = 16000
    wave = np.random.default_rng(0).normal(0, 0.05, (3, 12000)).astype(np.float32)
    power = np.stack(
        [
            librosa.feature.melspectrogram(
                y=channel, sr=rate, n_fft=1024, hop_length=512, n_mels=64, center=False
            )
            for channel in wave
        ]
    ).mean(0)
    low, high = DECIBEL_RANGE
    expected = 255 * ((librosa.power_to_db(power, top_db=None).T - low) / (high - low)).clip(0, 1)
    assert 20 < expected.mean() < 235 and len(expected) == 22
    for lengths in ([12000], [100, 3000, 0, 8900], [1500] * 8):
        spectrogram, place, columns = RunningSpectrogram(rate), 0, []
        for length in lengths:
            columns.append(spectrogram.push(wave[:, place : place + length]))
            place += length
        np.testing.assert_allclose(np.concatenate(columns), expected, atol=0.6)
        assert spectrogram.columns == 22


def test_nan_and_gaps():
    spectrogram = RunningSpectrogram(16000)
    wave = np.full((2, 5120), np.nan, np.float32)
    assert (spectrogram.push(wave) == 0).all() and spectrogram.columns == 9
    spectrogram.skip(16000)
    assert spectrogram.columns == 9 + 31
    assert len(spectrogram.push(np.zeros((2, 1024), np.int16))) == 1
