"""Silencing of microphones."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS

from .load_multichannel_audio import sound_of_microphones


@TRANSFORMS.register_module()
class MicrophoneDropout(BaseTransform):
    """Silence some microphones at random, so that a detector does not lean on a single one.

    A waveform becomes 0, a spectrogram its sample's minimum. (With ``reference='channel'`` a silent
    microphone's spectrogram is 0 dB throughout, as librosa has it, for its maximum is its own reference.) The
    acoustic image that the data preprocessor makes of the waveform is that of the other microphones.

    Required keys: ``audio`` (C, L) or ``spectrogram`` (C, M, T). Added: ``dropped_microphones`` (list of
    int).

    Args:
        prob: Probability that a sample loses microphones. Defaults to 0.5.
        max_microphones: At most so many, drawn evenly from 1. Defaults to 1.

    Raises:
        ValueError: If an argument is out of range, or would leave no microphone.
    """

    def __init__(self, prob: float = 0.5, max_microphones: int = 1) -> None:
        if not 0 <= prob <= 1 or max_microphones < 1:
            raise ValueError(
                f'prob must be in 0..1 and max_microphones 1 or more, got {prob}, {max_microphones}'
            )
        self.prob = prob
        self.max_microphones = max_microphones

    @cache_randomness
    def _choose(self, num_channels: int) -> list:
        if np.random.rand() >= self.prob:
            return []
        number = np.random.randint(1, self.max_microphones + 1)
        return sorted(np.random.choice(num_channels, number, replace=False).tolist())

    def transform(self, results: dict) -> dict:
        """Silence microphones in ``results``; see the class."""
        key = sound_of_microphones(results, 'MicrophoneDropout')
        values = results[key]
        if self.max_microphones >= len(values):
            raise ValueError(
                f'max_microphones {self.max_microphones} would silence all {len(values)} microphones'
            )
        dropped = self._choose(len(values))
        if dropped:
            values = values.copy()
            values[dropped] = 0 if key == 'audio' else values.min()
            results[key] = values
        results['dropped_microphones'] = dropped
        return results
