"""Reading of pickled numpy arrays without running what a pickle may hold."""

import io
import pickle
import re
from typing import Any

import numpy as np

from .errors import SampleError

_PLAIN_DTYPE = re.compile(r'^[<>=|]?[fiub][1-8]$')


class _ArrayType:
    """Stands for numpy.ndarray in the stream, so that nothing there can be called with sizes."""


def _reconstruct(array_type: Any, shape: tuple, type_code: bytes) -> np.ndarray:
    if array_type is not _ArrayType or tuple(shape) != (0,):
        raise pickle.UnpicklingError('an array is rebuilt in an unusual way')
    return np.ndarray.__new__(np.ndarray, (0,), 'b')


def _dtype(code: str, *flags: Any) -> np.dtype:
    if not isinstance(code, str) or not _PLAIN_DTYPE.match(code):
        raise pickle.UnpicklingError(f'it holds an array of type {code!r}, not of numbers')
    return np.dtype(code)


def _frombuffer(buffer: bytes, dtype: np.dtype, shape: tuple, order: str) -> np.ndarray:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _encode(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it holds text in the encoding {encoding!r}')
    return text.encode('latin1')


# Protocols 0-2 write bytes as latin1 text, protocol 5 writes arrays as buffers; numpy 2 renamed core.
_ADMITTED = {
    ('numpy', 'ndarray'): _ArrayType,
    ('numpy', 'dtype'): _dtype,
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


def load_numpy_pickle(data: bytes, source: str) -> np.ndarray:
    """Read one numeric numpy array from a pickle; anything else is refused unexecuted.

    Args:
        data (bytes): The pickle, of any protocol.
        source (str): Name of the file, for the message.

    Returns:
        np.ndarray: The array.

    Raises:
        SampleError: If the pickle is damaged or holds or refers to anything but one numeric array.
    """
    try:
        array = _NumpyUnpickler(io.BytesIO(data)).load()
    # A damaged stream can make the unpickler raise almost anything.
    except Exception as error:
        raise SampleError(source, f'not a pickled numpy array: {error}') from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in 'fiub':
        raise SampleError(source, f'the pickle holds a {type(array).__name__}, not a numeric array')
    return array
