"""Modules as ONNX files of standard operators.

Shapes: B samples of a batch, whose number is free in the file.
"""

from __future__ import annotations

import inspect
import io
import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmav.utils.fileio import AtomicLocalBackend

from .errors import ExportError

OPSET = 17
METADATA = 'mmav'
"""Key of the file's metadata that holds ours, as JSON."""
_ANY = {('Reshape', 1): -1, ('Expand', 1): 1}  # what stands for any size in these inputs of operators


def onnx_bytes(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    metadata: Mapping[str, Any] | None = None,
) -> bytes:
    """A module as the content of an ONNX file.

    Args:
        module: Takes the inputs in their order and returns a tuple of tensors.
        inputs: What to trace it with, by the names that the file's inputs get; (B, ...).
        outputs: Names of what it returns.
        metadata: What the file tells of itself, as JSON can hold it.

    Raises:
        ExportError: The module uses an operator that ONNX does not have, or works for one batch size alone;
            the message names the operator.
    """
    onnx = _optional('onnx')
    # of two batch sizes, since the exporter freezes some of what depends on it
    model, other = (
        onnx.load_from_string(
            _trace(
                module,
                {name: value[:1].repeat_interleave(size, 0) for name, value in inputs.items()},
                outputs,
            )
        )
        for size in (3, 2)
    )
    _free_batch(model.graph, other.graph)
    foreign = sorted({f'{node.domain}::{node.op_type}' for node in model.graph.node if node.domain})
    if foreign:
        raise ExportError(f'the model cannot be exported: {", ".join(foreign)} is no standard operator')
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata or {})})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _trace(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> bytes:
    options: dict[str, Any] = {'dynamo': False} if _has_dynamo() else {}
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory()), 'model.onnx')
        for context in (warnings.catch_warnings(), torch.no_grad(), _slow_attention()):
            stack.enter_context(context)
        stack.enter_context(redirect_stdout(io.StringIO()))
        warnings.simplefilter('ignore')  # sizes that do not change are frozen on purpose
        try:
            # the tracing exporter: it takes operators of our own, needs no further package, and prints the
            # whole graph where it fails
            torch.onnx.export(
                module.eval(),
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={name: {0: 'batch'} for name in (*inputs, *outputs)},
                opset_version=OPSET,
                **options,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ExportError(f'the model cannot be exported: {error}'.splitlines()[0]) from error
        return path.read_bytes()


def _free_batch(graph: Any, other: Any) -> None:
    """Let shapes that hold the size of the traced batch hold what stands for any.

    That is -1 where something is reshaped to them, 1 where something of the batch is expanded.

    Args:
        graph: That of the file, which is changed.
        other: That of the same module, traced with another batch size.

    Raises:
        ExportError: The batch size is frozen elsewhere.
    """
    onnx = _optional('onnx')
    if [node.op_type for node in graph.node] != [node.op_type for node in other.node]:
        raise ExportError('the model cannot be exported: its operators depend on the size of the batch')
    for node, twin in zip(graph.node, other.node):
        if node.op_type != 'Constant' or node.attribute[0].t == twin.attribute[0].t:
            continue
        value, varied = (onnx.numpy_helper.to_array(item.attribute[0].t) for item in (node, twin))
        uses = _uses(graph, node.output[0])
        if (
            not uses <= set(_ANY)
            or len(uses) != 1
            or value.shape != varied.shape
            or (value != varied).sum() != 1
        ):
            raise ExportError(
                f'the model cannot be exported: {node.output[0]} depends on the size of the batch'
            )
        freed = np.where(value != varied, _ANY[uses.pop()], value)
        node.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(freed))


def _uses(graph: Any, name: str) -> set[tuple[str, int]]:
    """Operators, and which of their inputs, that read a value, itself or as part of a longer vector."""
    uses: set[tuple[str, int]] = set()
    for node in graph.node:
        for place, given in enumerate(node.input):
            if given == name:
                uses |= _uses(graph, node.output[0]) if node.op_type == 'Concat' else {(node.op_type, place)}
    return uses


def write_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: str | Path,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write :func:`onnx_bytes`, whole or not at all; further arguments are its own."""
    AtomicLocalBackend().put(onnx_bytes(module, inputs, outputs, metadata), path)


def run_onnx(content: bytes | str, inputs: Mapping[str, np.ndarray], threads: int = 1) -> list[np.ndarray]:
    """Run an ONNX file, or its content, on the CPU."""
    return make_session(content, threads).run(None, dict(inputs))


def make_session(content: bytes | str, threads: int = 1) -> Any:
    """An ``onnxruntime.InferenceSession`` on the CPU with so many threads."""
    runtime = _optional('onnxruntime')
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return runtime.InferenceSession(content, options, providers=['CPUExecutionProvider'])


def largest_differences(
    module: nn.Module, content: bytes | str, inputs: Mapping[str, Tensor], outputs: Sequence[str]
) -> dict[str, float]:
    """Run a module and its ONNX file on the same inputs: the largest difference of each output."""
    with torch.no_grad():
        expected = module(*inputs.values())
    found = run_onnx(content, {name: value.numpy() for name, value in inputs.items()})
    differences = {}
    for name, right, value in zip(outputs, expected, found, strict=True):
        right = right.numpy()
        if right.shape != value.shape:
            raise ExportError(f'{name} of the file is {value.shape}, that of the model {right.shape}')
        right, value = (np.nan_to_num(values.astype(np.float64)) for values in (right, value))
        gaps = np.abs(right - value)
        differences[name] = float(gaps.max(initial=0.0))
    return differences


def _optional(name: str) -> Any:
    """A package of the extra ``onnx``."""
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f'{name} is missing: pip install "mmav[onnx]" brings it') from error


@contextmanager
def _slow_attention() -> Iterator[None]:
    """Without torch's fused transformer layers, which the exporter does not know."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _has_dynamo() -> bool:
    """Whether torch has two exporters (2.5 on), of which one must be asked for."""
    return 'dynamo' in inspect.signature(torch.onnx.export).parameters
