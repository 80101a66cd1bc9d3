"""Where the files of a data set lie."""

from collections.abc import Iterable
from typing import Any

from mmengine.fileio import join_path


def below_root(data_root: str | None, path: str) -> str:
    """A path below a data set's root (None or '': there is none); absolute paths and addresses stay.

    Example:
        >>> below_root('data/mavd', 'train.txt'), below_root('data/mavd', '/labels/train.txt')
        ('data/mavd/train.txt', '/labels/train.txt')
    """
    if path.startswith('/') or '://' in path or not data_root:
        return path
    return join_path(data_root, path)


def hand_down(backend_args: dict | None, loaders: Iterable[Any]) -> None:
    """Let transforms that load a data set's files read them by its file backend, in place.

    Args:
        backend_args: The data set's. Transforms that have their own keep them.
        loaders: The transforms.
    """
    for loader in loaders:
        if loader.backend_args is None:
            loader.backend_args = backend_args
