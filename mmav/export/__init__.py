from .acoustic_image import ExportableAcousticImage
from .audio_detector import ExportableAudioDetector
from .errors import ExportError
from .log_mel import ExportableLogMel
from .named_tensors import NamedTensors, example_inputs, input_shapes
from .onnx_file import largest_differences, onnx_bytes, write_onnx

__all__ = [
    'ExportError',
    'ExportableAcousticImage',
    'ExportableAudioDetector',
    'ExportableLogMel',
    'NamedTensors',
    'example_inputs',
    'input_shapes',
    'largest_differences',
    'onnx_bytes',
    'write_onnx',
]
