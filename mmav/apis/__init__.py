from mmav.features.segment_feature_extractor import SegmentFeatureExtractor

from .audio_clips import AudioClip, collect_clips
from .audio_det_inferencer import AudioDetInferencer
from .base_inferencer import AudioVisualInferencer
from .event_inferencer import EventInferencer
from .segment_inferencer import SegmentInferencer
from .sound_localization_inferencer import SoundLocalizationInferencer
from .streaming_audio_detector import StreamingAudioDetector
from .video_parsing_inferencer import VideoParsingInferencer

__all__ = [
    'AudioClip',
    'AudioDetInferencer',
    'AudioVisualInferencer',
    'EventInferencer',
    'SegmentFeatureExtractor',
    'SegmentInferencer',
    'SoundLocalizationInferencer',
    'StreamingAudioDetector',
    'VideoParsingInferencer',
    'collect_clips',
]
