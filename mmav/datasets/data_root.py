"""Paths of the files of a data set."""

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
