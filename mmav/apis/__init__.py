from .audio_clips import AudioClip, collect_clips
from .audio_det_inferencer import AudioDetInferencer
from .segment_feature_extractor import SegmentFeatureExtractor
from .sound_localization_inferencer import SoundLocalizationInferencer

__all__ = [
    'AudioClip',
    'AudioDetInferencer',
    'SegmentFeatureExtractor',
    'SoundLocalizationInferencer',
    'collect_clips',
]
