import json

import numpy as np
import pytest

from mmav.datasets import SampleError, VGGSSDataset

STEMS = ['aaaaaaaaaaa_000010', 'bbbbbbbbbbb_000020', 'ccccccccccc_000030']


def entry(stem, *boxes, category='dog barking'):
    return {'file': stem, 'class': category, 'bbox': [list(box) for box in boxes]}


def load(clips, entries, **kwargs):
    clips.write('vggss.json', json.dumps(entries))
    return VGGSSDataset(data_root=str(clips.root), pipeline=[], serialize_data=False, **kwargs)


def test_boxes_and_classes(clips):
    entries = [
        entry(STEMS[2], [0.25, 0.5, 0.75, 1.0], [0, 0.1, 0.2, 0.3]),
        entry(STEMS[0], [-0.1, 0.2, 1.25, 0.9], category='bee'),
        entry('not_here_000000', [0, 0, 1, 1], category='ant'),
    ]
    dataset = load(clips, entries)
    first, second = (dataset[i] for i in range(2))
    assert len(dataset) == 2 and dataset.left_out == {'without an image': 1}
    assert dataset.metainfo['classes'] == ('ant', 'bee', 'dog barking')
    assert (first['clip'], first['category'], first['gt_label'], first['annotator']) == (
        STEMS[2],
        'dog barking',
        2,
        None,
    )
    np.testing.assert_array_equal(first['gt_boxes'], [[0.25, 0.5, 0.75, 1.0], [0, 0.1, 0.2, 0.3]])
    np.testing.assert_array_equal(second['gt_boxes'], [[0, 0.2, 1, 0.9]])  # clipped


def test_boxes_without_area_as_in_the_published_file(clips):
    entries = [
        entry(STEMS[0], [0.1, 0.1, 0.5, 0.5], [0.00625, 0.015625, 0.00625, 0.015625]),
        entry(STEMS[1], [0.26875, 1.0, 0.753125, 1.0]),
    ]
    dataset = load(clips, entries)
    assert [len(dataset[i]['gt_boxes']) for i in range(2)] == [1, 0]
    assert dataset[1]['gt_boxes'].shape == (0, 4)
    assert dataset.left_out['boxes without area'] == 2
    filtered = load(clips, entries, filter_cfg=dict(filter_empty_gt=True))
    assert len(filtered) == 1 and filtered.left_out['without a box'] == 1


def test_split_takes_a_part(clips):
    entries = [entry(stem, [0, 0, 1, 1]) for stem in STEMS[:2]]
    listed = clips.write('vggss_heard_test.csv', f'{STEMS[1]}\n{STEMS[2]}\n')
    dataset = load(clips, entries, split_file=listed)
    assert [dataset[i]['clip'] for i in range(len(dataset))] == [STEMS[1]]
    assert dataset.left_out['without an annotation'] == 1
    with pytest.raises(SampleError, match=f'1 of 2 clips lack an annotation .{STEMS[2]}'):
        load(clips, entries, split_file=listed, on_missing='raise')


@pytest.mark.parametrize('box', [[0, 0, 1], [0, 0, 1, 'x'], [0, 0, float('nan'), 1], 5])
def test_bad_boxes(clips, box):
    entries = [{'file': STEMS[0], 'class': 'bee', 'bbox': [box, [0, 0, 1, 1]]}]
    with pytest.raises(SampleError, match=rf'vggss\.json, {STEMS[0]}: its box .* is not \[x1, y1, x2, y2\]'):
        load(clips, entries)
    dataset = load(clips, entries, on_error='skip')
    assert len(dataset[0]['gt_boxes']) == 1 and dataset.left_out['bad boxes'] == 1


@pytest.mark.parametrize(
    'text', ['{', '{}x', '[{"file": "a"}]', '[3]', '[{"file": "a", "class": "b", "bbox": 1}]']
)
def test_bad_files(clips, text):
    clips.write('vggss.json', text)
    with pytest.raises(SampleError, match=r'vggss\.json: (not a list of file|no JSON can be read)'):
        VGGSSDataset(data_root=str(clips.root), pipeline=[])


def test_a_clip_twice(clips):
    with pytest.raises(SampleError, match='the clip comes twice'):
        load(clips, [entry(STEMS[0], [0, 0, 1, 1])] * 2)
