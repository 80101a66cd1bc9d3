import contextlib
import io
import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmav.datasets import SampleError
from mmav.evaluation import CenterDistanceMetric, MAVDMetric, center_distance

WIDTH, HEIGHT = 320, 200
META = dict(classes=('vehicle',))


def random_boxes(rng, count: int) -> np.ndarray:
    corner = rng.rand(count, 2) * (WIDTH - 100, HEIGHT - 80)
    return np.concatenate([corner, corner + 20 + rng.rand(count, 2) * 60], axis=1)


@pytest.fixture
def scenes(tmp_path):
    """A COCO file of 12 images and detections near the truth, some wrong, some missing."""
    rng = np.random.RandomState(0)
    images, annotations, samples = [], [], []
    for img_id in range(12):
        gts = random_boxes(rng, rng.randint(0, 4))
        dets = np.concatenate(
            [gts[: rng.randint(0, 4)] + rng.randn(4) * 4, random_boxes(rng, rng.randint(0, 3))]
        )
        images.append(dict(id=img_id, width=WIDTH, height=HEIGHT, file_name=f'{img_id}.jpg'))
        for x1, y1, x2, y2 in gts.tolist():
            box = [x1, y1, x2 - x1, y2 - y1]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=img_id,
                    category_id=1,
                    bbox=box,
                    iscrowd=0,
                    area=box[2] * box[3],
                )
            )
        samples.append(
            dict(
                img_id=img_id,
                ori_shape=(HEIGHT, WIDTH),
                time_of_day='night' if img_id % 3 == 0 else 'day',
                motion='static' if img_id < 6 else None,
                pred_instances=InstanceData(
                    bboxes=torch.from_numpy(dets).float(),
                    scores=torch.from_numpy(rng.rand(len(dets))).float(),
                    labels=torch.zeros(len(dets), dtype=torch.long),
                ),
                gt_instances=InstanceData(
                    bboxes=torch.from_numpy(gts).float(), labels=torch.zeros(len(gts), dtype=torch.long)
                ),
            )
        )
    path = tmp_path / 'annotations.json'
    coco = dict(images=images, annotations=annotations, categories=[dict(id=1, name='vehicle')])
    path.write_text(json.dumps(coco))
    return str(path), samples


def evaluate(metric, samples: list) -> dict:
    metric.dataset_meta = META
    for start in range(0, len(samples), 5):
        metric.process({}, samples[start : start + 5])
    return metric.evaluate(len(samples))


