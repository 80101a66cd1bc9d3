import hashlib

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.registry import DefaultScope
from tiny_llp import TRAIN, write_llp, write_table

from mmav.datasets import LLP_CLASSES, LLPDataset, SampleError
from mmav.structures import SegmentDataSample

SPEECH, CAR, DOG, CAT = 0, 1, 3, 4


@pytest.fixture
def root(tmp_path):
    return write_llp(tmp_path)


@pytest.fixture
def logged(monkeypatch):
    lines = []
    for module in ('llp', 'verification'):
        monkeypatch.setattr(f'mmav.datasets.{module}.print_log', lambda text, *_: lines.append(text))
    return lines


def build(root, **options) -> LLPDataset:
    return LLPDataset(data_root=str(root), **{'pipeline': [], 'serialize_data': False, **options})


def test_classes_are_lls_in_its_order():
    assert len(LLP_CLASSES) == 25 and LLP_CLASSES[CAT] == 'Cat' and LLP_CLASSES[-1] == 'Clapping'
    assert LLPDataset.METAINFO['classes'] == LLP_CLASSES


def test_a_training_video_has_its_features_and_its_set_of_events(root):
    dataset = build(root)
    assert [dataset.get_data_info(i)['video_id'] for i in range(3)] == [name for name, _ in TRAIN]
    sample = dataset[2]
    assert (sample['duration'], sample['num_segments']) == (10.0, 10)
    for key, shape in (('audio', (10, 4)), ('visual', (20, 6)), ('visual_st', (10, 5))):
        assert sample[key].shape == shape and sample[key].dtype == np.float32 and (sample[key] == 2).all()
    assert np.flatnonzero(sample['gt_events']).tolist() == [SPEECH, CAR]
    assert 'gt_audio' not in sample and 'pseudo_audio' not in sample


def test_a_test_video_has_the_events_of_its_seconds(root):
    dataset = build(root, ann_file='AVVP_test_pd.csv', test_mode=True)
    audio, visual = dataset[0]['gt_audio'], dataset[0]['gt_visual']
    wanted = np.zeros((10, 25))
    wanted[0:3, SPEECH] = wanted[2:10, DOG] = 1
    np.testing.assert_array_equal(audio, wanted)
    assert not visual.any() and not dataset[2]['gt_audio'].any()
    assert np.argwhere(dataset[1]['gt_visual']).tolist() == [[4, CAT], [5, CAT]]


