"""AVE against the files that it was written to."""

import copy
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny_ave import SEGMENTS, VIDEOS, write, write_ave
from torch.utils.data import DataLoader

from mmav.datasets import AVEDataset, SampleError
from mmav.media.h5_array import H5Array


@pytest.fixture
def ave(tmp_path) -> Path:
    return write_ave(tmp_path)


def read(path: Path, key: str = 'avadataset') -> np.ndarray:
    with h5py.File(path) as file:
        return file[key][:]


def open_ave(root: Path, split: str = 'train', supervision: str = 'fully', **options) -> AVEDataset:
    # not serialized: mmengine collects garbage then, which takes longer than all the rest
    options = dict(serialize_data=False) | options
    return AVEDataset(data_root=str(root), split=split, supervision=supervision, pipeline=[], **options)


def test_a_sample_holds_the_rows_of_its_place_in_the_order(ave):
    dataset = open_ave(ave)
    assert [dataset[index]['video_id'] for index in range(3)] == ['00004', '00000', '00002']
    sample = dataset[2]
    for name in ('visual', 'audio'):
        assert sample[name].dtype == np.float32
        np.testing.assert_array_equal(sample[name], read(ave / f'{name}_feature.h5')[2].astype(np.float32))
    assert sample['gt_segments'].dtype == np.float32
    np.testing.assert_array_equal(sample['gt_segments'], read(ave / 'labels.h5')[2])
    assert (sample['duration'], sample['num_segments'], sample['category']) == (4.0, 4, 'Mandolin')
    assert 'gt_events' not in sample
    assert len(open_ave(ave, 'test')) == 2 and len(open_ave(ave, 'val', 'weakly', test_mode=True)) == 1


def test_names_come_from_the_annotations(ave):
    lines = [
        'Category&VideoID&Quality&StartTime&EndTime',
        *(f'x&name{row}&good&0&1' for row in range(VIDEOS)),
    ]
    (ave / 'Annotations.txt').write_text('\n'.join(lines))
    assert open_ave(ave, ann_file='Annotations.txt')[0]['video_id'] == 'name4'
    (ave / 'Annotations.txt').write_text('\n'.join(lines[:-1]))
    with pytest.raises(SampleError, match=r'names 5 videos, the labels have 6 rows'):
        open_ave(ave, ann_file='Annotations.txt')


def test_weak_training_has_labels_of_videos_and_background_videos(ave):
    dataset = open_ave(ave, supervision='weakly')
    samples = [dataset[index] for index in range(len(dataset))]
    assert [int(sample['gt_events'].argmax()) for sample in samples] == [5, 3, 27, 28, 28]
    assert all('gt_segments' not in sample and 'category' not in sample for sample in samples)
    np.testing.assert_array_equal(
        samples[4]['visual'], read(ave / 'visual_feature_noisy.h5')[1].astype(np.float32)
    )
    assert len(open_ave(ave, supervision='weakly', append_background=False)) == 3
    tested = open_ave(ave, 'test', 'weakly', test_mode=True)[1]
    assert 'gt_events' not in tested and tested['gt_segments'].argmax(1).tolist() == [3, 28, 28, 28]


def test_cross_modality_has_vectors_and_the_seconds_of_short_events(ave):
    dataset = open_ave(ave, supervision='cross_modality')
    assert [dataset[index]['query_mask'].tolist() for index in range(2)] == [[0, 1, 0, 0], [0, 0, 1, 1]]
    sample = dataset[1]
    np.testing.assert_array_equal(sample['visual'], read(ave / 'visual_feature_vec.h5')[2].astype(np.float32))
    np.testing.assert_array_equal(sample['gt_segments'][:, 0], sample['query_mask'])
    write(ave / 'labels_closs.h5', np.tile([1, 0, 1, 0], (VIDEOS, 1)))
    with pytest.raises(SampleError, match='row 4: video 00004 must have one event without a break'):
        open_ave(ave, supervision='cross_modality')


@pytest.mark.parametrize('method, workers', [('fork', 2), ('spawn', 1)])
def test_workers_open_the_files_for_themselves(ave, method, workers):
    dataset = open_ave(ave, supervision='weakly', serialize_data=True)
    expected = [dataset[index] for index in range(5)]  # opened here before, too
    loader = DataLoader(dataset, None, num_workers=workers, multiprocessing_context=method, collate_fn=keep)
    for sample, wanted in zip(loader, expected, strict=True):
        np.testing.assert_array_equal(sample['visual'], wanted['visual'])
        np.testing.assert_array_equal(sample['audio'], wanted['audio'])
    np.testing.assert_array_equal(dataset[3]['audio'], expected[3]['audio'])  # still open here


