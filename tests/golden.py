"""Inputs of the stored vectors, by the rule of tests/data/golden/README.md."""

import zlib
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parent / 'data' / 'golden'


def golden_input(name: str, shape: tuple[int, ...], kind: str = 'normal', seed: int = 1) -> torch.Tensor:
    """The input of that name, float64; kind 'normal' or 'rand' (0..1)."""
    rng = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    return torch.from_numpy(rng.standard_normal(shape) if kind == 'normal' else rng.random_sample(shape))
