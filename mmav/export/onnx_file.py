"""Writing modules as ONNX files."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmav.utils.fileio import whole_file

OPSET = 17


def write_onnx(
    module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str], path: str | Path
) -> None:
    """Write a module as an ONNX file of standard operators (opset 17), for any number of samples in a batch.

    By tracing, so that the module must not decide by the values or the number of what it gets. Needs the
    package onnx.

    Args:
        module: Called with ``inputs``, in their order.
        inputs: An example of each input by its name; the first axis is the batch, the others are fixed.
        outputs: Names of the outputs; their first axis is the batch, too.
        path: The file.
    """
    names = [*inputs, *outputs]
    options: dict[str, Any] = dict(
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes={name: {0: 'batch'} for name in names},
        opset_version=OPSET,
    )
    if (
        'dynamo' in inspect.signature(torch.onnx.export).parameters
    ):  # PyTorch 2.4 knows only what it turns off
        options['dynamo'] = False
    training = module.training
    module.eval()
    with whole_file(path, keep_suffix=True) as temporary, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore', DeprecationWarning)  # of the exporter that traces
        warnings.filterwarnings('ignore', 'Constant folding')
        torch.onnx.export(module, tuple(inputs.values()), str(temporary), **options)
    module.train(training)
