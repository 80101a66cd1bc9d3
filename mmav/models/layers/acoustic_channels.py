"""What the channels of an acoustic image show.

Shapes: B clips, S windows in time, K bands, P points.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

MIN_SHARE = 1e-6  # of the whole power: less, or less contrast, is rounding


def image_channels(names: Sequence[str], shares: Tensor, constants: Mapping[str, Tensor]) -> Tensor:
    """Channels of acoustic images, in the order of their names; see :class:`AcousticImage`.

    Args:
        names: Of the channels.
        shares: (B, S, K, P) of the power.
        constants: By name (B, channels of that name) what is constant over the image.

    Returns:
        (B, C, P)
    """
    return torch.cat([_channel(name, shares, constants) for name in names], dim=1)


def _channel(name: str, shares: Tensor, constants: Mapping[str, Tensor]) -> Tensor:
    """(B, channels of that name, P)."""
    if name == 'contrast':
        return 10 * shares.clamp_min(MIN_SHARE).log10().flatten(1, 2)
    if name in constants:
        return constants[name][..., None].expand(-1, -1, shares.shape[-1])
    mean = shares.mean(2)  # (B, S, P)
    low, high = mean.amin(-1, keepdim=True), mean.amax(-1, keepdim=True)
    return (mean - low) / (high - low).clamp_min(MIN_SHARE)
