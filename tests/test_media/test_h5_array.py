"""Arrays are written to HDF5 files whole, and read as h5py reads them."""

import h5py
import numpy as np
import pytest

from mmav.media.h5_array import H5Array, write_h5_array

VALUES = np.random.default_rng(0).standard_normal((3, 2, 4))


def read(path):
    with h5py.File(path) as file:
        return {key: file[key][()] for key in file}, dict(file['values'].attrs)


def test_an_array_and_its_rows_give_the_same_file(tmp_path):
    write_h5_array(tmp_path / 'whole.h5', 'values', VALUES, attributes=dict(made_by='test'))
    write_h5_array(tmp_path / 'new/rows.h5', 'values', iter(VALUES), 3, attributes=dict(made_by='test'))
    for path in (tmp_path / 'whole.h5', tmp_path / 'new/rows.h5'):
        arrays, attributes = read(path)
        np.testing.assert_array_equal(arrays.pop('values'), VALUES, strict=True)
        assert not arrays and attributes == dict(made_by='test')
    array = H5Array(str(tmp_path / 'whole.h5'), 'values')
    assert array.shape == VALUES.shape and array.attributes() == dict(made_by='test')
    np.testing.assert_array_equal(array[1], VALUES[1].astype(np.float32), strict=True)


def test_missing_rows_are_zero_and_the_type_can_be_chosen(tmp_path):
    write_h5_array(tmp_path / 'rows.h5', 'values', [None, VALUES[1], None], 3, 'float16')
    arrays, _ = read(tmp_path / 'rows.h5')
    expected = np.stack([np.zeros((2, 4)), VALUES[1], np.zeros((2, 4))]).astype(np.float16)
    np.testing.assert_array_equal(arrays['values'], expected, strict=True)


def test_rows_of_two_shapes_leave_the_file_before(tmp_path):
    write_h5_array(tmp_path / 'rows.h5', 'values', VALUES)
    with pytest.raises(TypeError, match='do not match'):
        write_h5_array(tmp_path / 'rows.h5', 'values', [VALUES[0], VALUES[1, :1]], 2)
    np.testing.assert_array_equal(read(tmp_path / 'rows.h5')[0]['values'], VALUES)
    assert [path.name for path in tmp_path.iterdir()] == ['rows.h5']
