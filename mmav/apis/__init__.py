from .audio_clips import AudioClip, collect_clips
from .audio_det_inferencer import AudioDetInferencer

__all__ = ['AudioClip', 'AudioDetInferencer', 'collect_clips']
