import pickle
import random

import numpy as np
import pytest
import torch
import toy_training  # noqa: F401  (registers the toy parts)
from mmdet.registry import DATASETS
from mmengine.runner import Runner

from mmav.engine.runner import CountedDataset, count_samples
from mmav.engine.runner.counted_data import NumberedIndex


def loader(sampler: str = 'DefaultSampler', num_workers: int = 0, seed: int = 3, **dataset):
    cfg = dict(
        batch_size=4,
        num_workers=num_workers,
        sampler=dict(type=sampler, shuffle=True),
        dataset=dict(type='ToyDataset', **dataset),
    )
    return Runner.build_dataloader(count_samples(cfg, seed), seed=seed)


def batches(data, count: int = 3) -> torch.Tensor:
    return torch.stack([torch.stack(batch['inputs']) for batch, _ in zip(data, range(count))])


def test_values_depend_on_seed_and_place_alone():
    expected = batches(loader())
    torch.manual_seed(99)
    np.random.seed(99)
    assert batches(loader()).equal(expected)
    assert batches(loader(num_workers=2)).equal(expected)
    assert not batches(loader(seed=4)).equal(expected)


def test_epochs_differ():
    data = loader()
    first = batches(data)
    data.sampler.set_epoch(1)
    second = batches(data)
    assert not second.equal(first)
    data.sampler.set_epoch(0)
    assert batches(data).equal(first)


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'InfiniteSampler'])
def test_skipping_gives_what_comes_later(sampler):
    expected = batches(loader(sampler))[2]
    data = loader(sampler)
    data.sampler.skip(8)
    assert batches(data, 1)[0].equal(expected)


def test_augmentation_is_independent_between_samples():
    # the same sample at another place of the stream is augmented in another way
    dataset = CountedDataset(dict(type='ToyDataset'), seed=0)
    draws = torch.stack([dataset[NumberedIndex(5, (0, place))]['inputs'] for place in range(50)])
    assert len(draws.unique(dim=0)) == 50


def test_the_process_keeps_its_generators():
    dataset = CountedDataset(dict(type='ToyDataset'), seed=0)
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    dataset[NumberedIndex(0, (0, 0))]
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected


def test_is_the_dataset_otherwise():
    dataset = CountedDataset(dict(type='ToyDataset', size=5), seed=0)
    assert len(dataset) == 5 and dataset.metainfo == dict(classes=('vehicle',))
    dataset.augment = False  # hooks that switch pipelines set attributes
    plain = DATASETS.build(dict(type='ToyDataset', size=5, augment=False))
    assert dataset[2]['inputs'].equal(plain[2]['inputs'])
    copy = pickle.loads(pickle.dumps(dataset))  # for workers that are spawned
    assert copy[NumberedIndex(2, (0, 1))]['inputs'].equal(plain[2]['inputs'])
    with pytest.raises(AttributeError, match='nothing_of_that_name'):
        dataset.nothing_of_that_name  # noqa: B018


def test_numbered_index_travels():
    index = pickle.loads(pickle.dumps(NumberedIndex(4, (2, 9))))
    assert index == 4 and index.number == (2, 9)
