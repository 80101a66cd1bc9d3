"""Inputs of the stored vectors, by the rule of tests/data/golden/README.md."""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parent / 'data' / 'golden'
OFFICIAL_KEYS = GOLDEN.parent / 'official_keys'


def golden_input(name: str, shape: tuple[int, ...], kind: str = 'normal', seed: int = 1) -> torch.Tensor:
    """The input of that name, float64; kind 'normal' or 'rand' (0..1)."""
    rng = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    return torch.from_numpy(rng.standard_normal(shape) if kind == 'normal' else rng.random_sample(shape))


def golden_parameter(name: str, shape: tuple[int, ...], seed: int = 1) -> torch.Tensor:
    """The parameter of that published name, float64 (batch counters int64)."""
    last = name.split('.')[-1]
    if last == 'num_batches_tracked':
        return torch.zeros(shape, dtype=torch.int64)
    x = golden_input(name, shape, seed=seed)
    if last == 'running_var':
        return 1 + 0.5 * x.abs()
    if last == 'running_mean':
        return 0.1 * x
    if len(shape) < 2:
        around_one = last == 'weight' or (last.startswith('p') and '_w' in last)
        return (1 if around_one else 0) + 0.1 * x
    return x / math.sqrt(math.prod(shape[1:]))


def golden_state_dict(network: str, seed: int = 1) -> dict[str, torch.Tensor]:
    """A checkpoint of a published network by its list of names, filled by the rule."""
    shapes = json.loads((OFFICIAL_KEYS / f'{network}.json').read_text())
    return {name: golden_parameter(name, tuple(shape), seed) for name, shape in shapes.items()}
