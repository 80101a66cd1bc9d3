"""Lists of clips and files of features in the published layouts."""

import h5py
import numpy as np
import pytest

from mmav.datasets.clip_names import read_clip_names
from mmav.features.feature_files import ArrayFolder, is_written, write_h5
from mmav.utils.errors import SampleError
from mmav.utils.locks import folder_lock

PARAMETERS = dict(feature='vggish', weights='abc')


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ('Church bell&RUhOCu3LNXM&good&0&10\nMale speech, man speaking&-hChcJAh5N0&good&5&10\n', 'AVE'),
        (
            'Category&VideoID&Quality&StartTime&EndTime\nBark&RUhOCu3LNXM&good&0&10\nBark&-hChcJAh5N0&good&0&3',
            'AVE',
        ),
        ('filename\tevent_labels\nRUhOCu3LNXM_30_40\tSpeech,Dog\n-hChcJAh5N0_0_10\tCar\n', 'LLP'),
        (
            'filename\tonset\toffset\nRUhOCu3LNXM_30_40\t0\t3\nRUhOCu3LNXM_30_40\t5\t6\n-hChcJAh5N0_0_10\t0\t1\n',
            'LLP',
        ),
        ('RUhOCu3LNXM\r\n\r\n-hChcJAh5N0\r\n', 'names'),
    ],
)
def test_names_of_every_kind_of_list(text, names, tmp_path):
    (tmp_path / 'list.txt').write_text(text)
    assert read_clip_names(tmp_path / 'list.txt') == ['RUhOCu3LNXM', '-hChcJAh5N0'], names


@pytest.mark.parametrize('text', ['', '\n', 'filename\tevent_labels\n', 'Bark&&good\n'])
def test_a_list_without_names_is_an_error(text, tmp_path):
    (tmp_path / 'list.txt').write_text(text)
    with pytest.raises(ValueError, match=r'list\.txt( names no clips|: the file is empty)'):
        read_clip_names(tmp_path / 'list.txt')


@pytest.fixture
def folder(tmp_path):
    folder = ArrayFolder(tmp_path / 'audio.parts', PARAMETERS)
    with folder_lock(tmp_path, 'test'):
        folder.record_parameters()
    for number, name in enumerate(('b', 'a')):
        folder.write(name, np.full((3, 2, 2, 4), number, np.float32) + np.arange(4, dtype=np.float32))
    return folder


@pytest.mark.parametrize('name', ['../outside', '/tmp/outside', 'a/../../outside'])
def test_names_stay_below_the_folder(name, folder, tmp_path):
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(SampleError, match=f'the name {name!r} leads out'):
        folder.write(name, np.zeros(3))
    (tmp_path / 'list.txt').write_text(f'good\n{name}\n')
    with pytest.raises(SampleError, match=rf'list\.txt: the name {name!r} leads out'):
        read_clip_names(tmp_path / 'list.txt')
    (tmp_path / 'list.txt').unlink()
    assert sorted(tmp_path.rglob('*')) == before


def test_rows_follow_the_names(folder, tmp_path):
    write_h5(tmp_path / 'audio.h5', folder, ['a', 'b', 'a'], PARAMETERS)
    with h5py.File(tmp_path / 'audio.h5') as file:
        data = file['avadataset']
        assert data.shape == (3, 3, 2, 2, 4) and data.dtype == np.float32
        assert data[:, 0, 0, 0, 0].tolist() == [1, 0, 1]
    write_h5(tmp_path / 'vec.h5', folder, ['a', 'b'], PARAMETERS, spatial_mean=True)
    with h5py.File(tmp_path / 'vec.h5') as file:
        np.testing.assert_array_equal(file['avadataset'][1], np.tile(np.arange(4.0), (3, 1)))


def test_missing_clips_are_an_error_or_zeros(folder, tmp_path):
    with pytest.raises(ValueError, match=r"lacks 1 of 3 clips: \['c'\]"):
        write_h5(tmp_path / 'audio.h5', folder, ['a', 'c', 'b'], PARAMETERS)
    write_h5(tmp_path / 'audio.h5', folder, ['c', 'a'], PARAMETERS, fill=True)
    with h5py.File(tmp_path / 'audio.h5') as file:
        assert not file['avadataset'][0].any() and file['avadataset'][1].any()
    folder.write('d', np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r'd\.npy is \(3, 5\)'):
        write_h5(tmp_path / 'other.h5', folder, ['a', 'd'], PARAMETERS)
    assert not [file.name for file in tmp_path.iterdir() if 'other' in file.name]  # nothing half-written


def test_files_of_other_parameters_are_refused(folder, tmp_path):
    path = tmp_path / 'audio.h5'
    assert not is_written(path, PARAMETERS)
    write_h5(path, folder, ['a', 'b'], PARAMETERS)
    assert is_written(path, dict(PARAMETERS))
    with pytest.raises(FileExistsError, match=r'audio\.h5 .*weights: abc there, xyz now'):
        is_written(path, dict(PARAMETERS, weights='xyz'))
    with h5py.File(tmp_path / 'published.h5', 'w') as file:
        file['avadataset'] = np.zeros(3)
    with pytest.raises(FileExistsError, match=r'published\.h5 was not written by this program'):
        is_written(tmp_path / 'published.h5', PARAMETERS)
    with folder_lock(tmp_path, 'test'), pytest.raises(FileExistsError, match='weights'):
        ArrayFolder(folder.folder, dict(PARAMETERS, weights='xyz')).record_parameters()
