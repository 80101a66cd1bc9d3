"""Data whose order and augmentation depend on the seed and the place in the training alone.

MMEngine seeds the generators of a loader's workers when they start, so a resumed run repeats the augmentation
of the first iterations, and what a worker draws depends on how many of them there are. Here the sampler
numbers what it yields, and the dataset seeds its generators with that number for each sample. Then a resumed
run, another number of workers, and two processes with b samples each beside one with 2b see the same samples
with the same augmentation.
"""

import copy
import random
from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATA_SAMPLERS, DATASETS
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from ..hooks.exact_resume_hook import seed_generators


class NumberedIndex(int):
    """A dataset index that knows its number (epoch, place in the epoch counted over all processes)."""

    number: tuple[int, int]

    def __new__(cls, index: int, number: tuple[int, int]) -> 'NumberedIndex':
        """Make the index."""
        self = super().__new__(cls, index)
        self.number = number
        return self

    def __reduce__(self) -> tuple:
        return NumberedIndex, (int(self), self.number)


@DATA_SAMPLERS.register_module()
class CountedSampler(Sampler):
    """Numbers the indices of another sampler.

    Args:
        sampler: Config of the sampler: ``DefaultSampler``, ``InfiniteSampler``, ...
        dataset: The dataset.
        seed: The sampler's seed. Defaults to None.
    """

    def __init__(self, sampler: dict, dataset: Sized, seed: int | None = None) -> None:
        self.sampler = DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed))
        self.rank, self.world_size = get_dist_info()
        self._epoch = 0
        self._count = 0
        self._skip = 0

    def __getattr__(self, name: str) -> Any:
        if name == 'sampler':  # not set yet: while unpickled
            raise AttributeError(name)
        return getattr(self.sampler, name)

    def __iter__(self) -> Iterator[NumberedIndex]:
        # an endless sampler goes on with its stream when it is iterated again, so its numbers do too
        endless = not hasattr(self.sampler, 'epoch')
        count = self._count if endless else 0
        skip, self._skip = self._skip, 0
        for index in iter(self.sampler):
            if count >= skip:
                yield NumberedIndex(index, (self._epoch, count * self.world_size + self.rank))
            count += 1
            if endless:
                self._count = count

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, as in ``DefaultSampler``."""
        self._epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def skip(self, num_samples: int) -> None:
        """Start the next iteration later, without loading the first indices of the epoch or stream."""
        self._skip = num_samples


@DATASETS.register_module()
class CountedDataset:
    """Seeds the generators of Python, NumPy and PyTorch for each sample of another dataset, by its number.

    The process's own generators are left as they were. All other attributes are those of the dataset.

    Args:
        dataset: Config of the dataset.
        seed: Seed of the run.
    """

    def __init__(self, dataset: dict, seed: int) -> None:
        self.__dict__.update(_dataset=DATASETS.build(dataset), _seed=seed)

    def __getattr__(self, name: str) -> Any:
        if name == '_dataset':  # not set yet: while unpickled
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._dataset, name, value)

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        if not isinstance(index, NumberedIndex):
            return self._dataset[index]
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            # the 1 keeps these generators apart from those of the training steps
            seed_generators(self._seed, 1, *index.number)
            return self._dataset[int(index)]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])


def count_samples(dataloader: dict, seed: int) -> dict:
    """A training loader's config whose sampler and dataset are wrapped to number its samples."""
    dataloader = copy.deepcopy(dataloader)
    dataloader['dataset'] = dict(type=CountedDataset, dataset=dataloader['dataset'], seed=seed)
    dataloader['sampler'] = dict(type=CountedSampler, sampler=dataloader['sampler'])
    return dataloader
