"""Reading of pickled numpy arrays without running what a pickle may hold."""

import io
import math
import pickle
import pickletools
import re
from typing import Any, Literal

import numpy as np

from mmav.utils.errors import SampleError

_PLAIN_DTYPE = re.compile(r'^[<>=|]?[fiub][1-8]$')


class _Dtype:
    """Stands for numpy.dtype in the stream: a plain number type and its byte order.

    numpy's own would take flags from the stream that make it read numbers as pointers.
    """

    def __init__(self, code: str, *flags: Any) -> None:
        if not isinstance(code, str) or not _PLAIN_DTYPE.match(code):
            raise pickle.UnpicklingError(f'it holds an array of type {code!r}, not of numbers')
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        if state[1] not in ('<', '>', '=', '|') or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError('it holds an array that is not of plain numbers')
        if state[1] != '|':
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands for numpy.ndarray in the stream; ``value`` is the real one once its state has come."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, is_fortran, data = state
        self.fill(data, dtype, shape, 'F' if is_fortran else 'C')

    def fill(self, data: bytes, dtype: _Dtype, shape: tuple, order: Literal['C', 'F']) -> '_Array':
        """Set the values from their bytes."""
        if not isinstance(data, (bytes, bytearray)) or not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError('it holds an array that is not of plain numbers')
        if len(data) != math.prod(shape) * dtype.value.itemsize:
            raise pickle.UnpicklingError(f'an array of shape {shape} does not have {len(data)} bytes')
        self.value = np.frombuffer(data, dtype.value).reshape(shape, order=order)
        return self


def _reconstruct(array_type: Any, shape: tuple, type_code: bytes) -> _Array:
    return _Array()


def _frombuffer(data: bytes, dtype: _Dtype, shape: tuple, order: Literal['C', 'F']) -> _Array:
    return _Array().fill(data, dtype, shape, order)


def _encode(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it holds text in the encoding {encoding!r}')
    return text.encode('latin1')


# Protocols 0-2 write bytes as latin1 text, protocol 5 writes arrays as buffers; numpy 2 renamed core.
_ADMITTED = {
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _Dtype,
    ('_codecs', 'encode'): _encode,
}
for _core in ('numpy.core', 'numpy._core'):
    _ADMITTED[(f'{_core}.multiarray', '_reconstruct')] = _reconstruct
    _ADMITTED[(f'{_core}.numeric', '_frombuffer')] = _frombuffer


class _NumpyUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[(module, name)]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it refers to {module}.{name}; only plain numpy arrays are admitted, '
                'since a pickle can run any code'
            ) from None


def _check_memo(data: bytes) -> None:
    """A number in the memo makes the unpickler allocate as many places, up to 64 GB."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and argument is not None and argument > len(data):
            raise pickle.UnpicklingError(f'it numbers an object {argument}, in {len(data)} bytes')


def load_numpy_pickle(data: bytes, source: str) -> np.ndarray:
    """Read one numeric numpy array from a pickle of any protocol; anything else is refused unexecuted.

    ``source`` is what messages call it. SampleError if it is damaged or refers to anything but such an array.
    """
    try:
        _check_memo(data)
        content = _NumpyUnpickler(io.BytesIO(data)).load()
    # A damaged stream can make the unpickler raise almost anything.
    except Exception as error:
        raise SampleError(source, f'not a pickled numpy array: {error}') from error
    if not isinstance(content, _Array) or content.value is None:
        raise SampleError(source, f'the pickle holds a {type(content).__name__}, not a numeric array')
    return content.value
