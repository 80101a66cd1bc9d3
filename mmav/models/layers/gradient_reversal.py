"""Gradient reversal of Ganin et al., "Domain-adversarial training of neural networks" (JMLR 2016)."""

from typing import Any

import torch
from torch import Tensor, nn


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradient, None


def reverse_gradient(x: Tensor, weight: float = 1.0) -> Tensor:
    """Hand ``x`` on; on the way back the gradient is multiplied by ``-weight``.

    Args:
        x: Any shape.
        weight: Factor lambda of the reversed gradient.

    Returns:
        The values of ``x``.

    Example:
        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> reverse_gradient(x, weight=0.5).backward()
        >>> x.grad
        tensor(-0.5000)
    """
    return _Reverse.apply(x, weight)


class GradientReversal(nn.Module):
    """:func:`reverse_gradient` as a layer.

    Args:
        weight: Factor lambda of the reversed gradient, 0 or more. Defaults to 1.0.

    Raises:
        ValueError: If ``weight`` is negative.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if weight < 0:
            raise ValueError(f'GradientReversal: weight must be 0 or more, got {weight}')
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        """The values of ``x``, with its gradient reversed."""
        return reverse_gradient(x, self.weight)

    def extra_repr(self) -> str:
        """The weight, for ``print``."""
        return f'weight={self.weight}'
