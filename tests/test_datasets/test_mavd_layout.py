import pytest

from mmav.datasets import SampleError
from mmav.datasets.mavd_conditions import find_condition_list
from mmav.datasets.mavd_layout import (
    is_bogus,
    read_split_list,
    read_timestamps,
    split_file_name,
    timestamp_of,
)


@pytest.mark.parametrize(
    ('frame_id', 'bogus', 'timestamp'),
    [
        ('1588000000_000000005_0001', False, 1588000000.000000005),
        ('1588000000_250000000_0001', False, 1588000000.25),
        ('1588000000_25000000_0001', True, None),
        ('my_own_name', False, None),
    ],
)
def test_ids(frame_id, bogus, timestamp):
    assert is_bogus(frame_id) is bogus
    assert timestamp_of(frame_id) == timestamp


def test_file_name():
    assert split_file_name('city/drive_3/fl_rgb/fl_rgb_1_000000002_3.jpg') == (
        'city/drive_3',
        '1_000000002_3',
    )
    with pytest.raises(ValueError, match='not of the form'):
        split_file_name('1_000000002_3.jpg')


def test_split_list(tmp_path):
    path = tmp_path / 'train.txt'
    path.write_text('drive_0/a\n\ncity/drive_1/b\n')
    assert read_split_list(str(path)) == [('drive_0', 'a'), ('city/drive_1', 'b')]


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('drive_0/a\nnonsense\n', "line 2: 'nonsense' is not <drive>/<id>"),
        ('d/a\nd/a\n', 'listed twice'),
        ('d/a\n/etc/b\n', "line 2: the name '/etc/b' leads"),
    ],
)
def test_bad_split_list_is_named(tmp_path, text, reason):
    path = tmp_path / 'train.txt'
    path.write_text(text)
    with pytest.raises(SampleError, match=reason):
        read_split_list(str(path))


def test_missing_split_list_is_named(tmp_path):
    with pytest.raises(SampleError, match=r'train\.txt'):
        read_split_list(str(tmp_path / 'train.txt'))


def test_condition_lists(tmp_path):
    (tmp_path / 'val_day_all.txt').write_text('d/a\nd/b\n')
    (tmp_path / 'val_day_static.txt').write_text('d/a\n')
    (tmp_path / 'val_night_static.txt').write_text('d/c\n')
    root = str(tmp_path)
    assert find_condition_list(root, 'val', 'day', None) == {('d', 'a'), ('d', 'b')}
    assert find_condition_list(root, 'val', 'day', 'static') == {('d', 'a')}
    assert find_condition_list(root, 'val', None, 'static') == {('d', 'a'), ('d', 'c')}
    assert find_condition_list(root, 'val', 'night', None) is None
    assert find_condition_list(root, 'val', None, 'drive') is None


def test_timestamps(tmp_path):
    path = tmp_path / 'timestamps.csv'
    path.write_text('frame_id,seconds\na,0.5\nb,1.25\n')
    assert read_timestamps(str(path)) == {'a': 0.5, 'b': 1.25}


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('a,0.5\n', 'first line'),
        ('', 'empty'),
        ('frame_id,seconds\na\n', 'line 2'),
        ('frame_id,seconds\na,x\n', 'line 2'),
    ],
)
def test_bad_timestamps_are_named(tmp_path, text, reason):
    path = tmp_path / 'timestamps.csv'
    path.write_text(text)
    with pytest.raises(SampleError, match=reason):
        read_timestamps(str(path))
