"""Detectors of 8 bits by onnxruntime's quantization.

Shapes: B windows, M microphones, L samples.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

OPERATORS = ('Conv', 'Gemm')
"""What is quantized: the layers of the network. Front ends are matrix products, and stay as they are."""


def quantize(content: bytes, windows: np.ndarray) -> bytes:
    """A detector's file with convolutions and linear layers in 8 bits.

    Weights per channel, activations by the least and the largest value on the windows (static quantization,
    QDQ format, signed).

    Args:
        content: Content of the file.
        windows: (B, M, L) of the type that the file takes.

    Returns:
        Content of the other file, with the same metadata.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load_from_string(content)
    name = model.graph.input[0].name

    class Windows(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(windows)

        def get_next(self) -> dict[str, np.ndarray] | None:
            window = next(self.rest, None)
            return None if window is None else {name: window[None]}

    with tempfile.TemporaryDirectory() as folder:
        given, prepared, result = (Path(folder, f'{stem}.onnx') for stem in ('given', 'prepared', 'result'))
        given.write_bytes(content)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            result,
            Windows(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        quantized = onnx.load(result)
    onnx.helper.set_model_props(quantized, {item.key: item.value for item in model.metadata_props})
    return quantized.SerializeToString()
