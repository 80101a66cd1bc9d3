"""Arrays in HDF5 files, read row by row by any number of processes."""

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.fileio import get_local_path

from mmav.utils.errors import SampleError

if TYPE_CHECKING:
    import h5py


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
