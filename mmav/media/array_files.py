"""NumPy's files, read whole, mapped or by rows; those that hold other than their header says are refused."""

import io
import math
import mmap
import zipfile
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from mmav.utils.errors import SampleError
from mmav.utils.readers import check_zip, read_bytes, refuse_stand_in
from mmav.utils.storage import read_range

_HEADER_SIZE = 4096  # bytes: more than NumPy writes for numbers
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(path: str, backend_args: dict | None = None) -> np.ndarray:
    """Array of numbers in a npy file.

    Args:
        path: The file, or an address that one of mmengine's file backends reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: It is missing, damaged or cut off, or holds something else than numbers.
    """
    return parse_npy(read_bytes(path, backend_args), path)


def parse_npy(data: bytes, source: str) -> np.ndarray:
    """Array of numbers in the bytes of a npy file.

    Args:
        data: The bytes.
        source: File that they are of.

    Raises:
        SampleError: They are damaged or cut off, or hold something else than numbers.
    """
    file = io.BytesIO(data)
    shape, order, dtype = _read_header(file, len(data), source)
    array = np.frombuffer(data, dtype, offset=file.tell()).reshape(shape, order=order)
    return array.copy(order='K')  # which can be written to


def map_npy(path: str | Path) -> np.ndarray:
    """Memory-mapped array of numbers in a local npy file, read only; SampleError as of :func:`read_npy`."""
    try:
        with open(path, 'rb') as file:
            refuse_stand_in(file.read(512), str(path))
            shape, order, dtype = _read_header(file, Path(path).stat().st_size, str(path))
            if not math.prod(shape):
                return np.zeros(shape, dtype)
            return np.memmap(file, dtype, 'r', file.tell(), shape, order)
    except OSError as error:
        raise SampleError(str(path), f'cannot be read ({error})') from error


def read_row(array: 'np.ndarray | RemoteRows', row: int) -> np.ndarray:
    """Copy of a row of an array of :func:`map_npy` or of :class:`RemoteRows`.

    Of a mapped file the system is told of the whole row before its first page is touched: from a disk,
    where a row is not in memory yet, it comes twice as fast.

    Args:
        array: (rows, ...).
        row: Its number.
    """
    pages: object = getattr(array, 'base', None)
    if (
        isinstance(array, np.memmap)
        and isinstance(pages, mmap.mmap)
        and array.flags.c_contiguous
        and hasattr(mmap, 'MADV_WILLNEED')  # not on Windows
    ):
        start = array.offset % mmap.ALLOCATIONGRANULARITY + row * array.strides[0]  # bytes in the mapped part
        page = start // mmap.PAGESIZE * mmap.PAGESIZE
        pages.madvise(mmap.MADV_WILLNEED, page, start + array.strides[0] - page)
    return np.array(array[row])


class RemoteRows:
    """Rows of an array of numbers in a npy file on a server, each fetched when it is asked for.

    Args:
        path: Address of the file.
        size: Its bytes. A file of another size is an error, when its turn comes.
        backend_args: Arguments of the file backend, which must be one that reads parts of files.

    Raises:
        SampleError: It is missing, damaged, of another size, or cannot be read in parts.
    """

    def __init__(self, path: str, size: int, backend_args: dict | None = None) -> None:
        self.path, self.size, self.backend_args = path, size, backend_args
        start = read_range(path, 0, min(size, _HEADER_SIZE), size, backend_args)
        refuse_stand_in(start, path)
        file = io.BytesIO(start)
        self.shape, order, self.dtype = _read_header(file, size, path)
        if order != 'C' or not self.shape:
            raise SampleError(path, f'must hold rows one after another, got {order} order, {self.shape}')
        self._start = file.tell()

    @property
    def ndim(self) -> int:
        """Axes of the array."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> np.ndarray:
        if not 0 <= row < len(self):
            raise IndexError(f'{self.path}: row {row} of {len(self)}')
        length = math.prod(self.shape[1:]) * self.dtype.itemsize
        data = read_range(self.path, self._start + row * length, length, self.size, self.backend_args)
        return np.frombuffer(data, self.dtype).reshape(self.shape[1:])


def read_npz(path: str, backend_args: dict | None = None) -> dict[str, np.ndarray]:
    """Arrays of numbers in a npz file, by name.

    Args:
        path: The file, or an address that one of mmengine's file backends reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: It is missing, damaged or cut off, would take more than 100 times its size (64 MiB at
            least) in memory, or holds something else than arrays of numbers.
    """
    data = read_bytes(path, backend_args)
    check_zip(data, path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {
            name.removesuffix('.npy'): parse_npy(archive.read(name), f'{path}, {name}')
            for name in archive.namelist()
        }


def _read_header(
    file: BinaryIO, size: int, source: str
) -> tuple[tuple[int, ...], Literal['C', 'F'], np.dtype]:
    """Shape, order 'C' or 'F', and type of the numbers that follow; the file is left at the first of them."""
    file.seek(0)
    try:
        shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:  # the header is Python text; NumPy's parser raises many types
        raise SampleError(
            source, f'no array can be read from it ({error or type(error).__name__})'
        ) from error
    if dtype.kind not in 'biuf':
        raise SampleError(source, f'must hold numbers, got {dtype}')
    wanted, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if wanted != found or min(shape, default=0) < 0:
        cause = 'truncated' if wanted > found else 'damaged'
        raise SampleError(source, f'{cause}: an array {shape} of {dtype} has {wanted} bytes, got {found}')
    return shape, 'F' if is_fortran else 'C', dtype
