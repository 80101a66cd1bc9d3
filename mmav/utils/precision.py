"""Precision of numbers: audio samples as floats, and what is computed in full precision."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Samples = TypeVar('Samples', np.ndarray, Tensor)

_INT16_SCALE = 32768


def as_float(audio: Samples) -> Samples:
    """Samples of int16, divided by 32768, or of floating point, as they are, as float32 in -1..1.

    Example:
        >>> as_float(np.array([-32768, 16384], np.int16)).tolist()
        [-1.0, 0.5]
    """
    if isinstance(audio, Tensor):
        return audio.float() / _INT16_SCALE if audio.dtype == torch.int16 else audio.float()
    if audio.dtype == np.int16:
        return audio.astype(np.float32) / _INT16_SCALE
    return audio.astype(np.float32, copy=False)


def check_float_samples(waveform: Tensor) -> None:
    """TypeError unless samples are of a floating-point type, as :func:`as_float` makes them."""
    if not waveform.is_floating_point():
        raise TypeError(f'expected float samples in -1..1, got {waveform.dtype}; divide int16 by 32768')


def full_precision(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 if it is of that: what autocast made half precision is not."""
    return tensor.to(full_precision_dtype(tensor))


def full_precision_dtype(tensor: Tensor) -> torch.dtype:
    """float64 for a tensor of float64, else float32; see :func:`full_precision`."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32
