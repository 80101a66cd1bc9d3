import os
import pickle

import numpy as np
import pytest

from mmav.datasets import SampleError
from mmav.media.numpy_pickle import load_numpy_pickle


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('dtype', ['float32', 'float64', '>f4', 'int16', 'uint8', 'bool'])
def test_arrays_of_numbers_are_read(protocol, dtype):
    array = (np.random.default_rng(0).random((4, 7)) * 9).astype(dtype)
    read = load_numpy_pickle(pickle.dumps(array, protocol=protocol), 'a.pkl')
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


def test_columns_first_array_is_read():
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    np.testing.assert_array_equal(load_numpy_pickle(pickle.dumps(array, 5), 'a.pkl'), array)


def test_array_written_by_an_older_numpy_is_read():
    data = pickle.dumps(np.arange(5.0), protocol=2).replace(
        b'numpy._core.multiarray', b'numpy.core.multiarray'
    )
    np.testing.assert_array_equal(load_numpy_pickle(data, 'a.pkl'), np.arange(5.0))


class _Command:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_code_in_a_pickle_is_not_run(tmp_path):
    victim = tmp_path / 'ran'
    for payload in (_Command(f'touch {victim}'), [np.zeros(2), _Command(f'touch {victim}')]):
        with pytest.raises(SampleError, match='only plain numpy arrays'):
            load_numpy_pickle(pickle.dumps(payload), 'bad.pkl')
    assert not victim.exists()


def test_code_inside_an_object_array_is_not_run(tmp_path):
    victim = tmp_path / 'ran'
    array = np.array([_Command(f'touch {victim}')], dtype=object)
    with pytest.raises(SampleError, match=r'bad\.pkl'):
        load_numpy_pickle(pickle.dumps(array), 'bad.pkl')
    assert not victim.exists()


@pytest.mark.parametrize(
    'data',
    [
        pickle.dumps({'a': 1}),
        pickle.dumps('text'),
        pickle.dumps(np.array(['text'])),
        pickle.dumps(np.arange(100.0))[:-50],
        b'RIFF',
        b'cnumpy\nndarray\n((I99999999999\ntR.',
    ],
    ids=['dict', 'text', 'array of text', 'truncated', 'no pickle', 'allocation'],
)
def test_anything_else_is_refused_by_name(data):
    with pytest.raises(SampleError, match=r'some/file\.pkl'):
        load_numpy_pickle(data, 'some/file.pkl')


def test_numbers_of_the_memo_take_no_memory():
    """LONG_BINPUT of 2**32 - 1 makes the unpickler allocate 64 GB."""
    content = pickle.dumps(np.arange(3.0), 2)
    with pytest.raises(SampleError, match=r'x\.pkl: .*it numbers an object 4294967295'):
        load_numpy_pickle(content[:-1] + b'r\xff\xff\xff\xff.', 'x.pkl')
