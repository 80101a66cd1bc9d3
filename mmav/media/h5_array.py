"""Arrays in HDF5 files, written whole or not at all and read row by row by any number of processes."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmav.utils.errors import SampleError
from mmav.utils.fileio import whole_file
from mmav.utils.readers import largest_size, refuse_stand_in
from mmav.utils.storage import backend_errors, local_copy

from .h5_examination import examine

if TYPE_CHECKING:
    import h5py


def write_h5_array(
    path: str | Path,
    key: str,
    values: np.ndarray | Iterable[np.ndarray | None],
    num_rows: int | None = None,
    dtype: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    flush: bool = True,
) -> None:
    """Write one array to an HDF5 file, whole or not at all.

    Args:
        path: The file; its folder is made if missing.
        key: Name of the array in it.
        values: The array; or its rows, all of one shape, for an array that does not fit into memory. Rows
            that are None become zeros.
        num_rows: Number of rows, where ``values`` gives rows.
        dtype: Type in the file. Defaults to the array's, or the first row's.
        attributes: Attributes of the array.
        flush: See :func:`mmav.utils.fileio.whole_file`.
    """
    import h5py

    with whole_file(path, flush) as temporary, h5py.File(temporary, 'w') as file:
        if isinstance(values, np.ndarray):
            file.create_dataset(key, data=values, dtype=dtype)
        else:
            for row, array in enumerate(values):
                if array is not None:
                    shape = (num_rows, *array.shape)
                    file.require_dataset(key, shape, dtype or array.dtype)[row] = array
        if attributes:
            file[key].attrs.update(attributes)


class H5Array:
    """One array ``key`` of an HDF5 file, whose rows are read when they are asked for.

    The file is opened at the first row, once in each process: neither forks nor pickled copies share what is
    open. Files of other than local backends are fetched then, and removed when the array is closed.

    Raises:
        SampleError: If the file is missing, damaged, cut off or in use; has no such array; one that holds no
            numbers, that was not written to its end, or that lies in other files.
    """

    def __init__(self, path: str, key: str, backend_args: dict | None = None) -> None:
        self.path, self.key, self.backend_args = path, key, backend_args
        self._array, self._stack, self._process = None, ExitStack(), 0
        self._examined: tuple | None = None
        self.shape = self._opened().shape
        self.close()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Rows as an array; floats become float32. SampleError if they cannot be read."""
        array = self._opened()
        try:
            values = array[rows]
        except (OSError, RuntimeError, ValueError) as error:
            raise SampleError(self.path, f'rows {rows} of {self.key} cannot be read ({error})') from error
        return values.astype(np.float32, copy=False) if values.dtype.kind == 'f' else values

    def attributes(self) -> dict[str, Any]:
        """Attributes of the array, by name."""
        return dict(self._opened().attrs)

    def close(self) -> None:
        """Close the file; the next row opens it again."""
        self._array = None
        self._stack.close()
        self._process = 0

    def _opened(self) -> 'h5py.Dataset':
        if self._process == os.getpid():
            return self._array
        # what a fork inherited is its parent's: dropped, not closed
        self._array, self._stack = None, ExitStack()
        self._array, self._process = self._open(), os.getpid()
        return self._array

    def _open(self) -> 'h5py.Dataset':
        with ExitStack() as stack:
            local = stack.enter_context(_local_file(self.path, self.backend_args))
            status = os.stat(local)
            version = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
            if version != self._examined:
                _examine(local, self.path, self.key)
                self._examined = version
            array = stack.enter_context(_opened_file(local, self.path))[self.key]
            self._stack = stack.pop_all()
        return array

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _array=None, _stack=ExitStack(), _process=0)


def read_h5_arrays(path: str, start: str = '') -> dict[str, np.ndarray]:
    """All arrays of an HDF5 file, of whatever depth, by their paths in it; what links lead to is left out.

    Args:
        path: The file, on a local disk.
        start: How the paths begin. Defaults to any.

    Raises:
        SampleError: As of :class:`H5Array`.
    """
    import h5py

    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and name.startswith(start):
            arrays[name] = item[()]

    with _local_file(path) as local:
        _examine(local, path, start, all_below=True)
        with _opened_file(local, path) as file:
            try:
                file.visititems(visit)
            except (OSError, RuntimeError, ValueError) as error:
                raise SampleError(path, f'its arrays cannot be read ({error})') from error
    return arrays


@contextmanager
def _local_file(path: str, backend_args: dict | None = None) -> Iterator[str]:
    """Local copy of a file, itself where it is local; SampleError if it is missing or none of HDF5."""
    with local_copy(path, backend_args) as local:
        with backend_errors(path), open(local, 'rb') as file:
            refuse_stand_in(file.read(512), path)
        yield local


def _examine(local: str, path: str, key: str, all_below: bool = False) -> None:
    reason = examine(local, key, largest_size(os.path.getsize(local)), all_below)
    if reason is not None:
        raise SampleError(path, reason)


def _opened_file(local: str, path: str) -> 'h5py.File':
    import h5py

    try:
        return h5py.File(local, 'r')
    except OSError as error:  # it has changed since it was examined
        raise SampleError(path, f'cannot be read ({error})') from error
