"""Reading checkpoints safely (tensors only, no code) and loading them strictly."""

import io
import os.path as osp
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from logging import WARNING
from typing import Any

import numpy as np
import torch
import torchvision
from mmengine.dist import barrier, get_rank
from mmengine.fileio import get
from mmengine.logging import HistoryBuffer, print_log
from torch import Tensor, nn

from .readers import check_zip, refuse_stand_in

TORCHVISION_SCHEME = 'torchvision://'


def _history_statistic(owner: type, name: str) -> Callable:
    """What stands for ``getattr`` while a checkpoint is read: it finds the statistics of log histories only.

    mmengine's log histories carry their statistics functions, which pickle writes as
    ``getattr(HistoryBuffer, 'mean')``. ``getattr`` itself would open every object to a crafted file.
    """
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise ValueError(f'the attribute {name!r} of {owner!r} is not admitted')
    return getattr(owner, name)


def _under_name(function: Callable, module: str, name: str) -> Callable:
    """The function under the name that files hold: torch finds what it admits by name."""

    def renamed(*args: Any) -> Any:
        return function(*args)

    renamed.__module__, renamed.__qualname__, renamed.__name__ = module, name, name
    return renamed


def _training_globals() -> list[Any]:
    # Beyond tensors, a training checkpoint of mmengine holds log histories and numpy arrays.
    numpy_core: Any = getattr(np, '_core', None) or np.core
    dtypes = {type(np.dtype(name)) for name in ('float64', 'float32', 'int64', 'int32', 'uint32', 'bool')}
    arrays = [
        # numpy 2 renamed core; either reads what the other has written
        _under_name(getattr(numpy_core.multiarray, name), f'numpy.{core}.multiarray', name)
        for core in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    ]
    statistic = _under_name(_history_statistic, 'builtins', 'getattr')
    return [HistoryBuffer, statistic, *arrays, np.ndarray, np.dtype, *dtypes]


