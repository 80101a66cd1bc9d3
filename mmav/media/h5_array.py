"""Arrays in HDF5 files, written whole or not at all and read row by row by any number of processes."""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.fileio import get_local_path

from mmav.utils.errors import SampleError
from mmav.utils.fileio import whole_file

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
        SampleError: If the file is missing, damaged or cut off, has no such array, or one that holds no
            numbers.
    """

    def __init__(self, path: str, key: str, backend_args: dict | None = None) -> None:
        self.path, self.key, self.backend_args = path, key, backend_args
        self._array, self._stack, self._process = None, ExitStack(), 0
        self.shape = self._opened().shape
        self.close()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Rows as an array; floats become float32. SampleError if they cannot be read."""
        array = self._opened()
        try:
            values = array[rows]
        except OSError as error:
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
        import h5py

        try:
            local = self._stack.enter_context(get_local_path(self.path, backend_args=self.backend_args))
            file = self._stack.enter_context(h5py.File(local, 'r'))
        except FileNotFoundError:
            raise SampleError(self.path, 'the file is missing') from None
        except OSError as error:
            raise SampleError(
                self.path, f'is damaged or was not transferred to its end ({error}): get it again'
            ) from error
        array = file.get(self.key)
        if not isinstance(array, h5py.Dataset):
            names = sorted(file)
            self._stack.close()
            raise SampleError(self.path, f'has no array {self.key!r}; it has {names}')
        if array.dtype.kind not in 'biuf' or not array.ndim:
            found = f'{array.shape} {array.dtype}'
            self._stack.close()
            raise SampleError(self.path, f'{self.key} must be an array of numbers, got {found}')
        return array

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _array=None, _stack=ExitStack(), _process=0)
