"""Arrays are written to HDF5 files whole, and read as h5py reads them."""

import h5py
import numpy as np
import pytest

from mmav.media import h5_examination
from mmav.media.h5_array import H5Array, write_h5_array
from mmav.utils.errors import SampleError

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


def write_external_link(file):
    file['values'] = h5py.ExternalLink('other.h5', '/secret')


def write_soft_link(file):
    file['there'] = h5py.ExternalLink('other.h5', '/')
    file['values'] = h5py.SoftLink('/there/secret')


def write_external_storage(file):
    file.create_dataset('values', (3,), 'f4', external=[('other.bin', 0, 12)])


def write_virtual(file):
    layout = h5py.VirtualLayout((3,), 'f4')
    layout[:] = h5py.VirtualSource('other.h5', 'secret', (3,))
    file.create_virtual_dataset('values', layout)


def write_unfinished(file):
    values = file.create_dataset('values', (30, 4), 'f4', chunks=(1, 4))
    values[:20] = 1


def write_unallocated(file):
    file.create_dataset('values', (30, 4), 'f4')


def write_bomb(file):
    file.create_dataset('values', data=np.zeros(65 << 20, np.uint8), chunks=(65 << 20,), compression='gzip')


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (write_external_link, r"values is a link to another file, 'other\.h5'"),
        (write_soft_link, "values is a link to '/there/secret'"),
        (write_external_storage, r"the values of values lie in other files, \['other\.bin'\]"),
        (write_virtual, 'values is a virtual data set, whose values lie in other files'),
        (write_unfinished, 'values has 20 of 30 blocks'),
        (write_unallocated, 'values has 0 of 480 bytes'),
        (write_bomb, 'values takes 68157440 bytes, more than 100 times the file'),
    ],
)
def test_values_that_are_not_in_the_file_are_refused(tmp_path, write, message):
    with h5py.File(tmp_path / 'other.h5', 'w') as file:
        file['secret'] = np.ones(3, np.float32)
    (tmp_path / 'other.bin').write_bytes(bytes(12))
    with h5py.File(tmp_path / 'x.h5', 'w') as file:
        write(file)
    with pytest.raises(SampleError, match=rf'x\.h5: {message}'):
        H5Array(str(tmp_path / 'x.h5'), 'values')


def test_what_is_no_whole_file_is_named_with_its_cause(tmp_path):
    path = tmp_path / 'x.h5'
    write_h5_array(path, 'values', VALUES)
    whole = path.read_bytes()
    for content, cause in (
        (b'', 'the file is empty'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'Git LFS'),
        (b'<!DOCTYPE html>', 'web page'),
        (b'values 1 2 3', 'is no HDF5 file'),
        (whole[:-100], 'is truncated'),
    ):
        path.write_bytes(content)
        with pytest.raises(SampleError, match=rf'x\.h5: .*{cause}'):
            H5Array(str(path), 'values')
    path.write_bytes(whole)
    with h5py.File(path, 'a'), pytest.raises(SampleError, match=r'x\.h5: is open for writing in another'):
        H5Array(str(path), 'values')
    with pytest.raises(SampleError, match='this is a folder, a file is wanted'):
        H5Array(str(tmp_path), 'values')
    np.testing.assert_array_equal(H5Array(str(path), 'values')[:], VALUES.astype(np.float32))


def test_a_structure_that_leads_in_circles_ends(tmp_path, monkeypatch):
    """In the global heap, where an attribute's text lies, the first object has a wrong length."""
    monkeypatch.setattr(h5_examination, 'SECONDS', 3.0)
    path = tmp_path / 'x.h5'
    write_h5_array(path, 'values', VALUES, attributes=dict(made_by='test'))
    content = bytearray(path.read_bytes())
    heap = content.index(b'GCOL')
    content[heap + 24] = 255  # lowest byte of the length
    path.write_bytes(content)
    with pytest.raises(
        SampleError, match=r'x\.h5: is damaged: reading its structure ends within 3 s neither'
    ):
        H5Array(str(path), 'values')
    write_h5_array(path, 'values', VALUES)
    assert H5Array(str(path), 'values').shape == VALUES.shape  # the next file is examined all the same
