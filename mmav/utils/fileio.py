"""Files and folders that are either whole or absent, whatever kills the writer."""

import errno
import glob
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from .locks import holds_lock

TEMPORARY_SUFFIX = '.mmav-tmp'


@contextmanager
def disk_errors(path: str | Path) -> Iterator[None]:
    """Let errors of the disk name the file: those of a write (disk full, quota) do not by themselves.

    Args:
        path: File or folder that is written.

    Example:
        >>> with disk_errors('out/frames.npy'):
        ...     raise OSError(28, 'No space left on device')
        Traceback (most recent call last):
        OSError: [Errno 28] No space left on device: 'out/frames.npy'
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def check_writable(path: str | Path, folder: bool = True) -> None:
    """Tell before long work, and without leaving anything, that its results could not be written.

    Args:
        path: Folder that will be made or filled, or file that will be written or replaced.
        folder: Which of the two. Defaults to True.

    Raises:
        OSError: A file is where a folder must be, or the other way round, or nothing can be written there.
    """
    path = Path(path)
    if not folder and path.is_dir():
        raise IsADirectoryError(errno.EISDIR, 'this is a folder, the file to write is wanted', str(path))
    place = path if folder else path.parent
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, 'this is a file, a folder is wanted', str(place))
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = f'nothing can be written to this folder ({error.strerror})'
        raise OSError(error.errno, reason, str(place)) from error


def _temporary_of(path: Path, suffix: str = '') -> Path:
    """A hidden name beside a path that nobody can foresee."""
    return path.with_name(f'.{path.name}.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}{suffix}')


def _real_path(path: str | Path) -> Path:
    """The path, or where it leads: a link stays, what it points to is replaced."""
    path = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _keep_mode(path: Path, temporary: Path) -> None:
    """Give what replaces a path the permissions that are in place."""
    if path.exists() and path.stat().st_mode != temporary.stat().st_mode:
        shutil.copymode(path, temporary)


@contextmanager
def whole_file(path: str | Path, flush: bool = True, keep_suffix: bool = False) -> Iterator[Path]:
    """Write a file whole or not at all.

    A file in place keeps its permissions; a link stays, and what it points to is replaced.

    Args:
        path: The file; its folder is made if missing.
        flush: Whether the content is on the disk before it takes the file's place, so that a power cut loses
            nothing. Thousands of small files are written faster without.
        keep_suffix: Whether the temporary file has the file's suffix, for writers that tell formats by it.
            Without, nothing that looks for files of that suffix finds it.

    Yields:
        Path of an empty file to write to, in the same folder. At the end it replaces the file; on an error it
        is removed, and the previous file stays.

    Example:
        >>> with whole_file('out/report.txt') as temporary:
        ...     size = temporary.write_text('all of it')
    """
    path = _real_path(path)
    temporary = _temporary_of(path, path.suffix if keep_suffix else '')
    try:
        with disk_errors(path):
            open(temporary, 'xb').close()
            yield temporary
            if flush:
                with open(temporary, 'rb+') as file:
                    os.fsync(file.fileno())
            _keep_mode(path, temporary)
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if flush and os.name == 'posix':  # the rename itself must reach the disk, too
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Write a folder whole or not at all: yields an empty one beside it, which replaces it at the end."""
    path = _real_path(path)
    temporary = _temporary_of(path)
    temporary.mkdir()
    try:
        with disk_errors(path):
            yield temporary
            _keep_mode(path, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if path.exists():
        shutil.rmtree(path)
    os.replace(temporary, path)


def remove_folder(path: str | Path) -> None:
    """Remove a folder; what a kill leaves of it is found by :meth:`AtomicLocalBackend.remove_leftovers`.

    Args:
        path: The folder; nothing is done if it is missing.
    """
    path = Path(path)
    if path.is_dir():
        temporary = _temporary_of(path)
        os.replace(path, temporary)
        shutil.rmtree(temporary)


class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` whose ``put`` and ``put_text`` replace the target in one step.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and the file is renamed. A
    killed process or a power cut leaves the previous file, and at most a temporary one beside it, which
    :meth:`remove_leftovers` deletes. Registered in MMEngine as ``atomic_local``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file, whose folder is made if missing.

        Raises:
            OSError: The disk is full, or the folder cannot be written. The previous file stays.
        """
        with whole_file(filepath) as temporary:
            temporary.write_bytes(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file; see :meth:`put`."""
        self.put(obj.encode(encoding), filepath)

    @staticmethod
    def remove_leftovers(folder: str | Path, name: str | None = None) -> list[str]:
        """Delete what a killed process left in a folder, not below it, if it is there.

        Args:
            folder: The folder, whose lock is held: a living process's temporary files look alike.
            name: Only what was to become the file of this name, whose lock is held. None: everything.

        Returns:
            Names of the leftovers.

        Raises:
            RuntimeError: This process holds no lock (:mod:`mmav.utils.locks`).
        """
        if not holds_lock(folder if name is None else Path(folder, name)):
            raise RuntimeError(f'{folder}: hold its folder_lock before you remove leftovers')
        start = '.*' if name is None else f'.{glob.escape(name)}.*'
        patterns = f'{start}{TEMPORARY_SUFFIX}', f'{start}{TEMPORARY_SUFFIX}.*'  # the second of `keep_suffix`
        leftovers = sorted(path for pattern in patterns for path in Path(folder).glob(pattern))
        for path in leftovers:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return [path.name for path in leftovers]


# a reloaded module registers its own class
register_backend('atomic_local', AtomicLocalBackend, force=True)


def write_json(path: str | Path, content: object, indent: int | None = None) -> None:
    """Write what json can hold to a file, whole or not at all; its folder is made if missing."""
    AtomicLocalBackend().put_text(json.dumps(content, indent=indent), path)
