"""Data sets that are made of several: what they have in common, and what belongs to each."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from mmdet.registry import DATASETS

from .config_parts import dataset_name

_GEOMETRY = ('rig', 'microphone_positions')  # told by each sample, or by its own data set alone
_OF_WRAPPERS = {'cumulative_sizes'}


def built_datasets(dataset: Any) -> list:
    """The data sets that a data set wraps, at any depth, or itself, in their order.

    Args:
        dataset: The data set; whatever has ``datasets`` or ``dataset`` wraps others.
    """
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [leaf for one in inner for leaf in built_datasets(one)] if inner[0] is not None else [dataset]


def build_joined(configs: Iterable[Mapping[str, Any]]) -> Any:
    """Build one data set, or several as one.

    Args:
        configs: A config or several of data sets that wrap none.

    Raises:
        ValueError: They cannot be joined; see :func:`join_metainfo`.
    """
    datasets = [DATASETS.build(config) for config in configs]
    if len(datasets) == 1:
        return datasets[0]
    joined = DATASETS.build(dict(type='ConcatDataset', datasets=datasets))
    join_metainfo(joined)
    return joined


def join_metainfo(dataset: Any) -> None:
    """Let a data set that wraps several tell what these have in common, in place.

    MMDetection's ``ConcatDataset`` gives a list where they differ, which nothing takes. Different arrays are
    admitted: samples carry ``microphone_positions``, and the rig is that of each data set
    (:func:`built_datasets`). Keys that ``ignore_keys`` of a wrapper names are the first's.

    Args:
        dataset: The data set.

    Raises:
        ValueError: The data sets differ in something else, or, where sound is loaded, in the number of
            microphones; the message names two of them and the difference.
    """
    first, *others = built_datasets(dataset)
    if not others:
        return
    ignored = _OF_WRAPPERS | _ignored(dataset)
    own = getattr(first, 'metainfo', {})
    common = dict(own)
    for other in others:
        found = getattr(other, 'metainfo', {})
        for key in sorted(common.keys() | found.keys() - set(_GEOMETRY)):
            if key in ignored or _equal(own.get(key), found.get(key)):
                continue
            if key not in _GEOMETRY:
                raise ValueError(
                    f'{dataset_name(first)} and {dataset_name(other)} cannot be joined, for they differ in '
                    f'{key}: {own.get(key)} and {found.get(key)}; make them agree in metainfo, or '
                    f'take the first by ignore_keys=[{key!r}] of the data set that joins them'
                )
            del common[key]
        numbers = [len(info.get('microphone_positions', ())) for info in (own, found)]
        if all(numbers) and numbers[0] != numbers[1] and all(map(_loads_sound, (first, other))):
            raise ValueError(
                f'{dataset_name(first)} and {dataset_name(other)} cannot be joined: their arrays have '
                f'{numbers[0]} and {numbers[1]} microphones, and one model takes one number'
            )
    _set_metainfo(dataset, common)


def _ignored(dataset: Any) -> set[str]:
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    keys = set(getattr(dataset, 'ignore_keys', None) or ())
    return keys.union(*(_ignored(one) for one in inner if one is not None))


def _set_metainfo(dataset: Any, metainfo: Mapping[str, Any]) -> None:
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner[0] is None:
        return
    for one in inner:
        _set_metainfo(one, metainfo)
    if hasattr(dataset, '_metainfo'):
        sizes = getattr(dataset, 'cumulative_sizes', None)
        dataset._metainfo = dict(metainfo, **({} if sizes is None else dict(cumulative_sizes=sizes)))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def _loads_sound(dataset: Any) -> bool:
    """Whether its pipeline reads a number of microphones, as LoadMultichannelAudio does."""
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    return any(hasattr(step, 'num_channels') for step in steps)
