from typing import Any

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
    'OnnxAudioDetector',
    'OnnxDetInferencer',
    'SegmentFeatureExtractor',
    'SegmentInferencer',
    'SoundLocalizationInferencer',
    'StreamingAudioDetector',
    'VideoParsingInferencer',
    'collect_clips',
]

_ONNX = dict(OnnxAudioDetector='onnx_audio_detector', OnnxDetInferencer='onnx_det_inferencer')


def __getattr__(name: str) -> Any:
    """What needs the optional package onnxruntime is imported when it is asked for."""
    if name not in _ONNX:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    return getattr(import_module(f'.{_ONNX[name]}', __name__), name)
