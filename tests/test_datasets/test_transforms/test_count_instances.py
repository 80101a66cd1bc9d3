"""Counting labels, beside pycocotools' count of the file and a hand-worked table."""

import json

import pytest
from pycocotools.coco import COCO

from mmav.datasets.transforms import CountInstances


def instance(**keys):
    return dict(dict(bbox=[0, 0, 9, 9], bbox_label=0, ignore_flag=0), **keys)


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (dict(max_count=8), 4),
        (dict(max_count=3), 3),
        (dict(max_count=4), 4),
        (dict(max_count=8, score_thr=0.5), 3),  # 0.5 itself counts, and so does what has no score
        (dict(max_count=8, labels=[1]), 1),
        (dict(max_count=8, labels=[0], score_thr=0.6), 1),
        (dict(max_count=8, labels=[]), 0),
    ],
)
def test_table(options, expected):
    instances = [
        instance(),
        instance(score=0.5),
        instance(score=0.4),
        instance(score=0.9, bbox_label=1),
        instance(ignore_flag=1),  # a crowd
    ]
    assert CountInstances(**options).transform(dict(instances=instances))['gt_label'] == expected


@pytest.mark.parametrize('max_count', [1, 5])
def test_every_frame_of_a_data_set_gets_its_number(tiny_mavd, load_mavd, max_count):
    annotations = tiny_mavd.root / 'annotations' / 'train.json'
    content = json.loads(annotations.read_text())
    for number, annotation in enumerate(content['annotations']):  # as teachers label
        annotation.update(score=0.3 + 0.1 * number, modality='rgb')
    annotations.write_text(json.dumps(content))
    dataset = load_mavd(tiny_mavd, [dict(type='CountInstances', max_count=max_count)])
    coco = COCO(str(annotations))
    expected = [min(len(coco.getAnnIds(imgIds=image_id)), max_count) for image_id in coco.getImgIds()]
    assert [dataset[i]['gt_label'] for i in range(len(dataset))] == expected
    assert expected == ([1, 1, 0, 2] if max_count > 1 else [1, 1, 0, 1])


def test_bad_use_is_said():
    with pytest.raises(ValueError, match='max_count must be at least 1'):
        CountInstances(max_count=0)
    with pytest.raises(KeyError, match='ann_file'):
        CountInstances(max_count=2).transform({})
