"""What the device reaches at best: convolutions, matrix products, copies.

Shapes: N images, C channels, H, W rows and columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from speed.pairs import time_pairs
from speed.variants import Variant
from torch.nn.functional import conv2d


@dataclass(frozen=True)
class Sizes:
    """How large the operands are; the defaults fill a large GPU.

    Attributes:
        images: N, C, H and W of a 3 x 3 convolution with as many output channels.
        side: Rows and columns of square matrices.
        copied: Bytes of a tensor to copy.
        repeats: Measurements; the fastest counts.
    """

    images: tuple[int, int, int, int] = (16, 256, 144, 144)
    side: int = 8192
    copied: int = 2**30
    repeats: int = 5


TOY = Sizes(images=(1, 8, 16, 16), side=64, copied=2**16, repeats=2)


def measure_ceilings(device: str, variant: Variant, sizes: Sizes) -> dict[str, float]:
    """Measure the three in the variant's precision and memory format.

    Args:
        device: 'cuda' or 'cpu'.
        variant: Whether it is compiled changes nothing.
        sizes: Of the operands.

    Returns:
        ``convolution`` and ``product`` in FLOP/s, ``copy`` in bytes/s, read and written.
    """
    number, channels, height, width = sizes.images
    images = variant.images(torch.randn(sizes.images, device=device))
    weight = variant.images(torch.randn(channels, channels, 3, 3, device=device))
    matrix = torch.randn(sizes.side, sizes.side, device=device)
    if variant.amp is not None:  # casting is no part of the ceiling
        images, weight, matrix = (value.to(variant.amp) for value in (images, weight, matrix))
    source = torch.empty(sizes.copied, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    with torch.inference_mode():
        return dict(
            convolution=2
            * 9
            * number
            * channels**2
            * height
            * width
            / _fastest(lambda: conv2d(images, weight, padding=1), sizes.repeats),
            product=2 * sizes.side**3 / _fastest(lambda: matrix @ matrix, sizes.repeats),
            copy=2 * sizes.copied / _fastest(lambda: target.copy_(source), sizes.repeats),
        )


def _fastest(function: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest call; each measurement holds several, as one alone is short for the clock."""
    first, second = time_pairs(function, function, repeats, number=4, warm_up=3)
    return min(first + second)
