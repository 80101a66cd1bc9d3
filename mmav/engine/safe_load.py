"""Reading the checkpoints of training runs."""

from collections.abc import Callable

import torch
from mmengine.logging import HistoryBuffer

from ..utils.checkpoint import read_checkpoint

_STATISTICS = ('min', 'max', 'current', 'mean')


def _history_statistic(owner: type, name: str) -> Callable:
    """What stands for ``getattr`` while a checkpoint is read: it only finds the statistics of log histories.

    MMEngine's log histories carry their statistics functions, which pickle writes as ``getattr(HistoryBuffer,
    'mean')``. To admit ``getattr`` itself would open every object to a crafted file.
    """
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise ValueError(f'the attribute {name!r} of {owner!r} is not admitted')
    return getattr(owner, name)


# PyTorch finds what it admits by these names
_history_statistic.__module__ = 'builtins'
_history_statistic.__qualname__ = _history_statistic.__name__ = 'getattr'


def load_training_checkpoint(path: str, map_location: str | Callable = 'cpu') -> dict:
    """Read a checkpoint that MMEngine's runner saved, log histories included, without running code from it.

    Args:
        path (str): What :func:`mmav.utils.checkpoint.read_checkpoint` reads.
        map_location (str or Callable): As in ``torch.load``. Defaults to 'cpu'.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: A local file is missing.
        ValueError: The file is damaged, no checkpoint, or holds objects that are not admitted.
    """
    with torch.serialization.safe_globals([_history_statistic]):
        return read_checkpoint(path, map_location)
