"""What file backends of servers share: retries, connections of a process, and objects whole or not at all."""

import os
import random
import tempfile
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from logging import WARNING
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from mmengine.fileio import BaseStorageBackend, LocalBackend
from mmengine.logging import print_log

from mmav.utils.errors import StorageError

BLOCK = 1 << 20
"""Bytes that are taken from a connection at a time."""

MAX_CONNECTIONS = 32
"""That stay open for later requests: as many as verification has threads."""

_MAX_WAIT = 60.0  # seconds
_Result = TypeVar('_Result')


class TransientError(Exception):
    """One attempt failed in a way that may pass: no connection, no answer in time, an overloaded server, an
    answer that was cut off.
    """


class RemoteBackend(BaseStorageBackend):
    """Reads objects of a server. A failure that may pass is tried again, the others are errors at once.

    The waits double: ``backoff``, ``2 backoff``, ... up to a minute, each times a random 0.5 to 1, so that
    many workers do not come back at the same moment. An answer that holds less than the server announced
    counts as failed, never as a short object. Every process has connections of its own, so instances may be
    inherited by a fork. Local paths are read, too: a data set may have its lists on this machine and its
    files on a server.

    Args:
        retries: Attempts after the first one. Defaults to 5.
        timeout: Seconds without a connection, or without a byte, after which an attempt has failed.
            Defaults to 30.
        backoff: Seconds before the second attempt. Defaults to 1.

    Raises:
        ValueError: An argument is out of range.
        StorageError: In use, naming the object: all attempts have failed.
        FileNotFoundError: In use: the server has no such object.
        OSError: In use: it refuses to hand it out, or cannot do what is asked.
    """

    SCHEMES: tuple[str, ...] = ()

    def __init__(self, retries: int = 5, timeout: float = 30.0, backoff: float = 1.0) -> None:
        if retries < 0 or not timeout > 0 or not backoff >= 0:
            raise ValueError(
                f'retries must be at least 0, timeout above 0 and backoff at least 0, got {retries}, '
                f'{timeout} and {backoff}'
            )
        self.retries = retries
        self.timeout = timeout
        self.backoff = backoff
        self._local = LocalBackend()
        self._client: Any = None
        self._process = 0
        self._random = random.Random()  # its own: waits must not shift the randomness of a training

    # what a kind of server adds

    @abstractmethod
    def _connect(self) -> Any:
        """Make what :attr:`client` is in this process; threads share it."""

    @abstractmethod
    def _read(self, address: str, file: BinaryIO, start: int, length: int | None) -> int:
        """Write an object, or ``length`` bytes of it from ``start``, to a file; return the object's size.

        Raises:
            TransientError: The attempt failed in a way that may pass; an answer that was cut off is one.
            OSError: It failed for good.
        """

    @abstractmethod
    def _exists(self, address: str) -> bool:
        """Whether the server has an object; errors as of :meth:`_read`."""

    @abstractmethod
    def _list(self, address: str) -> tuple[list[str], list[str]]:
        """Names of the folders and of the files in a folder; errors as of :meth:`_read`."""

    # what mmengine's functions call

    def get(self, filepath: str | Path) -> bytes:
        """Content of an object; errors as of the class."""
        if self._is_local(filepath):
            return self._local.get(filepath)
        file = BytesIO()
        self._fetch(str(filepath), file)
        return file.getvalue()

    def get_text(self, filepath: str | Path, encoding: str = 'utf-8') -> str:
        """Text of an object; errors as of the class."""
        return self.get(filepath).decode(encoding)

    def get_range(self, filepath: str, start: int, length: int, size: int) -> bytes:
        """A stretch of an object.

        Args:
            filepath: Address of the object.
            start: First byte.
            length: Bytes.
            size: Bytes of the whole object; that of another size is an OSError.
        """
        if self._is_local(filepath):
            with open(filepath, 'rb') as local:
                local.seek(start)
                return local.read(length)
        file = BytesIO()
        found = self._fetch(filepath, file, start, length)
        if found != size:
            raise OSError(f'it has {found} bytes, expected are {size}: it was changed')
        return file.getvalue()

    @contextmanager
    def get_local_path(self, filepath: str | Path) -> Iterator[str]:
        """Fetch an object to a temporary file, which is removed at the end, and yield its path."""
        if self._is_local(filepath):
            yield str(filepath)
            return
        owner = os.getpid()
        suffix = PurePosixPath(str(filepath)).suffix
        handle, path = tempfile.mkstemp(suffix=suffix if suffix.isascii() and len(suffix) < 10 else '')
        try:
            with open(handle, 'wb') as file:
                self._fetch(str(filepath), file)
            yield path
        finally:
            if os.getpid() == owner:  # a forked process that drops this leaves the file to its parent
                Path(path).unlink(missing_ok=True)

    def exists(self, filepath: str | Path) -> bool:
        """Whether there is such an object; errors as of the class."""
        if self._is_local(filepath):
            return self._local.exists(filepath)
        return self._retry(str(filepath), lambda: self._exists(str(filepath)))

    isfile = exists

    def list_dir_or_file(
        self,
        dir_path: str | Path,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Names in a folder, relative to it, sorted; arguments as of mmengine's ``list_dir_or_file``."""
        if self._is_local(dir_path):
            yield from self._local.list_dir_or_file(dir_path, list_dir, list_file, suffix, recursive)
            return
        root = str(dir_path)
        folders, files = self._retry(root, lambda: self._list(root))
        if list_file:
            yield from sorted(name for name in files if suffix is None or name.endswith(suffix))
        for folder in sorted(folders):
            if list_dir and suffix is None:
                yield folder
            if recursive:
                below = self.join_path(root, folder)
                for name in self.list_dir_or_file(below, list_dir, list_file, suffix, True):
                    yield f'{folder}/{name}'

    def join_path(self, filepath: str | Path, *filepaths: str | Path) -> str:
        """Address of what lies below another one."""
        if self._is_local(filepath):
            return self._local.join_path(filepath, *filepaths)
        parts = [str(filepath).rstrip('/'), *(str(part).strip('/') for part in filepaths)]
        return '/'.join(part for part in parts if part)

    # attempts

    @property
    def client(self) -> Any:
        """Connections of this process."""
        if self._process != os.getpid():  # those of a parent are not to be shared
            self._client = self._connect()
            self._process = os.getpid()
        return self._client

    def _is_local(self, address: str | Path) -> bool:
        if '://' not in str(address):
            return True
        if not str(address).startswith(self.SCHEMES):
            raise ValueError(f'{address}: a {type(self).__name__} reads {" and ".join(self.SCHEMES)}')
        return False

    def _fetch(self, address: str, file: BinaryIO, start: int = 0, length: int | None = None) -> int:
        def attempt() -> int:
            file.seek(0)
            file.truncate()
            size = self._read(address, file, start, length)
            wanted = size if length is None else length
            if file.tell() != wanted:
                raise TransientError(f'cut off: {file.tell()} of {wanted} bytes came')
            return size

        return self._retry(address, attempt)

    def _retry(self, address: str, attempt: Callable[[], _Result]) -> _Result:
        number = self.retries + 1
        for count in range(1, number + 1):
            try:
                return attempt()
            except TransientError as error:
                reason = str(error)
            if count < number:
                wait = min(self.backoff * 2.0 ** (count - 1), _MAX_WAIT) * self._random.uniform(0.5, 1)
                print_log(
                    f'{address}: attempt {count} of {number} failed ({reason}), again in {wait:.1f} s',
                    'current',
                    WARNING,
                )
                time.sleep(wait)
        raise StorageError(
            address,
            f'could not be read in {number} attempt{"s" if number > 1 else ""} (the last: {reason}). That '
            'says nothing about the file: start again when the server answers (a training with --resume)',
        )
