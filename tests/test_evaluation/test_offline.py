import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mmav.evaluation import evaluate_detections, evaluate_mean_box

ROOT = Path(__file__).parents[2]


def write(path: Path, boxes: list) -> str:
    """A COCO file with one box (x, y, w, h) or none in each image of 200 x 100 pixels."""
    images = [
        dict(id=10 + k, width=200, height=100, file_name=f'{k}.jpg', time_of_day=('day', 'night')[k % 2])
        for k in range(len(boxes))
    ]
    annotations = [
        dict(id=k + 1, image_id=10 + k, category_id=3, bbox=box, area=box[2] * box[3], iscrowd=0)
        for k, box in enumerate(boxes)
        if box is not None
    ]
    categories = [dict(id=3, name='vehicle')]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return str(path)


def test_detections_by_hand(tmp_path):
    path = write(tmp_path / 'test.json', [[10, 10, 20, 20], [50, 50, 40, 30]])
    found = [np.array([[10, 10, 30, 30, 0.9, 0]]), np.array([[150, 10, 190, 40, 0.8, 0]])]
    metrics = evaluate_detections(path, found)
    assert metrics['mavd/day/mAP'] == pytest.approx(100)
    assert metrics['mavd/night/mAP'] == 0
    # one of two found at full precision: precision 1 at the recalls 0, 0.01, ..., 0.5 of 101
    assert metrics['mavd/mAP_50'] == pytest.approx(100 * 51 / 101)
    assert metrics['mavd/CDx'] == pytest.approx((0 + 50) / 2) and metrics['mavd/miss_rate'] == 0
    with pytest.raises(ValueError, match='1 predictions for the 2 images'):
        evaluate_detections(path, found[:1])


def test_mean_box(tmp_path, monkeypatch):
    train = write(tmp_path / 'train.json', [[0, 0, 20, 20], None, [20, 20, 60, 40]])
    test = write(tmp_path / 'test.json', [[10, 10, 40, 30], [110, 10, 40, 30]])
    metrics = evaluate_mean_box(train, test)  # predicts (10, 10) - (50, 40)
    assert metrics['mavd/day/mAP'] == pytest.approx(100) and metrics['mavd/night/mAP'] == 0
    assert metrics['mavd/CDx'] == pytest.approx((0 + 50) / 2) and metrics['mavd/CDy'] == 0

    out = tmp_path / 'out.json'
    monkeypatch.setattr(sys, 'argv', ['mean_box_baseline.py', train, test, '--out', str(out)])
    runpy.run_path(str(ROOT / 'tools' / 'analysis' / 'mean_box_baseline.py'), run_name='__main__')
    assert json.loads(out.read_text())['mavd/mAP'] == pytest.approx(metrics['mavd/mAP'])
