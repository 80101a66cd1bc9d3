"""NumPy's files are read as NumPy wrote them, or refused by name."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from mmav.media.array_files import map_npy, read_npy, read_npz, read_row
from mmav.utils.errors import SampleError

VALUES = np.random.default_rng(0).standard_normal((3, 4))


@pytest.mark.parametrize(
    'array',
    [
        VALUES,
        VALUES.T.astype('>f4'),
        np.asfortranarray(VALUES),
        np.arange(5) > 2,
        np.float32(3),
        np.zeros((0, 4)),
    ],
)
def test_arrays_are_numpys(tmp_path, array):
    path = str(tmp_path / 'x.npy')
    np.save(path, array)
    for read in (read_npy, map_npy):
        np.testing.assert_array_equal(read(path), np.load(path), strict=True)
    read_npy(path)[...] = 0  # a copy, which can be written to
    np.savez_compressed(tmp_path / 'x.npz', a=array, b=VALUES)
    content = read_npz(str(tmp_path / 'x.npz'))
    np.testing.assert_array_equal(content['a'], array)
    np.testing.assert_array_equal(content['b'], VALUES)


@pytest.mark.parametrize('order', ['C', 'F'])
@pytest.mark.parametrize('shape', [(5,), (5, 3), (4, 700, 9)])  # rows within a page, and over several
def test_rows_are_copies_of_numpys(tmp_path, shape, order):
    path = str(tmp_path / 'x.npy')
    np.save(path, np.asarray(np.random.default_rng(0).standard_normal(shape), order=order))
    wanted = np.load(path)
    for row in range(len(wanted)):
        copy = read_row(map_npy(path), row)
        np.testing.assert_array_equal(copy, wanted[row])
        copy[...] = 0
    np.testing.assert_array_equal(np.load(path), wanted)


def header(text: str) -> bytes:
    return b'\x93NUMPY\x01\x00' + len(text).to_bytes(2, 'little') + text.encode()


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ('content', 'cause'),
    [
        (saved(VALUES)[:-1], 'truncated: an array .* has 96 bytes, got 95'),
        (saved(VALUES) + b'\0', 'damaged: an array .* has 96 bytes, got 97'),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999)}\n"), 'truncated'),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 0)}\n"), 'damaged'),
        (
            header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n") + pickle.dumps(1),
            'must hold numbers',
        ),
        (header('[' * 5000), 'no array can be read'),
        (b'PK', 'no array can be read'),
        (b'version https://git-lfs.github.com/spec/v1\n', 'Git LFS'),
    ],
)
def test_what_is_no_whole_array_is_refused(tmp_path, content, cause):
    (tmp_path / 'x.npy').write_bytes(content)
    for read in (read_npy, map_npy):
        with pytest.raises(SampleError, match=rf'x\.npy: .*{cause}'):
            read(str(tmp_path / 'x.npy'))


def test_archives_are_whole_and_no_bombs(tmp_path):
    path = tmp_path / 'x.npz'
    np.savez(path, a=VALUES)
    whole = bytearray(path.read_bytes())
    whole[whole.index(VALUES.tobytes()) + 3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(SampleError, match=r"x\.npz: is damaged: 'a\.npy' in it differs from its checksum"):
        read_npz(str(path))
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr('a.npy', bytes(65 << 20))
    with pytest.raises(SampleError, match=r'x\.npz: its parts have 68157440 bytes'):
        read_npz(str(path))
    path.write_bytes(b'no archive')
    with pytest.raises(SampleError, match=r'x\.npz: is damaged: File is not a zip file'):
        read_npz(str(path))
