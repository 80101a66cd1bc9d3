"""Loading of a frame's sound.

Shapes: C microphones, L samples, M mel bands, T spectrogram frames.
"""

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmav.datasets.stores.prepared_store import PreparedFrame
from mmav.media.audio_files import AudioArray, read_audio, read_audio_segment
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float


@TRANSFORMS.register_module()
class LoadMultichannelAudio(BaseTransform):
    """Load the sound around a frame: one file a microphone, a stretch of a drive, or a prepared store.

    Required keys: ``audio_paths`` (one file a microphone), or ``audio_path`` and ``audio_offset`` (a
    recording of all microphones, and the clip's center in it in seconds; without ``audio_offset`` the
    file is the clip itself), or ``prepared``.

    Added keys: ``audio`` (C, L), int16 where the files hold 16 bits, else float32 in -1..1, and
    ``sample_rate``; or, where the files hold spectrograms, ``spectrogram`` (C, M, T) float32 decibel; or,
    where a prepared store holds acoustic images, ``acoustic_image`` (C, rows, columns) float32.

    Args:
        sample_rate: Expected sample rate in hertz. Defaults to 44100.
        num_channels: Expected microphones. Defaults to 8.
        duration: Length of a clip in seconds. Defaults to 1.
        resample: Convert other sample rates with soxr (the result is float32), instead of
            raising. Defaults to False.
        length_tolerance: A clip file may be this much longer (its end is cut) or shorter (zeros
            are appended), in seconds; mp3 encoders pad, so mp3 files may need it. Defaults to 0.
        pad_edges: Fill a stretch that sticks out of its recording with zeros, instead of raising.
            Defaults to False.
        backend_args: Of mmengine's file backends.

    Raises:
        SampleError: In use, naming the file: missing, empty, damaged or truncated, NaN, another sample
            rate, length or number of microphones than expected.
    """

    def __init__(
        self,
        sample_rate: int = 44100,
        num_channels: int = 8,
        duration: float = 1.0,
        resample: bool = False,
        length_tolerance: float = 0.0,
        pad_edges: bool = False,
        backend_args: dict | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.num_channels = num_channels
        self.duration = duration
        self.resample = resample
        self.length_tolerance = length_tolerance
        self.pad_edges = pad_edges
        self.backend_args = backend_args
        self.num_samples = round(sample_rate * duration)

    def transform(self, results: dict) -> dict:
        """Add the sound to ``results``; see the class."""
        prepared = results.get('prepared')
        if prepared is not None:
            return self._from_prepared(results, prepared)
        if results.get('audio_paths') is not None:
            return self._from_files(results, list(results['audio_paths']))
        path = results['audio_path']
        if results.get('audio_offset') is None:
            clip = read_audio(path, self.backend_args)
        else:
            clip = read_audio_segment(
                path, results['audio_offset'], self.duration, self.backend_args, self.pad_edges
            )
        self._check_channels(len(clip.values), path)
        results['audio'] = self._fit(clip, path)
        results['sample_rate'] = self.sample_rate
        return results

    def _from_files(self, results: dict, paths: list) -> dict:
        self._check_channels(len(paths), f'{paths[0]} and its neighbors' if paths else 'audio_paths')
        clips = [read_audio(path, self.backend_args) for path in paths]
        for clip, path in zip(clips, paths):
            if clip.is_spectrogram != clips[0].is_spectrogram:
                raise SampleError(path, f'a spectrogram and {paths[0]} a waveform, or the reverse')
            if not clip.is_spectrogram and len(clip.values) != 1:
                raise SampleError(path, f'{len(clip.values)} channels, expected one: a file a microphone')
        if clips[0].is_spectrogram:
            for clip, path in zip(clips, paths):
                if clip.values.shape != clips[0].values.shape:
                    raise SampleError(
                        path, f'spectrogram {clip.values.shape}, but {paths[0]} {clips[0].values.shape}'
                    )
            results['spectrogram'] = np.stack([clip.values for clip in clips])
            return results
        waves = [self._fit(clip, path) for clip, path in zip(clips, paths)]
        if len({wave.dtype for wave in waves}) > 1:
            waves = [as_float(wave) for wave in waves]
        results['audio'] = np.concatenate(waves)
        results['sample_rate'] = self.sample_rate
        return results

    def _from_prepared(self, results: dict, prepared: PreparedFrame) -> dict:
        values = prepared.read('audio')
        if prepared.acoustic_image is not None:
            results['acoustic_image'] = values.astype(np.float32)
            results['acoustic_settings'] = prepared.acoustic_image
            return results
        self._check_channels(len(values), prepared.source)
        if values.ndim == 3:
            results['spectrogram'] = values.astype(np.float32)
            if prepared.log_mel is not None:
                results['log_mel'] = prepared.log_mel
            return results
        clip = AudioArray(values, prepared.sample_rate, False)
        results['audio'] = self._fit(clip, prepared.source)
        results['sample_rate'] = self.sample_rate
        return results

    def _check_channels(self, number: int, source: str) -> None:
        if number != self.num_channels:
            raise SampleError(source, f'{number} microphones, expected {self.num_channels}')

    def _fit(self, clip: AudioArray, path: str) -> np.ndarray:
        """Waveform of the expected rate and length."""
        values = clip.values
        if clip.sample_rate not in (None, self.sample_rate):
            if not self.resample:
                raise SampleError(
                    path,
                    f'sample rate {clip.sample_rate} Hz, expected {self.sample_rate} Hz; '
                    'LoadMultichannelAudio(resample=True) converts',
                )
            import soxr

            resampled = soxr.resample(as_float(values).T, clip.sample_rate, self.sample_rate)
            values = np.ascontiguousarray(resampled.T)
            # A rate's ratio rarely divides the clip: one sample of rounding is no other length.
            if abs(values.shape[1] - self.num_samples) == 1:
                values = _to_length(values, self.num_samples)
        excess = values.shape[1] - self.num_samples
        if excess and abs(excess) > self.length_tolerance * self.sample_rate:
            raise SampleError(
                path,
                f'{values.shape[1]} samples ({values.shape[1] / self.sample_rate:.3f} s), expected '
                f'{self.num_samples} ({self.duration:.3f} s); is the file truncated? '
                'LoadMultichannelAudio(length_tolerance=...) admits small differences',
            )
        return _to_length(values, self.num_samples) if excess else values


def sound_of_microphones(results: dict, user: str) -> str:
    """Key of a sample's sound, 'audio' or 'spectrogram'; KeyError, naming the transform ``user``, without."""
    for key in ('audio', 'spectrogram'):
        if key in results:
            return key
    raise KeyError(
        f'{user} changes single microphones, but the sample holds no waveform or spectrogram: acoustic '
        "images of a prepared store come from all of them; prepare it with audio='int16'"
    )


def check_waveform(results: dict, user: str) -> None:
    """See that a sample holds a waveform; KeyError, naming the transform ``user`` that needs it, without."""
    if 'audio' in results:
        return
    held = next((key for key in ('acoustic_image', 'spectrogram') if key in results), None)
    if held is None:
        raise KeyError(f'{user} needs a waveform: put LoadMultichannelAudio before it')
    raise KeyError(
        f'{user} needs a waveform, but the sample holds the {held} of a prepared store alone: sounds cannot '
        "be mixed in it any more; prepare the store with audio='int16'"
    )


def _to_length(values: np.ndarray, length: int) -> np.ndarray:
    missing = length - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing))) if missing > 0 else values[:, :length]
