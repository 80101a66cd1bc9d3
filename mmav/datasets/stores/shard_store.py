"""Reading of a store: arrays of many samples in large files, memory-mapped or read by rows from a server.

A store is a folder::

    index.json                   written last: settings, shards, checksums, samples that could not be read
    shard_00000/<name>.npy       (samples, ...): one file for each kind of array
    shard_00000/shard.json       the shard's samples and checksums
    shard_00001/...

Rows follow the shard's list of samples (``frames`` in the json files). ``shard_writer.py`` writes shards.
"""

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mmav.media.array_files import RemoteRows, map_npy
from mmav.utils.checks import check_below
from mmav.utils.errors import SampleError, StorageError, malformed
from mmav.utils.readers import read_json
from mmav.utils.storage import is_remote, read_range

INDEX_FILE = 'index.json'
STORE_VERSION = 1
_MAX_OPEN_FILES = 256
_BLOCK = 16 << 20  # bytes of a file on a server that are compared at a time


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, 'rb') as file:
        return (
            hashlib.file_digest(file, 'sha256').hexdigest()
            if hasattr(hashlib, 'file_digest')
            else _digest(file)
        )


def _digest(file: BinaryIO) -> str:
    """For Python 3.10, which has no hashlib.file_digest."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def is_whole(folder: Path, files: dict[str, dict]) -> bool:
    """Whether files of a shard have the sizes they were written with: by name ``bytes`` and ``sha256``."""
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == entry['bytes']
        for name, entry in files.items()
    )


class ShardStore:
    """A finished store in a folder; what it holds is the subclass's.

    Files on a local disk are mapped into memory. From a server the rows that are asked for are fetched one by
    one, by a file backend that reads parts of files: those of :mod:`mmav.engine.backends` do.

    Args:
        path: The folder, or its address.
        backend_args: Of mmengine's file backends.

    Raises:
        SampleError: If it is missing, unfinished, of another kind or version, or a file of it is missing or
            truncated (on a server: when a row of it is asked for).
    """

    KIND = 'store'  # what messages call it, and a store of that kind itself
    TOOL = ''  # what writes it

    def __init__(self, path: str, backend_args: dict | None = None) -> None:
        self.is_remote = is_remote(path)
        self.path: str | Path = str(path).rstrip('/') if self.is_remote else Path(path)
        self.backend_args = backend_args
        index_path = self._file(INDEX_FILE)
        if not self.is_remote and not Path(index_path).is_file():
            raise SampleError(str(path), f'no finished {self.KIND}: run {self.TOOL}')
        try:
            index = read_json(index_path, backend_args)
        except StorageError:
            raise
        except SampleError as error:
            raise SampleError(index_path, f'{error.reason}: no finished {self.KIND} ({self.TOOL})') from error
        with malformed(index_path, 'is no index of a store: prepare it anew'):
            self._read_index(index)
        self._open_files: OrderedDict[tuple[int, str], np.ndarray | RemoteRows] = OrderedDict()

    def _file(self, name: str) -> str:
        return f'{self.path}/{name}'

    def _read_index(self, index: dict) -> None:
        path = self.path
        if index.get('version') != STORE_VERSION:
            raise SampleError(
                str(path), f'store version {index.get("version")}, expected {STORE_VERSION}: prepare it anew'
            )
        self.settings = index['settings']
        kind = self.settings.get('kind', 'prepared store')  # those of prepared frames do not say
        if kind != self.KIND:
            raise SampleError(str(path), f'this is a {kind}, expected a {self.KIND}: run {self.TOOL}')
        self.failures: dict[str, str] = dict(index['failures'])
        self._shards = [shard['name'] for shard in index['shards']]
        self._lengths = [len(shard['frames']) for shard in index['shards']]
        self._files: dict[str, dict] = {}
        self._rows = {}
        for number, shard in enumerate(index['shards']):
            for name, entry in shard['files'].items():
                file = f'{shard["name"]}/{name}'
                check_below(file, self._file(INDEX_FILE))
                if not self.is_remote and not is_whole(Path(path, shard['name']), {name: entry}):
                    raise SampleError(
                        self._file(file), f'missing or not of {entry["bytes"]} bytes: the store is damaged'
                    )
                self._files[file] = dict(bytes=int(entry['bytes']), sha256=entry['sha256'])
            for row, frame in enumerate(shard['frames']):
                self._rows[frame] = (number, row)

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _open_files=OrderedDict())  # each worker maps the files itself

    def __len__(self) -> int:
        return len(self._rows) - len(self.failures)

    @property
    def array_names(self) -> list[str]:
        """Names of the arrays that it holds."""
        return sorted({Path(file).stem for file in self._files})

    def verify(self) -> None:
        """Compare every file with its checksum; SampleError, naming the first that differs."""
        for file, entry in self._files.items():
            if self._checksum(file, entry['bytes']) != entry['sha256']:
                raise SampleError(
                    self._file(file), 'its checksum differs from the index: the store is damaged'
                )

    def _checksum(self, file: str, size: int) -> str:
        if not self.is_remote:
            return file_checksum(Path(self._file(file)))
        digest = hashlib.sha256()
        for start in range(0, size, _BLOCK):
            length = min(_BLOCK, size - start)
            digest.update(read_range(self._file(file), start, length, size, self.backend_args))
        return digest.hexdigest()

    def row(self, frame: str) -> tuple[int, int]:
        """Shard and row of a sample; SampleError if the store lacks it, or it could not be read then."""
        if frame in self.failures:
            raise SampleError(
                frame, f'could not be read when {self.path} was prepared: {self.failures[frame]}'
            )
        if frame not in self._rows:
            raise SampleError(
                frame, f'not in the {self.KIND} {self.path}: prepare a store with its split ({self.TOOL})'
            )
        return self._rows[frame]

    def array(self, shard: int, name: str) -> np.ndarray | RemoteRows:
        """Array of a shard, mapped into memory or read by rows; KeyError if the store does not hold it."""
        key = (shard, name)
        if key in self._open_files:
            self._open_files.move_to_end(key)
            return self._open_files[key]
        file = f'{self._shards[shard]}/{name}.npy'
        if file not in self._files:
            held = ', '.join(self.array_names)
            raise KeyError(f'the {self.KIND} {self.path} holds no {name!r}, only {held}')
        path = self._file(file)
        array = (
            RemoteRows(path, self._files[file]['bytes'], self.backend_args)
            if self.is_remote
            else map_npy(path)
        )
        if not array.ndim or len(array) != self._lengths[shard]:
            raise SampleError(
                path, f'has shape {array.shape}, the index {self._lengths[shard]} rows: prepare it anew'
            )
        self._open_files[key] = array
        if len(self._open_files) > _MAX_OPEN_FILES:  # a process may hold about a thousand
            self._open_files.popitem(last=False)
        return array
