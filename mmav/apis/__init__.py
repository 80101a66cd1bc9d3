from .audio_clips import AudioClip, collect_clips
from .audio_det_inferencer import AudioDetInferencer
from .segment_feature_extractor import SegmentFeatureExtractor

__all__ = ['AudioClip', 'AudioDetInferencer', 'SegmentFeatureExtractor', 'collect_clips']
