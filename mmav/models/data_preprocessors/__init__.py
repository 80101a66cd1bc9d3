from .audio_visual_data_preprocessor import AudioVisualDataPreprocessor
from .segment_data_preprocessor import SegmentDataPreprocessor

__all__ = ['AudioVisualDataPreprocessor', 'SegmentDataPreprocessor']
