"""Writing of the shards of a store (its layout: ``shard_store.py``)."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from numpy.lib.format import dtype_to_descr, write_array_header_1_0

from mmav.utils.errors import SampleError, StorageError
from mmav.utils.fileio import whole_folder, write_json
from mmav.utils.readers import read_json
from mmav.utils.run_parameters import record_parameters

from .shard_store import INDEX_FILE, STORE_VERSION, file_checksum, is_whole

_SETTINGS_FILE = 'store.json'
_SHARD_FILE = 'shard.json'


def record_settings(path: Path, settings: Mapping, kind: str) -> None:
    """Note all that a store's bytes depend on in its folder, or see that the settings in place are the same.

    This process holds the folder (:func:`folder_lock`). What a kill left is removed. FileExistsError if the
    folder holds something else than this ``kind``.
    """
    record_parameters(path / _SETTINGS_FILE, json.dumps(settings, indent=1), f'is a {kind} of other settings')


def shard_folder(path: Path, number: int) -> Path:
    """Folder of a shard."""
    return path / f'shard_{number:05d}'


def unfinished_shards(path: Path, count: int) -> list[int]:
    """Numbers of the shards, of ``count``, that are to be written, or have a file missing or truncated."""
    numbers = []
    for number in range(count):
        folder = shard_folder(path, number)
        if (folder / _SHARD_FILE).is_file():
            if is_whole(folder, read_json(str(folder / _SHARD_FILE))['files']):
                continue
            print_log(f'{folder} is truncated and is written again', 'current')
        numbers.append(number)
    return numbers


def write_shard(
    folder: Path,
    names: Sequence[str],
    samples: Iterable[Mapping[str, np.ndarray] | SampleError],
    on_error: str = 'raise',
) -> None:
    """Write a shard whole or not at all.

    Args:
        folder: See :func:`shard_folder`; one that is there is replaced.
        names: Of its samples.
        samples: Arrays of each of them by name, of equal shapes and types; or why there are none.
        on_error: 'raise', or 'skip' to note samples without arrays in the shard. Defaults to 'raise'.

    Raises:
        SampleError: If a sample has none, or they differ from those before, and ``on_error`` is 'raise'.
    """
    with whole_folder(folder) as temporary:
        _write_arrays(temporary, folder.name, names, samples, on_error)


def _write_arrays(
    folder: Path,
    name_of_shard: str,
    names: Sequence[str],
    samples: Iterable[Mapping[str, np.ndarray] | SampleError],
    on_error: str,
) -> None:
    failures = {}
    with ExitStack() as stack:
        writers: dict[str, _RowWriter] = {}
        for row, (frame, sample) in enumerate(zip(names, samples, strict=True)):
            try:
                if isinstance(sample, SampleError):
                    raise sample
                for name, values in sample.items():
                    if name not in writers:
                        file = folder / f'{name}.npy'
                        writers[name] = stack.enter_context(_RowWriter(file, len(names), values))
                    writers[name].check(frame, values)
                for name, values in sample.items():
                    writers[name].write(row, values)
            except SampleError as error:
                if on_error == 'raise' or isinstance(error, StorageError):
                    raise
                failures[frame] = str(error)
    files = {
        writer.path.name: dict(bytes=writer.path.stat().st_size, sha256=file_checksum(writer.path))
        for writer in writers.values()
    }
    content = dict(name=name_of_shard, frames=list(names), files=files, failures=failures)
    write_json(folder / _SHARD_FILE, content, indent=1)


class _RowWriter(AbstractContextManager):
    """An npy file that is written row by row: a full disk is an error, where a memory map would die of it.

    Args:
        path: The file.
        rows: Their number; those that are not written are zeros.
        first: Values of a row, which say shape and type.
    """

    def __init__(self, path: Path, rows: int, first: np.ndarray) -> None:
        self.path = path
        self.dtype, self.shape = first.dtype, first.shape
        self._rows, self._next, self._bytes = rows, 0, first.nbytes
        self._file = open(path, 'xb')
        header = dict(descr=dtype_to_descr(self.dtype), fortran_order=False, shape=(rows, *self.shape))
        write_array_header_1_0(self._file, header)

    def check(self, frame: str, values: np.ndarray) -> None:
        """Raise SampleError where a row is of another shape or type than the first."""
        if values.shape != self.shape or values.dtype != self.dtype:
            raise SampleError(
                frame,
                f'its {self.path.stem} is {values.dtype} {values.shape}, that of those before {self.dtype} '
                f'{self.shape}',
            )

    def write(self, row: int, values: np.ndarray) -> None:
        """Write a row, which is not before the last one that was written."""
        self._fill(row)
        self._file.write(np.ascontiguousarray(values).tobytes())
        self._next = row + 1

    def _fill(self, row: int) -> None:
        for _ in range(row - self._next):
            self._file.write(bytes(self._bytes))
        self._next = row

    def __exit__(self, *error: object) -> None:
        with self._file:
            if error[0] is None:
                self._fill(self._rows)
                self._file.flush()
                os.fsync(self._file.fileno())


def write_index(path: Path, settings: Mapping, count: int) -> None:
    """Finish a store of ``count`` shards, all written, with the settings of :func:`record_settings`."""
    shards, failures = [], {}
    for number in range(count):
        shard = read_json(str(shard_folder(path, number) / _SHARD_FILE))
        failures.update(shard.pop('failures'))
        shards.append(shard)
    index = dict(version=STORE_VERSION, settings=settings, shards=shards, failures=failures)
    write_json(path / INDEX_FILE, index, indent=1)