def pycocotools_figures(path: str, samples: list) -> list:
    """The first three of COCO's statistics, in percent, over the images of these samples."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(path)
        results = [
            dict(
                image_id=sample['img_id'],
                category_id=1,
                score=score,
                bbox=[box[0], box[1], box[2] - box[0], box[3] - box[1]],
            )
            for sample in samples
            for box, score in zip(
                sample['pred_instances'].bboxes.tolist(), sample['pred_instances'].scores.tolist()
            )
        ]
        evaluation = COCOeval(truth, truth.loadRes(results), 'bbox')
        evaluation.params.imgIds = [sample['img_id'] for sample in samples]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [100 * value for value in evaluation.stats[:3]]


def distances(samples: list, protocol: str) -> dict:
    dets = [
        torch.cat([pred.bboxes, pred.scores[:, None], pred.labels[:, None]], dim=1).numpy()
        for pred in (sample['pred_instances'] for sample in samples)
    ]
    gts = [
        torch.cat([gt.bboxes, gt.labels[:, None]], dim=1).numpy()
        for gt in (sample['gt_instances'] for sample in samples)
    ]
    return center_distance(dets, gts, (WIDTH, HEIGHT), protocol)


@pytest.mark.parametrize('protocol', ['paper', 'official'])
def test_figures_are_those_of_pycocotools_and_of_the_function(scenes, protocol):
    path, samples = scenes
    metrics = evaluate(MAVDMetric(ann_file=path, protocol=protocol), samples)
    rows = {
        '': samples,
        'day/': [sample for sample in samples if sample['time_of_day'] == 'day'],
        'night/': [sample for sample in samples if sample['time_of_day'] == 'night'],
        'static/': samples[:6],
    }
    for row, chosen in rows.items():
        found = [metrics[f'mavd/{row}{name}'] for name in ('mAP', 'mAP_50', 'mAP_75')]
        assert found == pytest.approx(pycocotools_figures(path, chosen), abs=1e-9), row
        expected = distances(chosen, protocol)
        assert metrics[f'mavd/{row}CDx'] == pytest.approx(expected['cd_x'], abs=1e-3), row
        assert metrics[f'mavd/{row}CDy'] == pytest.approx(expected['cd_y'], abs=1e-3), row
        assert metrics[f'mavd/{row}miss_rate'] == pytest.approx(expected['miss_rate']), row
    assert {name.split('/')[1] for name in metrics if name.count('/') == 2} == {'day', 'night', 'static'}
    assert 0 < metrics['mavd/mAP'] < 100


def test_holds_what_coco_metric_says(scenes):
    path, samples = scenes
    metrics = evaluate(METRICS.build(dict(type='MAVDMetric', ann_file=path, classwise=True)), samples)
    stock = evaluate(CocoMetric(ann_file=path, classwise=True), samples)
    for name, value in stock.items():
        assert metrics[name.replace('coco/', 'mavd/')] == pytest.approx(value, nan_ok=True)
    assert metrics['mavd/mAP'] / 100 == pytest.approx(metrics['mavd/bbox_mAP'], abs=5e-4)


def test_table_has_the_columns_of_the_papers(scenes, monkeypatch):
    path, samples = scenes
    messages = []
    monkeypatch.setattr(MMLogger, 'info', lambda self, message: messages.append(message))
    metrics = evaluate(MAVDMetric(ann_file=path), samples)
    out = messages[-1]
    header = next(line for line in out.splitlines() if 'mAP@Avg' in line)
    assert [cell.strip() for cell in header.strip('|').split('|')] == [
        'percent',
        'mAP@Avg',
        'mAP@0.5',
        'mAP@0.75',
        'CDx',
        'CDy',
        'missed',
        'frames',
    ]
    rows = [
        line.strip('|').split('|') for line in out[out.index(header) :].splitlines() if line.startswith('|')
    ]
    rows = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows[1:]}
    assert list(rows) == ['all', 'day', 'night', 'static']
    assert rows['all'][:2] == [f'{metrics["mavd/mAP"]:.2f}', f'{metrics["mavd/mAP_50"]:.2f}']
    assert [rows[name][-1] for name in rows] == ['12', '8', '4', '6']


def test_no_detection_at_all(scenes):
    path, samples = scenes
    for sample in samples:
        sample['pred_instances'] = sample['pred_instances'][:0]
    metrics = evaluate(MAVDMetric(ann_file=path), samples)
    assert metrics['mavd/mAP'] == metrics['mavd/bbox_mAP'] == 0
    assert metrics['mavd/miss_rate'] == 100
    assert np.isnan(metrics['mavd/CDx'])


def test_equal_values_of_two_keys_have_rows_of_their_own(scenes):
    path, samples = scenes
    for sample in samples:
        sample['condition'] = 'day' if sample['img_id'] == 1 else 'fog'
    metrics = evaluate(MAVDMetric(ann_file=path), samples)
    one = [sample for sample in samples if sample['img_id'] == 1]
    expected = pycocotools_figures(path, one) if len(one[0]['pred_instances']) else None
    assert 'mavd/condition=day/mAP' in metrics and 'mavd/fog/mAP' in metrics
    if expected is not None and expected[0] >= 0:
        assert metrics['mavd/condition=day/mAP'] == pytest.approx(expected[0])


@pytest.mark.parametrize('from_file', [True, False])
@pytest.mark.parametrize('protocol', ['paper', 'official'])
def test_center_distance_metric(scenes, from_file, protocol):
    path, samples = scenes
    metric = CenterDistanceMetric(protocol=protocol, ann_file=path if from_file else None)
    metrics = evaluate(metric, samples)
    expected = distances(samples, protocol)
    assert metrics['center_distance/CDx'] == pytest.approx(expected['cd_x'], abs=1e-3)
    assert metrics['center_distance/CDy'] == pytest.approx(expected['cd_y'], abs=1e-3)
    assert metrics['center_distance/miss_rate'] == pytest.approx(expected['miss_rate'])


def test_center_distance_metric_says_what_is_missing(scenes):
    _, samples = scenes
    del samples[0]['gt_instances']
    with pytest.raises(KeyError, match='ann_file'):
        evaluate(CenterDistanceMetric(), samples)


@pytest.mark.parametrize('metric', [MAVDMetric, CenterDistanceMetric])
def test_unknown_protocol(metric):
    with pytest.raises(ValueError, match='protocol'):
        metric(protocol='ours')


def with_instances(sample: dict, **changes) -> dict:
    truth = sample['gt_instances'].bboxes.tolist()
    return dict(sample, instances=[dict(bbox=box, bbox_label=0, ignore_flag=0) for box in truth], **changes)


def test_test_sets_that_count_from_the_same_number_stay_apart(scenes):
    path, samples = scenes
    expected = pycocotools_figures(path, samples)
    joined = [
        with_instances(sample, img_id=number % 6, img_path=f'{"ab"[number // 6]}/{number % 6}.jpg')
        for number, sample in enumerate(samples)
    ]
    metric = MAVDMetric()
    for _ in range(2):  # validations; the truth of the first one is kept
        figures = evaluate(metric, joined)
        np.testing.assert_allclose(
            [figures[f'mavd/{name}'] for name in ('mAP', 'mAP_50', 'mAP_75')], expected, atol=1e-9
        )


@pytest.mark.parametrize('kind', [MAVDMetric, CenterDistanceMetric])
def test_an_annotation_file_knows_one_test_set(scenes, kind):
    path, samples = scenes
    metric = kind(ann_file=path)
    metric.dataset_meta = META
    metric.process({}, [with_instances(samples[0], img_path='a/0.jpg')])
    with pytest.raises(SampleError, match=r'b/0\.jpg: has the id 0, as a/0\.jpg has: .*ann_file'):
        metric.process({}, [with_instances(samples[0], img_path='b/0.jpg')])
    with pytest.raises(SampleError, match='its id 77 is not in'):
        metric.process({}, [with_instances(samples[0], img_id=77, img_path='a/77.jpg')])
