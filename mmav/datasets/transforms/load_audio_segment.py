"""Loading of a clip's sound.

Shapes: C channels of the file, L samples.
"""

import numpy as np
import soxr
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmav.media.audio_files import read_audio
from mmav.utils.errors import SampleError
from mmav.utils.precision import as_float


def middle_of(wave: np.ndarray, length: int) -> np.ndarray:
    """Middle (..., length) of a sound (..., L), a view, or all of it where it is shorter."""
    start = max((wave.shape[-1] - length) // 2, 0)
    return wave[..., start : start + length]


@TRANSFORMS.register_module()
class LoadAudioSegment(BaseTransform):
    """Load the middle of a clip's sound as one channel.

    Of a longer sound the middle is taken, a shorter one is repeated. Channels are averaged, other sample
    rates converted (soxr). Read are wav, flac and mp3; with ``from_video`` the sound of the clip's mp4.

    Required key: ``audio_path``, or ``video_path`` with ``from_video``. Added keys: ``key`` (L,) float32, in
    -1..1 but for overshoot of lossy codecs and of resampling; ``sample_rate`` in hertz, for the key 'audio'.

    Args:
        sample_rate: Of the result, in hertz. Defaults to 22050.
        duration: Seconds. Defaults to 3.
        key: Where to put the sound: 'audio' for the student, 'teacher_waveform' for a teacher.
            Defaults to 'audio'.
        from_video: Take the sound of the video. Defaults to False.
        backend_args: Of mmengine's file backends.

    Raises:
        ValueError: If ``sample_rate`` or ``duration`` is not above 0.
        SampleError: In use, naming the file: missing, empty, truncated, no sound, NaN, or a spectrogram.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        duration: float = 3.0,
        key: str = 'audio',
        from_video: bool = False,
        backend_args: dict | None = None,
    ) -> None:
        if sample_rate <= 0 or duration <= 0:
            raise ValueError(f'sample_rate {sample_rate} and duration {duration} must be above 0')
        self.sample_rate = sample_rate
        self.duration = duration
        self.key = key
        self.from_video = from_video
        self.backend_args = backend_args
        self.num_samples = round(sample_rate * duration)

    def transform(self, results: dict) -> dict:
        """Add the sound to ``results``; see the class."""
        results[self.key] = self.load(results['video_path' if self.from_video else 'audio_path'])
        if self.key == 'audio':
            results['sample_rate'] = self.sample_rate
        return results

    def load(self, path: str) -> np.ndarray:
        """Sound of one file, (L,) float32; see the class."""
        if self.from_video:
            from mmav.media.video import read_video_audio

            wave, rate = read_video_audio(path, self.sample_rate, self.backend_args), self.sample_rate
        else:
            clip = read_audio(path, self.backend_args)
            if clip.is_spectrogram:
                raise SampleError(path, 'a spectrogram, expected a waveform')
            rate = clip.sample_rate or self.sample_rate
            wave = clip.values
        wave = as_float(middle_of(wave, round(self.duration * rate)))
        wave = wave.mean(0) if wave.ndim == 2 else wave
        if rate != self.sample_rate:
            wave = soxr.resample(wave, rate, self.sample_rate)
        if not wave.size:
            raise SampleError(path, 'the file holds no sound')
        # Repeats a short sound, and cuts the sample too many that resampling may leave.
        return np.resize(wave, self.num_samples).astype(np.float32, copy=False)
