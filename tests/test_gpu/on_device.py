"""Calls of a case on a device, and how near to each other two of them are."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from device_cases import Case
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode


def convert(value: Any, change: Any) -> Any:
    """Apply a function to the tensors of nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: convert(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(convert(item, change) for item in value)
    return value


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors of nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors_of(item)


def build(case: Case) -> tuple[Any, tuple]:
    """The function or module, without randomness in use, and its inputs; the same each time."""
    torch.manual_seed(0)
    function = case.make()
    if isinstance(function, nn.Module):
        function.train(case.training)
    return function, case.inputs(torch.Generator().manual_seed(1))


def run(
    case: Case, device: str, dtype: torch.dtype = torch.float32, amp: torch.dtype | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """Call a case and go back from all of its outputs.

    Args:
        case: The case.
        device: Where it runs.
        dtype: Of weights and inputs.
        amp: Precision of autocast, and of the features that come from other layers. None: no autocast.

    Returns:
        tuple: Outputs and gradients of inputs and parameters, in double precision on the CPU.
    """
    function, inputs = build(case)
    if isinstance(function, nn.Module):
        function = function.to(device, dtype)
    of_features = amp if amp is not None and not case.signal else dtype

    def onto(value: Tensor) -> Tensor:
        if not value.is_floating_point():
            return value.to(device)
        moved = value.detach().to(device, of_features if value.requires_grad else dtype)
        return moved.requires_grad_(value.requires_grad)

    inputs = convert(inputs, onto)
    with torch.autocast(device, dtype=amp) if amp is not None else nullcontext():
        outputs = list(tensors_of(function(*inputs)))
    leaves = [value for value in tensors_of(inputs) if value.requires_grad]
    if isinstance(function, nn.Module):
        leaves += function.parameters()
    differentiable = [value for value in outputs if value.requires_grad]
    if differentiable and leaves:
        _loss(differentiable).backward()
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert all(value.device.type == torch.device(device).type for value in (*outputs, *gradients))
    return [_plain(value) for value in outputs], [_plain(value) for value in gradients]


def _loss(outputs: list[Tensor]) -> Tensor:
    """A sum in which every output counts differently; what is infinite is left out."""
    total = outputs[0].new_zeros((), dtype=torch.float64)
    for value in outputs:
        weights = torch.linspace(0.5, 1.5, value.numel(), dtype=torch.float64, device=value.device)
        finite = torch.where(value.isfinite(), value, 0).double().flatten()
        total = total + (weights * finite).mean()
    return total


def _plain(value: Tensor) -> Tensor:
    return value.detach().to('cpu', torch.float64)


def assert_near(found: list[Tensor], expected: list[Tensor], tolerance: float, what: str) -> None:
    """AssertionError unless each difference is shorter than ``tolerance`` of the tensor.

    Elements are not compared: square roots and logarithms of numbers near 0 have slopes that rounding moves
    far. Infinite ones have to be at the same places.
    """
    assert len(found) == len(expected), f'{len(found)} {what}s, not {len(expected)}'
    for index, (a, b) in enumerate(zip(found, expected)):
        assert torch.equal(a.isinf(), b.isinf()), f'{what} {index}: other elements are infinite'
        a, b = (torch.where(value.isinf(), 0, value) for value in (a, b))
        difference, length = float((a - b).norm()), float(b.norm())
        allowed = tolerance * length + 1e-6 * b.numel() ** 0.5
        assert difference <= allowed, f'{what} {index}: off by {difference:.2g}, its length is {length:.2g}'


def run_on_fake_device(case: Case) -> set[str]:
    """Compute the shapes alone, on a CUDA device that need not exist.

    Returns:
        Types of the outputs' devices.

    Raises:
        RuntimeError: If an operation meets tensors of the device and of the CPU.
    """
    function, inputs = build(case)
    mode = FakeTensorMode()

    def onto(value: Tensor) -> Tensor:
        fake = mode.from_tensor(value)
        with mode:
            return fake.detach().to('cuda')

    inputs = convert(inputs, onto)
    if isinstance(function, nn.Module):
        for part in function.modules():
            for name, value in [*part._parameters.items(), *part._buffers.items()]:
                if value is not None:
                    moved = onto(value)
                    setattr(part, name, nn.Parameter(moved) if isinstance(value, nn.Parameter) else moved)
    with mode, torch.no_grad():
        return {value.device.type for value in tensors_of(function(*inputs))}
