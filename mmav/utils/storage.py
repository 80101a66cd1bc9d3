"""Files wherever they lie: what MMEngine's file backends answer, with errors that name the file.

Data sets and readers ask for files by these functions, so that all of them read from where a backend reads.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mmengine.fileio import get_file_backend

from .errors import SampleError


def is_remote(path: str | Path) -> bool:
    """Whether this is an address of a server, not a path of this machine."""
    return '://' in str(path)


def backend_of(path: str | Path, backend_args: dict | None = None) -> Any:
    """The file backend that reads a file.

    Args:
        path: The file, or an address.
        backend_args: Arguments of the backend. Where they name none, those of a server are nothing to a
            local file.

    Raises:
        SampleError: No backend reads such addresses.
    """
    if backend_args and 'backend' not in backend_args and not is_remote(path):
        backend_args = None
    try:
        return get_file_backend(path, backend_args=backend_args, enable_singleton=True)
    except KeyError as error:
        raise SampleError(str(path), f'no file backend is known for it ({error})') from error


@contextmanager
def backend_errors(path: str | Path) -> Iterator[None]:
    """Make SampleErrors of what backends raise.

    Args:
        path: The file that is read.
    """
    try:
        yield
    except SampleError:
        raise
    except FileNotFoundError:
        raise SampleError(str(path), 'the file is missing') from None
    except IsADirectoryError:
        raise SampleError(str(path), 'this is a folder, a file is wanted') from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        name = repr(str(path)) if '\0' in str(path) else str(path)
        raise SampleError(name, f'cannot be read ({error})') from error


def file_exists(path: str, backend_args: dict | None = None) -> bool:
    """Whether there is a file.

    Args:
        path: The file, or an address that a backend reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: It cannot be told.
    """
    with backend_errors(path):
        return _able(path, 'exists', backend_args)(path)


def list_files(
    folder: str, suffix: str | None = None, recursive: bool = False, backend_args: dict | None = None
) -> list[str]:
    """Names of the files in a folder, relative to it.

    Args:
        folder: The folder, or an address that a backend reads.
        suffix: Their end. Defaults to any.
        recursive: Whether to list what lies in folders below, too.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: The folder is missing, or cannot be listed.
    """
    lister = _able(folder, 'list_dir_or_file', backend_args)
    try:
        return list(lister(folder, list_dir=False, suffix=suffix, recursive=recursive))
    except OSError as error:
        raise SampleError(folder, f'the folder cannot be listed ({error})') from error


@contextmanager
def local_copy(path: str | Path, backend_args: dict | None = None) -> Iterator[str]:
    """Yield the path of a file's local copy, which is removed at the end; of a local file its own.

    Args:
        path: The file, or an address that a backend reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: A remote file is missing or cannot be read. Local ones are not looked for.
    """
    with ExitStack() as stack:
        with backend_errors(path):
            local = stack.enter_context(backend_of(path, backend_args).get_local_path(str(path)))
        yield str(local)


def read_range(path: str, start: int, length: int, size: int, backend_args: dict | None = None) -> bytes:
    """A stretch of a remote file.

    Args:
        path: Address.
        start: First byte.
        length: Bytes.
        size: Bytes that the whole file must have.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: It is missing, of another size, or cannot be read in parts.
    """
    with backend_errors(path):
        return _able(path, 'get_range', backend_args)(path, start, length, size)


def _able(path: str, method: str, backend_args: dict | None) -> Any:
    backend = backend_of(path, backend_args)
    if not hasattr(backend, method):
        raise SampleError(
            path, f'its backend {type(backend).__name__} has no {method}: copy the files to a local disk'
        )
    return getattr(backend, method)