def test_the_registry_builds_it_and_the_pipeline_packs_it(root):
    pack = dict(type='PackSegmentInputs', keys=('audio', 'visual', 'visual_st'))
    cfg = dict(type='LLPDataset', data_root=str(root), test_mode=True, pipeline=[pack], serialize_data=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        packed = DATASETS.build(cfg)[0]
    assert set(packed['inputs']) == {'audio', 'visual', 'visual_st'}
    sample = packed['data_samples']
    assert isinstance(sample, SegmentDataSample) and sample.video_id == TRAIN[0][0]
    assert sample.gt_audio.shape == (10, 25) and sample.gt_events.sum() == 2


def test_the_log_tells_the_revision_of_the_labels(root, logged):
    build(root, test_mode=True)
    text = '\n'.join(logged)
    for name in ('audio', 'visual'):
        digest = hashlib.sha256((root / f'AVVP_eval_{name}.csv').read_bytes()).hexdigest()
        assert f'AVVP_eval_{name}.csv (gt_{name}): sha256 {digest}' in text
    assert '2024-04' in text and '1 of 3 videos have no row; left out: 1 rows without length' in text


def test_pretraining_needs_neither_labels_nor_all_features(root):
    write_table(root / 'clips.csv', ('filename',), [(name,) for name, _ in TRAIN])
    folders = dict(audio='feats/vggish', visual='feats/res152')
    sample = build(root, ann_file='clips.csv', data_prefix=folders)[0]
    assert not {'gt_events', 'visual_st'} & set(sample) and {'audio', 'visual'} <= set(sample)


def test_missing_files_are_listed_in_one_error_or_skipped_with_their_number(root, logged):
    gone = [root / 'feats/vggish/aaaaaaaaaaa.npy', root / 'feats/res152/aaaaaaaaaaa.npy']
    gone.append(root / 'feats/r2plus1d_18/ccccccccc_c.npy')
    for path in gone:
        path.unlink()
    with pytest.raises(SampleError) as error:
        build(root)
    assert '3 files of 2 videos are missing' in str(error.value)
    assert all(str(path) in str(error.value) for path in gone)
    dataset = build(root, on_missing='skip')
    assert len(dataset) == 1 and dataset[0]['video_id'] == TRAIN[1][0]
    assert logged[-1] == f'{root}/AVVP_train.csv: 1 videos; left out: 2 videos without all files'


def test_soft_labels_from_a_table_and_from_arrays(root):
    columns = ('filename', 'onset', 'offset', 'event_labels', 'score')
    rows = [(TRAIN[0][0], 0, 4, 'Dog', 0.7), (TRAIN[0][0], 2, 6, 'Dog', 0.4), (TRAIN[1][0], 0, 1, 'Cat', 1)]
    write_table(root / 'soft.tsv', columns, rows)
    (root / 'soft').mkdir()
    for number, (name, _) in enumerate(TRAIN):
        np.save(root / 'soft' / f'{name[:11]}.npy', np.full((10, 25), number / 4, np.float16))
    dataset = build(root, pseudo_labels=dict(audio='soft.tsv', visual='soft'))
    sample = dataset[0]
    np.testing.assert_allclose(sample['pseudo_audio'][:, DOG], [0.7] * 4 + [0.4] * 2 + [0] * 4)
    assert sample['pseudo_audio'].sum() == pytest.approx(3.6) and not dataset[2]['pseudo_audio'].any()
    assert (dataset[2]['pseudo_visual'] == 0.5).all() and dataset[2]['pseudo_visual'].dtype == np.float32


@pytest.mark.parametrize(
    'array, message',
    [
        (np.full((10, 25), 1.5), r'lie in 0\.\.1'),
        (np.full((10, 25), -0.1), r'lie in 0\.\.1'),
        (np.full((10, 25), np.nan), 'NaN'),
        (np.zeros((9, 25)), r'\(10, 25\), got \(9, 25\)'),
        (np.zeros((10, 25), int), 'must hold floats'),
    ],
)
def test_bad_soft_labels_are_refused_by_name(root, array, message):
    (root / 'soft').mkdir()
    for name, _ in TRAIN:
        np.save(root / 'soft' / f'{name[:11]}.npy', array)
    dataset = build(root, pseudo_labels=dict(audio='soft'))
    with pytest.raises(SampleError, match=f'aaaaaaaaaaa.npy: .*{message}'):
        dataset[0]


@pytest.mark.parametrize(
    'array, message',
    [
        (np.zeros((9, 4), np.float32), 'has 9 rows'),
        (np.full((10, 4), np.inf, np.float32), 'NaN or infinity'),
        (np.zeros(10, np.float32), 'must hold floats'),
        (np.array(['a']), 'must hold numbers, got <U1'),
        (np.array([{}], dtype=object), 'must hold numbers, got object'),
    ],
)
def test_bad_features_are_refused_by_name(root, array, message):
    np.save(root / 'feats/vggish/aaaaaaaaaaa.npy', array, allow_pickle=True)
    with pytest.raises(SampleError, match=f'vggish/aaaaaaaaaaa.npy: .*{message}'):
        build(root)[0]


def test_a_truncated_file_is_refused_by_name(root):
    path = root / 'feats/res152/bbbbbbbbbbb.npy'
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(SampleError, match=r'bbbbbbbbbbb\.npy: truncated: an array'):
        build(root)[1]


@pytest.mark.parametrize(
    'row, message',
    [
        (('aaaaaaaaaaa_0_10', 'Dog'), 'line 5: video aaaaaaaaaaa_0_10 comes twice'),
        (('ddddddddddd_0_10', 'Dog,Wolf'), r"line 5: unknown classes \['Wolf'\] of video ddddddddddd_0_10"),
        (('', 'Dog'), 'line 5: .* is no name'),
        (('ddddddddddd_0_10',), 'line 5: has 1 cells'),
    ],
)
def test_broken_rows_of_the_list_are_refused_by_line(root, row, message):
    write_table(root / 'AVVP_train.csv', ('filename', 'event_labels'), [*TRAIN, row])
    with pytest.raises(SampleError, match=rf'AVVP_train\.csv, {message}'):
        build(root)


@pytest.mark.parametrize(
    'row, message',
    [
        ((0, 11, 'Dog'), r'lasts from 0 to 11: whole seconds within 0\.\.10'),
        ((5, 4, 'Dog'), 'lasts from 5 to 4'),
        ((-1, 4, 'Dog'), 'lasts from -1 to 4'),
        ((0.5, 4, 'Dog'), r'lasts from 0\.5 to 4'),
        (('nan', 4, 'Dog'), 'lasts from nan to 4'),
        (('5`', 10, 'Dog'), "onset, offset and score must be numbers .*'5`'"),
        ((0, 4, 'Dog`'), 'unknown class .Dog`. of video aaaaaaaaaaa_0_10'),
    ],
)
def test_broken_rows_of_events_are_refused_by_line_or_skipped_with_their_number(root, row, message, logged):
    columns = ('filename', 'onset', 'offset', 'event_labels')
    rows = [(TRAIN[0][0], 0, 2, 'Cat'), (TRAIN[0][0], *row)]
    write_table(root / 'AVVP_eval_audio.csv', columns, rows)
    with pytest.raises(SampleError, match=rf'AVVP_eval_audio\.csv, line 3: .*{message}'):
        build(root, test_mode=True)
    dataset = build(root, test_mode=True, on_error='skip')
    assert np.argwhere(dataset[0]['gt_audio']).tolist() == [[0, CAT], [1, CAT]]
    assert any('left out: 1 rows broken' in line for line in logged)


def test_a_score_out_of_range_is_refused(root):
    columns = ('filename', 'onset', 'offset', 'event_labels', 'score')
    write_table(root / 'soft.tsv', columns, [(TRAIN[0][0], 0, 4, 'Dog', 1.2)])
    with pytest.raises(SampleError, match=r'soft\.tsv, line 2: the score 1\.2'):
        build(root, pseudo_labels=dict(audio='soft.tsv'))


@pytest.mark.parametrize(
    'options, error, message',
    [
        (dict(on_missing='ignore'), ValueError, 'on_missing'),
        (dict(data_prefix=dict(sound='feats/vggish')), ValueError, "data_prefix has .'sound'."),
        (dict(pseudo_labels=dict(video='x')), ValueError, 'pseudo_labels'),
        (dict(num_segments=0), ValueError, 'num_segments'),
        (dict(ann_file='AVVP_eval.csv'), SampleError, 'AVVP_eval.csv: the file is missing'),
        (dict(data_prefix=dict(audio='nowhere')), SampleError, 'nowhere: the folder cannot be listed'),
    ],
)
def test_bad_arguments_are_refused(root, options, error, message):
    with pytest.raises(error, match=message):
        build(root, **options)


def test_a_list_without_a_header_is_refused(root):
    (root / 'AVVP_train.csv').write_text('aaaaaaaaaaa_0_10\tDog\n')
    with pytest.raises(SampleError, match=r"lacks the columns \['filename'\]"):
        build(root)
