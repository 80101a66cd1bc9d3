from .acoustic_image import ExportableAcousticImage
from .log_mel import ExportableLogMel
from .onnx_file import write_onnx

__all__ = ['ExportableAcousticImage', 'ExportableLogMel', 'write_onnx']
