"""Mixing of background sound into a clip at a chosen signal-to-noise ratio.

Shapes: C microphones, L samples.
"""

import re
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS
from mmengine.fileio import join_path

from mmav.media.audio_files import audio_length, read_audio_segment
from mmav.media.suffixes import AUDIO_SUFFIXES, has_suffix
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float
from mmav.utils.storage import list_files

from .load_multichannel_audio import check_waveform

_PER_MICROPHONE = re.compile(r'audio_\d+_(.+)$')


def mix_at_snr(signal: np.ndarray, background: np.ndarray, snr_db: float) -> np.ndarray:
    """Add background so that the power ratio, taken over all microphones, is ``snr_db``.

    Args:
        signal: (C, L) float.
        background: (C, L) float.
        snr_db: 10 log10 of signal power over background power.

    Returns:
        (C, L) float32. One gain for all microphones, so level differences are kept.

    Raises:
        ValueError: If the background is silent.
    """
    signal_power = float(np.mean(np.square(signal, dtype=np.float64)))
    background_power = float(np.mean(np.square(background, dtype=np.float64)))
    if background_power == 0:
        raise ValueError('the background is silent')
    gain = np.sqrt(signal_power / background_power / 10 ** (snr_db / 10))
    return (signal + np.float32(gain) * background).astype(np.float32)


@TRANSFORMS.register_module()
class BackgroundMix(BaseTransform):
    """Mix a random stretch of background sound into the clip.

    A background is one file of all microphones (or of one channel, which all microphones then hear alike), or
    a set of files, one a microphone, written with ``{}`` for the microphone's number
    (``bridge/audio_{}_1588.wav``). It must be at least as long as the clip and of the sample's rate.

    Required keys: ``audio`` (C, L), ``sample_rate``. Modified: ``audio``, float32. Added, where mixed:
    ``background_path`` and ``background_snr`` (decibel).

    Args:
        folder: Take every wav, flac and mp3 file below it; files named
            ``audio_<microphone>_<name>`` are taken together.
        files: These backgrounds. Exactly one of folder and files.
        snr_range: Signal-to-noise ratio in decibel, drawn evenly. Defaults to (0, 20).
        prob: Probability of mixing. Defaults to 0.5.
        backend_args: Of mmengine's file backends.

    Raises:
        ValueError: If arguments are out of range.
        KeyError: In use, if the sample holds no waveform, but what a prepared store made of it.
        SampleError: If no background is found or, in use, one cannot be read, is silent or too short, or has
            another sample rate or number of microphones.
    """

    def __init__(
        self,
        folder: str | None = None,
        files: Sequence[str] | None = None,
        snr_range: tuple[float, float] = (0.0, 20.0),
        prob: float = 0.5,
        backend_args: dict | None = None,
    ) -> None:
        if (folder is None) == (files is None):
            raise ValueError('give exactly one of folder and files')
        if snr_range[0] > snr_range[1] or not 0 <= prob <= 1:
            raise ValueError(f'bad snr_range {snr_range} or prob {prob}')
        self.files = list(files or ()) if folder is None else sorted(self._list(folder, backend_args))
        if not self.files:
            raise SampleError(folder or 'files', 'no background sound found')
        self.snr_range = tuple(snr_range)
        self.prob = prob
        self.backend_args = backend_args

    @staticmethod
    def _list(folder: str, backend_args: dict | None) -> set:
        found = set()
        for name in list_files(folder, recursive=True, backend_args=backend_args):
            if not has_suffix(name, AUDIO_SUFFIXES):
                continue
            head, _, base = name.rpartition('/')
            match = _PER_MICROPHONE.match(base)
            base = f'audio_{{}}_{match.group(1)}' if match else base
            found.add(join_path(folder, head, base) if head else join_path(folder, base))
        return found

    @cache_randomness
    def _choose(self) -> tuple[bool, str, float, float]:
        """Whether, which background, where in it (0..1), at which ratio."""
        mix = bool(np.random.rand() < self.prob)
        path = self.files[np.random.randint(len(self.files))]
        low, high = self.snr_range
        return mix, path, float(np.random.rand()), float(np.random.uniform(low, high))

    def transform(self, results: dict) -> dict:
        """Mix background into ``results``; see the class."""
        check_waveform(results, 'BackgroundMix')
        mix, path, place, snr = self._choose()
        if not mix:
            return results
        audio = as_float(results['audio'])
        background = self._read(path, place, audio.shape, results['sample_rate'])
        try:
            results['audio'] = mix_at_snr(audio, background, snr)
        except ValueError as error:
            raise SampleError(path, str(error)) from None
        results['background_path'] = path
        results['background_snr'] = snr
        return results

    def _read(self, path: str, place: float, shape: tuple[int, int], sample_rate: int) -> np.ndarray:
        num_channels, num_samples = shape
        paths = [path.format(k) for k in range(num_channels)] if '{}' in path else [path]
        length, rate = audio_length(paths[0], self.backend_args)
        if rate != sample_rate:
            raise SampleError(paths[0], f'sample rate {rate} Hz, the clip has {sample_rate} Hz')
        if length < num_samples:
            raise SampleError(paths[0], f'{length} samples, shorter than the clip of {num_samples}')
        first = int(place * (length - num_samples + 1))
        parts = [
            read_audio_segment(p, (first + num_samples // 2) / rate, num_samples / rate, self.backend_args)
            for p in paths
        ]
        values = np.concatenate([as_float(part.values) for part in parts])
        if len(values) not in (1, num_channels):
            raise SampleError(path, f'{len(values)} channels, the clip has {num_channels}')
        return np.broadcast_to(values, shape)