def keep(sample: dict) -> dict:
    """Collate nothing; a spawned process can import it."""
    return sample


def test_nothing_is_open_until_a_row_is_read_and_copies_open_anew(ave):
    array = H5Array(str(ave / 'audio_feature.h5'), 'avadataset')
    assert array.shape == (VIDEOS, SEGMENTS, 3)
    with h5py.File(ave / 'audio_feature.h5', 'a') as file:  # HDF5 refuses it while the file is read
        file['avadataset'][0] = 7
    assert (array[0] == 7).all() and array[0].dtype == np.float32
    for other in (copy.deepcopy(array), pickle.loads(pickle.dumps(array))):
        assert (other[0] == 7).all()
    array.close()
    assert (array[0] == 7).all()


def spoil_cut(root: Path) -> None:
    content = (root / 'visual_feature.h5').read_bytes()
    (root / 'visual_feature.h5').write_bytes(content[:-200])


@pytest.mark.parametrize(
    'spoil, message',
    [
        (spoil_cut, r'visual_feature\.h5: is truncated: get it again'),
        (lambda root: (root / 'labels.h5').unlink(), r'labels\.h5: the file is missing'),
        (lambda root: (root / 'labels.h5').write_bytes(b'<html>'), r'labels\.h5: this is a web page'),
        (
            lambda root: write(root / 'audio_feature.h5', np.zeros((6, 4, 3)), 'data'),
            r"audio_feature\.h5: has no array 'avadataset'; it has \['data'\]",
        ),
        (lambda root: write(root / 'audio_feature.h5', np.zeros((6, 40))), r'must be \(videos, segments, ch'),
        (lambda root: write(root / 'visual_feature.h5', np.zeros((6, 4, 5))), r'height, width, channels\)'),
        (
            lambda root: write(root / 'audio_feature.h5', np.zeros((5, 4, 3))),
            r'has 5 videos, .*labels\.h5 has 6',
        ),
        (
            lambda root: write(root / 'audio_feature.h5', np.zeros((6, 3, 3))),
            r'has 4 segments a video, .*has 3',
        ),
        (lambda root: write(root / 'labels.h5', np.zeros((6, 4, 28))), r'has shape \(6, 4, 28\)'),
        (
            lambda root: write(root / 'labels.h5', np.zeros((6, 4, 29))),
            r'labels\.h5, row 0: labels are 0 or 1',
        ),
        (
            lambda root: write(root / 'train_order.h5', [0, 6], 'order'),
            r'has rows 0 to 6, the labels have 0 to 5',
        ),
        (lambda root: write(root / 'train_order.h5', [-1], 'order'), r'has rows -1 to -1'),
        (lambda root: write(root / 'train_order.h5', [0.5], 'order'), r'must hold row numbers'),
        (lambda root: write(root / 'labels.h5', np.full((6, 4, 29), b'a')), r'must be an array of numbers'),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_file(ave, spoil, message):
    spoil(ave)
    with pytest.raises(SampleError, match=message):
        open_ave(ave)


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_features_that_are_no_numbers_name_their_video(ave, value):
    with h5py.File(ave / 'audio_feature.h5', 'r+') as file:
        file['avadataset'][2, 1, 0] = value
    dataset = open_ave(ave)  # rows 4, 0, 2
    assert np.isfinite(dataset[1]['audio']).all()
    video = dataset.get_data_info(2)['video_id']
    with pytest.raises(SampleError, match=rf'audio_feature\.h5, {video} \(row 2\): holds NaN'):
        dataset[2]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(split='all'), 'split must be'),
        (dict(supervision='half'), 'supervision must be one of'),
        (dict(files=dict(sound='a.h5')), r"files has \['sound'\]"),
    ],
)
def test_bad_arguments_are_refused(ave, options, message):
    with pytest.raises(ValueError, match=message):
        open_ave(ave, **options)


def test_files_may_have_other_names(ave):
    (ave / 'labels.h5').rename(ave / 'right_labels.h5')
    assert len(open_ave(ave, files=dict(labels='right_labels.h5'))) == 3
