"""What a config says: the classes that its types name, and the data sets within those that wrap others."""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmdet.registry import DATASETS, TRANSFORMS
from mmengine.config import ConfigDict
from mmengine.registry import Registry


def class_of(node: Mapping[str, Any], registry: Registry = TRANSFORMS) -> Any:
    """Class or function that a node of a config builds; None where nothing is registered by its name.

    Args:
        node: With ``type``: a name, one with a scope (``'mmdet.Resize'``), a path, or the class itself.
        registry: Where names are looked up. Defaults to that of transforms.

    Example:
        >>> class_of(dict(type='mmdet.Resize')) is class_of(dict(type='Resize'))
        True
    """
    kind = node.get('type')
    if not isinstance(kind, str):
        return kind
    scope = node.get('_scope_')
    return registry.get(f'{scope}.{kind}' if scope and '.' not in kind else kind)


def builds(node: Mapping[str, Any], *classes: type, registry: Registry = TRANSFORMS) -> bool:
    """Whether a node of a config builds one of some classes, or of their subclasses.

    Args:
        node: See :func:`class_of`.
        *classes: The classes.
        registry: See :func:`class_of`.
    """
    kind = class_of(node, registry)
    return inspect.isclass(kind) and issubclass(kind, classes)


def wrapped(dataset: Mapping[str, Any]) -> list:
    """Configs of the data sets that a data set wraps, in ``dataset`` or ``datasets``; none if it wraps none.

    Args:
        dataset: Config of a data set.

    Raises:
        ValueError: What it wraps is no config of a data set, or there is none.
    """
    for key in ('datasets', 'dataset'):
        if key in dataset:
            inner = list(dataset[key]) if isinstance(dataset[key], (list, tuple)) else [dataset[key]]
            if not inner or not all(isinstance(node, Mapping) for node in inner):
                raise ValueError(
                    f'{key} of {dataset.get("type")} must be configs of data sets, got {dataset[key]!r}'
                )
            return inner
    return []


def pipeline_nodes(dataset: Any) -> Iterator[Any]:
    """The nodes of a data set's config whose pipelines come last: its own, or those of what it wraps.

    Args:
        dataset: Config of a data set.
    """
    inner = [] if dataset.get('pipeline') else wrapped(dataset)  # that of MultiImageMixDataset comes last
    if not inner:
        yield dataset
    for node in inner:
        yield from pipeline_nodes(node)


def inner_datasets(dataset: Mapping[str, Any]) -> list[ConfigDict]:
    """Configs of the data sets that a data set wraps, at any depth, or its own: copies, in their order.

    Args:
        dataset: Config of a data set. Pipelines of what wraps others follow on those of the others.
    """
    if not wrapped(dataset):
        return [ConfigDict(copy.deepcopy(dict(dataset)))]
    found = [leaf for node in wrapped(dataset) for leaf in inner_datasets(node)]
    for leaf in found:
        if dataset.get('pipeline'):
            leaf.pipeline = [*leaf.get('pipeline', ()), *copy.deepcopy(dataset['pipeline'])]
    return found


def common_dataset(
    dataset: Mapping[str, Any], needed: Callable[[ConfigDict], Mapping[str, Any]], source: str
) -> ConfigDict:
    """The first of :func:`inner_datasets`, which agrees with the others in all that is needed of it.

    Args:
        dataset: Config of a data set.
        needed: What is needed of a data set's config, by names for messages.
        source: What messages call ``dataset``.

    Raises:
        ValueError: They differ in it; the message names both data sets and what differs.
    """
    first, *others = inner_datasets(dataset)
    wanted = needed(first)
    for other in others:
        found = needed(other)
        for key in wanted:
            if _comparable(wanted[key]) != _comparable(found[key]):
                raise ValueError(
                    f'the data sets of {source} differ in {key}: {dataset_name(first)} has {wanted[key]}, '
                    f'{dataset_name(other)} has {found[key]}: make them agree, or name one of them alone'
                )
    return first


def dataset_of(cfg: Mapping[str, Any], split: str = 'test') -> Any:
    """Config of a split's data set.

    Args:
        cfg: The config.
        split: 'train', 'val' or 'test'.

    Raises:
        ValueError: There is none.
    """
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
    if not dataset:
        raise ValueError(f'the config has no {split}_dataloader.dataset, which is needed here')
    return dataset


def dataset_metainfo(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Metainfo that a data set's class and config tell, without its files.

    Args:
        dataset: Config of a data set that wraps none.
    """
    return {**getattr(class_of(dataset, DATASETS), 'METAINFO', {}), **(dataset.get('metainfo') or {})}


def dataset_name(dataset: Any) -> str:
    """What messages call a data set: its class, and where its files are.

    Args:
        dataset: The data set, or its config.
    """
    if isinstance(dataset, Mapping):
        kind, values = class_of(dataset, DATASETS), dataset
        name = getattr(kind, '__name__', str(dataset.get('type')))
    else:
        values, name = vars(dataset), type(dataset).__name__
    keys = ('data_root', 'ann_file', 'split_file')
    return f'{name}({", ".join(f"{key}={values[key]!r}" for key in keys if values.get(key))})'


def _comparable(value: Any) -> Any:
    """Types as classes, tuples as lists: what is written in two ways is the same."""
    if isinstance(value, Mapping):
        known = dict(value)
        if 'type' in known:
            known['type'] = class_of(value) or known['type']
            known.pop('_scope_', None)
        return {key: item if key == 'type' else _comparable(item) for key, item in known.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_comparable(item) for item in value]
    return value.tolist() if hasattr(value, 'tolist') else value
