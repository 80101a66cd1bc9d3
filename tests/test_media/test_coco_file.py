"""COCO files that are misread elsewhere, against pycocotools and hand-worked figures."""

import copy
import json

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from mmav.evaluation.metrics import CenterDistanceMetric, MAVDMetric
from mmav.media.coco_file import CheckedCOCO, read_coco
from mmav.utils.errors import SampleError

BOXES = [
    [10.0, 10.0, 40.0, 30.0],
    [50.0, 20.0, 30.0, 30.0],
    [5.0, 50.0, 20.0, 20.0],
    [60.0, 60.0, 30.0, 20.0],
]


def make_content(first: int = 1, names=('car', 'truck')) -> dict:
    """Two frames with a car and a truck each; annotations are numbered from ``first``."""
    ids = dict(car=1, truck=2)
    return dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=100, height=100) for i in (1, 2)],
        categories=[dict(id=ids[name], name=name) for name in names],
        annotations=[
            dict(
                id=first + n,
                image_id=1 + n // 2,
                category_id=1 + n % 2,
                bbox=box,
                area=box[2] * box[3],
                iscrowd=0,
            )
            for n, box in enumerate(BOXES)
        ],
    )


@pytest.fixture
def write(tmp_path):
    def write(content: dict) -> str:
        path = tmp_path / 'train.json'
        path.write_text(json.dumps(content))
        return str(path)

    return write


def evaluate(path: str, classes=('car', 'truck')) -> dict:
    """Figures of perfect detections, whose labels are places in ``classes``."""
    metrics = [MAVDMetric(ann_file=path), CenterDistanceMetric(ann_file=path)]
    labels = [classes.index(name) for name in ('car', 'truck')]
    figures = {}
    for metric in metrics:
        metric.dataset_meta = dict(classes=classes)
        for image in (1, 2):
            boxes = torch.tensor(BOXES[2 * image - 2 : 2 * image])
            boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
            pred = dict(bboxes=boxes, scores=torch.ones(2), labels=torch.tensor(labels))
            metric.process({}, [dict(pred_instances=pred, img_id=image, ori_shape=(100, 100))])
        figures |= metric.evaluate(2)
    return figures


@pytest.mark.parametrize('first', [0, 1, 7])
def test_perfect_detections_score_100_whatever_the_first_id(write, first):
    figures = evaluate(write(make_content(first)))
    assert figures['mavd/mAP'] == 100 and figures['mavd/CDx'] == 0


@pytest.mark.parametrize('names', [('car', 'truck'), ('truck', 'car')])
@pytest.mark.parametrize('classes', [('car', 'truck'), ('truck', 'car')])
def test_labels_are_places_in_the_classes(write, names, classes):
    path = write(make_content(names=names))
    assert CheckedCOCO(path).get_cat_ids(cat_names=classes) == [
        dict(car=1, truck=2)[name] for name in classes
    ]
    assert evaluate(path, classes)['mavd/mAP'] == 100


def test_is_pycocotools_on_a_good_file(write):
    path = write(make_content())
    ours, theirs = CheckedCOCO(path), COCO(path)
    assert ours.anns == theirs.anns and ours.imgs == theirs.imgs and ours.cats == theirs.cats
    assert ours.get_ann_ids(img_ids=[2]) == theirs.getAnnIds(imgIds=[2]) == [3, 4]
    assert ours.cat_img_map == theirs.catToImgs


def test_what_may_be_missing(write):
    content = make_content()
    for annotation in content['annotations']:
        del annotation['iscrowd'], annotation['area']
    path = write(content)
    assert [(ann['iscrowd'], ann['area']) for ann in read_coco(path)['annotations']] == [
        (0, 1200.0),
        (0, 900.0),
        (0, 400.0),
        (0, 600.0),
    ]
    assert evaluate(path)['mavd/mAP'] == 100


def changed(change) -> dict:
    content = copy.deepcopy(make_content())
    change(content)
    return content


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('annotations'), r"train\.json: .* no list 'annotations'"),
        (lambda c: c.pop('categories'), "no list 'categories'"),
        (lambda c: c.update(images={}), "no list 'images'"),
        (lambda c: c['annotations'][1].update(category_id=0), 'annotation 2: its category_id is 0'),
        (lambda c: c['annotations'][1].update(category_id='1'), "annotation 2: its category_id is '1'"),
        (lambda c: c['annotations'][1].update(image_id=9), 'annotation 2: its image_id is 9'),
        (lambda c: c['annotations'][1].pop('image_id'), 'annotation 2: its image_id is None'),
        (
            lambda c: c['annotations'][1].update(id=1),
            r'annotations\[0\] and annotations\[1\] have the same id, 1',
        ),
        (lambda c: c['annotations'][1].pop('id'), r'annotations\[1\]: its id'),
        (lambda c: c['images'][1].update(id=1), r'images\[0\] and images\[1\] have the same id, 1'),
        (lambda c: c['images'][1].update(file_name='1.jpg'), "have the same frame, '1.jpg'"),
        (lambda c: c['images'][0].pop('file_name'), r'images\[0\]: has no frame'),
        (lambda c: c['categories'][1].update(name='car'), "have the same name, 'car'"),
        (lambda c: c['categories'][1].update(id=1), r'categories\[0\] and .*\[1\] have the same id'),
        (lambda c: c['annotations'][1].update(bbox=[1, 2, 3]), r'annotation 2: its bbox \[1, 2, 3\]'),
        (lambda c: c['annotations'][1].update(bbox='box'), 'annotation 2: its bbox box'),
        (
            lambda c: c['annotations'][1].update(track_id='a7'),
            "annotation 2: its track_id 'a7' is no integer",
        ),
    ],
)
def test_what_would_be_misread_is_named(write, change, message):
    path = write(changed(change))
    with pytest.raises(SampleError, match=message):
        read_coco(path)
    with pytest.raises(SampleError, match=message):
        MAVDMetric(ann_file=path)


@pytest.mark.parametrize('content', [[], 3, 'x'])
def test_other_json_is_named(write, content):
    with pytest.raises(SampleError, match=r'train\.json: is no COCO file'):
        read_coco(write(content))


def test_float_ids_are_numbers(write):
    content = make_content()
    for annotation in content['annotations']:
        annotation['image_id'] = float(annotation['image_id'])
    assert np.isclose(evaluate(write(content))['mavd/mAP'], 100)