@contextmanager
def admit(objects: Sequence[Any]) -> Iterator[None]:
    """Let ``torch.load(weights_only=True)`` read some more classes and functions for a while.

    What ``torch.serialization.safe_globals`` does, which torch 2.4 does not have.
    """
    before = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals(list(objects))
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def read_checkpoint(path: str, map_location: str | Callable = 'cpu') -> dict[str, Any]:
    """Read a checkpoint without running code from it.

    Args:
        path: ``torchvision://<model>`` (ImageNet weights, version 1; another one as
            ``torchvision://<model>.<weights>``, e.g. ``resnet50.imagenet1k_v2``), ``http(s)://...``, or
            whatever mmengine's file backends read.
        map_location: Device of the tensors.

    Raises:
        FileNotFoundError: If a local file is missing.
        ValueError: If torchvision has no such model or weights, or the file is no checkpoint, is
            truncated, differs from its own checksums, or holds more than tensors, numbers, strings and log
            histories.
    """
    if path.startswith(TORCHVISION_SCHEME):
        return _download(_torchvision_url(path), map_location)
    if path.startswith(('http://', 'https://')):
        return _download(path, map_location)
    content = get(osp.expanduser(path))
    refuse_stand_in(content[:512], path)
    if content.startswith(b'PK'):  # torch before 1.6 wrote no archives
        # torch compares no checksums; it does not compress either
        check_zip(content, path, limit=len(content))
    try:
        with admit(_training_globals()):
            checkpoint = torch.load(io.BytesIO(content), map_location=map_location, weights_only=True)
    except Exception as error:  # torch raises a different type for each way a file can be broken
        raise ValueError(
            f'{path} cannot be read as a checkpoint (it is damaged, or holds more than weights): {error}'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint or a state dict')
    if not all(isinstance(key, str) for key in checkpoint) or not isinstance(
        checkpoint.get('meta', {}), dict
    ):
        raise ValueError(f'{path} is no checkpoint: its keys must be names, and its meta a dict')
    return checkpoint


def _torchvision_url(path: str) -> str:
    name, _, version = path[len(TORCHVISION_SCHEME) :].partition('.')
    try:
        weights = torchvision.models.get_model_weights(name)
        return weights[version.upper() or 'IMAGENET1K_V1'].url
    except (KeyError, ValueError) as error:
        raise ValueError(f'{path}: torchvision has no such weights') from error


def _download(url: str, map_location: str | Callable) -> dict[str, Any]:
    # The first process downloads, the others then read its cached file.
    if get_rank() != 0:
        barrier()
    try:
        return torch.hub.load_state_dict_from_url(
            url, map_location=map_location, weights_only=True, check_hash='download.pytorch.org' in url
        )
    finally:
        if get_rank() == 0:
            barrier()


def select_state_dict(
    checkpoint: Mapping[str, Any], prefix: str = '', source: str = 'checkpoint'
) -> 'OrderedDict':
    """Parameters and buffers of a checkpoint, or of its submodule ``prefix``, whose names lose that.

    The checkpoint is mmengine's (under ``state_dict``), another's (``model``), or a bare state dict. A
    ``module.`` before all names, which data parallel wrappers leave, is removed.

    Raises:
        KeyError: If nothing has that prefix.
        ValueError: If the state dict holds something that is no tensor.
    """
    for key in ('state_dict', 'model'):
        if isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
            break
    if not all(isinstance(name, str) for name in checkpoint):
        raise ValueError(f'{source}: a state dict has names for keys')
    if checkpoint and all(name.startswith('module.') for name in checkpoint):
        checkpoint = {name[len('module.') :]: value for name, value in checkpoint.items()}
    start = f'{prefix.rstrip(".")}.' if prefix else ''
    selected = OrderedDict(
        (name[len(start) :], value) for name, value in checkpoint.items() if name.startswith(start)
    )
    if not selected:
        found = sorted({name.split('.')[0] for name in checkpoint})
        raise KeyError(f'{source} holds nothing under {prefix!r}; it has {found}')
    wrong = [name for name, value in selected.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ValueError(f'{source}: no tensors: {wrong[:5]}')
    return selected


def load_strict(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    source: str = 'checkpoint',
    allow_missing: Iterable[str] = (),
    allow_unexpected: Iterable[str] = (),
    allow_other_shape: Iterable[str] = (),
    remedy: str = '',
) -> None:
    """Load a state dict, every name and shape of it, or none.

    Batch counters (``num_batches_tracked``) may be missing: old checkpoints have none. What else need not fit
    is named by starts of parameters' names, in which ``*`` stands for anything (``'roi_head.*.fc_cls'``).

    Args:
        module: Receives the parameters and buffers.
        state_dict: The parameters and buffers.
        source: What messages call it.
        allow_missing: What it need not hold.
        allow_unexpected: What is left out if the module has none of that name.
        allow_other_shape: What is left out, and logged, if its shape is another one; the module's own values
            stay.
        remedy: What the error says on shapes that differ.

    Raises:
        RuntimeError: If a name is missing or unexpected, or a shape differs; the message lists them.
    """
    allow_missing, allow_unexpected, allow_other_shape = map(
        tuple, (allow_missing, allow_unexpected, allow_other_shape)
    )
    own = module.state_dict()
    other_shapes = {
        name: f'{name} {tuple(value.shape)} for {tuple(own[name].shape)}'
        for name, value in state_dict.items()
        if name in own and value.shape != own[name].shape
    }
    left_out = {name for name in other_shapes if _begins(name, allow_other_shape)}
    missing = [
        name
        for name in own
        if name not in state_dict
        and not _begins(name, allow_missing)
        and not name.endswith('num_batches_tracked')
    ]
    unexpected = [name for name in state_dict if name not in own and not _begins(name, allow_unexpected)]
    shapes = [text for name, text in other_shapes.items() if name not in left_out]
    if missing or unexpected or shapes:
        parts = dict(missing=missing, unexpected=unexpected)
        parts['of another shape'] = shapes
        listed = '\n'.join(f'  {what}: {", ".join(names)}' for what, names in parts.items() if names)
        hint = f'\n{remedy}' if remedy and shapes else ''
        raise RuntimeError(f'{source} does not fit {type(module).__name__}:\n{listed}{hint}')
    if left_out:
        listed = ', '.join(text for name, text in other_shapes.items() if name in left_out)
        print_log(f'Not loaded from {source}, for they are of another shape: {listed}', 'current', WARNING)
    loaded = {name: value for name, value in state_dict.items() if name in own and name not in left_out}
    module.load_state_dict(loaded, strict=False)


def _begins(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, f'{pattern}*') for pattern in patterns)
