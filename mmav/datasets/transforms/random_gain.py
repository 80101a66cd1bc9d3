"""Random levels of the microphones."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS

from mmav.utils.precision import as_float

from .load_multichannel_audio import sound_of_microphones


@TRANSFORMS.register_module()
class RandomGain(BaseTransform):
    """Change the level of all microphones together and, by option, of each by itself.

    A common gain matters to a fixed decibel reference alone; differing gains stand for microphones that are
    not matched. A waveform becomes float32 (it may exceed 1); decibels are added to a spectrogram.

    Required keys: ``audio`` (C, L) or ``spectrogram`` (C, M, T).

    Args:
        gain_db: Range of the common gain in decibel. Defaults to (-6, 6).
        mismatch_db: Standard deviation of each microphone's own gain in decibel. Defaults to 0.
        prob: Probability of a change. Defaults to 1.
    """

    def __init__(
        self, gain_db: tuple[float, float] = (-6.0, 6.0), mismatch_db: float = 0.0, prob: float = 1.0
    ) -> None:
        if gain_db[0] > gain_db[1] or mismatch_db < 0 or not 0 <= prob <= 1:
            raise ValueError(f'bad gain_db {gain_db}, mismatch_db {mismatch_db} or prob {prob}')
        self.gain_db = tuple(gain_db)
        self.mismatch_db = mismatch_db
        self.prob = prob

    @cache_randomness
    def _choose(self, num_channels: int) -> np.ndarray:
        """Gain of each microphone (C,) in decibel."""
        if np.random.rand() >= self.prob:
            return np.zeros(num_channels, np.float32)
        low, high = self.gain_db
        gains = np.random.uniform(low, high) + self.mismatch_db * np.random.randn(num_channels)
        return gains.astype(np.float32)

    def transform(self, results: dict) -> dict:
        """Change levels in ``results``; see the class."""
        key = sound_of_microphones(results, 'RandomGain')
        gains = self._choose(len(results[key]))
        if not gains.any():
            return results
        if key == 'audio':
            results[key] = as_float(results[key]) * (10 ** (gains / 20))[:, None]
        else:
            results[key] = results[key] + gains[:, None, None]
        return results
