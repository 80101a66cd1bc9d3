"""Reading of a store: arrays of many samples in large memory-mapped files.

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

from mmav.media.array_files import map_npy
from mmav.utils.checks import check_below
from mmav.utils.errors import SampleError, malformed
from mmav.utils.readers import read_json

INDEX_FILE = 'index.json'
STORE_VERSION = 1
_MAX_OPEN_FILES = 256


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
    """A finished store in a folder on a local disk; what it holds is the subclass's.

    Raises:
        SampleError: If it is missing, unfinished, of another kind or version, or a file of it is missing or
            truncated.
    """

    KIND = 'store'  # what messages call it, and a store of that kind itself
    TOOL = ''  # what writes it

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        index_path = self.path / INDEX_FILE
        if not index_path.is_file():
            raise SampleError(str(path), f'no finished {self.KIND}: run {self.TOOL}')
        index = read_json(str(index_path))
        with malformed(str(index_path), 'is no index of a store: prepare it anew'):
            self._read_index(index)
        self._open_files: OrderedDict[tuple[int, str], np.ndarray] = OrderedDict()

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
        self._files = {}
        self._rows = {}
        for number, shard in enumerate(index['shards']):
            folder = self.path / shard['name']
            for name, entry in shard['files'].items():
                check_below(f'{shard["name"]}/{name}', str(path / INDEX_FILE))
                if not is_whole(folder, {name: entry}):
                    raise SampleError(
                        str(folder / name), f'missing or not of {entry["bytes"]} bytes: the store is damaged'
                    )
                self._files[folder / name] = entry['sha256']
            for row, frame in enumerate(shard['frames']):
                self._rows[frame] = (number, row)

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _open_files=OrderedDict())  # each worker maps the files itself

    def __len__(self) -> int:
        return len(self._rows) - len(self.failures)

    @property
    def array_names(self) -> list[str]:
        """Names of the arrays that it holds."""
        return sorted({path.stem for path in self._files})

    def verify(self) -> None:
        """Compare every file with its checksum; SampleError, naming the first that differs."""
        for file, checksum in self._files.items():
            if file_checksum(file) != checksum:
                raise SampleError(str(file), 'its checksum differs from the index: the store is damaged')

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

    def array(self, shard: int, name: str) -> np.ndarray:
        """Memory-mapped array of a shard; KeyError if the store does not hold it."""
        key = (shard, name)
        if key in self._open_files:
            self._open_files.move_to_end(key)
            return self._open_files[key]
        file = self.path / self._shards[shard] / f'{name}.npy'
        if file not in self._files:
            held = ', '.join(self.array_names)
            raise KeyError(f'the {self.KIND} {self.path} holds no {name!r}, only {held}')
        array = map_npy(file)
        if not array.ndim or len(array) != self._lengths[shard]:
            raise SampleError(
                str(file), f'has shape {array.shape}, the index {self._lengths[shard]} rows: prepare it anew'
            )
        self._open_files[key] = array
        if len(self._open_files) > _MAX_OPEN_FILES:  # a process may hold about a thousand
            self._open_files.popitem(last=False)
        return array
