"""Ways to run the same computation: precision, memory format, compiled or not."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Variant:
    """A way to run a computation.

    Attributes:
        name: In tables.
        amp: Precision of autocast; None: no autocast.
        channels_last: Whether images and weights of convolutions lie in memory channels last.
        compiled: Whether modules are compiled by ``torch.compile``.
    """

    name: str
    amp: torch.dtype | None = None
    channels_last: bool = False
    compiled: bool = False

    @property
    def tolerance(self) -> float:
        """Relative difference that two orders of the same operations may make."""
        if self.compiled:
            return 0.2  # what rounds differently may choose other RoIs
        return 1e-5 if self.amp is None else 2e-2

    def prepare(self, *modules: nn.Module) -> None:
        """Bring modules into the memory format and compile them, in place."""
        for module in modules:
            if self.channels_last:
                module.to(memory_format=torch.channels_last)
            if self.compiled:
                module.compile()

    def images(self, tensor: Tensor) -> Tensor:
        """A batch of images (N, C, H, W) in the memory format."""
        return tensor.to(memory_format=torch.channels_last) if self.channels_last else tensor

    def context(self, device: str) -> AbstractContextManager:
        """Autocast, or nothing."""
        return nullcontext() if self.amp is None else torch.autocast(device, dtype=self.amp)

    def within(self, function: Callable, device: str) -> Callable:
        """The function, run in :meth:`context`."""

        def run(*args: object, **kwargs: object) -> object:
            with self.context(device):
                return function(*args, **kwargs)

        return run


FP32 = Variant('fp32')
VARIANTS = (
    FP32,
    Variant('bf16', torch.bfloat16),
    Variant('bf16, channels_last', torch.bfloat16, channels_last=True),
    Variant('bf16, torch.compile', torch.bfloat16, compiled=True),
)
