"""MMDetTracker follows boxes as MMDetection's own trackers do."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmav.evaluation import TrackingMetric
from mmav.models.trackers import MMDetTracker

BYTE = dict(type='ByteTracker', motion=dict(type='KalmanFilter'), num_tentatives=1)
OC_SORT = dict(
    type='OCSORTTracker',
    motion=dict(type='KalmanFilter'),
    obj_score_thr=0.3,
    init_track_thr=0.5,
    match_iou_thr=0.3,
    num_tentatives=1,
)


def frames() -> list[tuple[np.ndarray, np.ndarray]]:
    """Two boxes that pass each other, and a weak one that stands for itself; their order changes."""
    random = np.random.default_rng(0)
    found = []
    for t in range(8):
        boxes = np.array(
            [[10 + 8 * t, 10, 60 + 8 * t, 50], [150 - 8 * t, 70, 190 - 8 * t, 110], [300, 5, 320, 20]]
        )
        scores = np.array([0.9, 0.8, 0.05]) + 0.001 * t
        order = random.permutation(3)
        found.append((boxes[order].astype(np.float32), scores[order].astype(np.float32), order))
    return found


@pytest.mark.parametrize('config', [BYTE, OC_SORT])
def test_tracks_are_those_of_the_tracker_itself(config):
    ours, theirs = MMDetTracker(config), MODELS.build(dict(config))
    theirs.reset()
    seen = []
    for number, (boxes, scores, order) in enumerate(frames()):
        ids = ours.step(boxes, scores)
        pred = InstanceData(
            bboxes=torch.from_numpy(boxes), scores=torch.from_numpy(scores), labels=torch.zeros(3).long()
        )
        expected = theirs.track(DetDataSample(metainfo=dict(frame_id=number), pred_instances=pred))
        for box, track in zip(expected.bboxes.numpy(), expected.instances_id.tolist()):
            (row,) = np.flatnonzero((boxes == box).all(1))
            assert ids[row] == track + 1
        assert (ids > 0).sum() == len(expected.bboxes)
        assert ids[np.flatnonzero(order == 2)[0]] == -1
        if number > 0:  # both stay who they are
            assert sorted(ids.tolist()) == [-1, 1, 2]
            assert [ids[np.flatnonzero(order == k)[0]] for k in range(2)] == seen
        seen = [ids[np.flatnonzero(order == k)[0]] for k in range(2)]


def test_another_drive_is_another_sequence_and_an_empty_frame_is_none():
    tracker = MMDetTracker(BYTE)

    def sample(drive: str, boxes: list) -> DetDataSample:
        boxes = torch.tensor(boxes).reshape(-1, 4)
        pred = InstanceData(
            bboxes=boxes, scores=torch.full((len(boxes),), 0.9), labels=torch.zeros(len(boxes)).long()
        )
        return DetDataSample(metainfo=dict(drive=drive), pred_instances=pred)

    first = tracker.track(sample('a', [[10.0, 10, 50, 40], [100.0, 10, 150, 40]]))
    assert first.instances_id.tolist() == [1, 2]
    assert len(tracker.track(sample('a', []))) == 0
    assert tracker.track(sample('b', [[200.0, 10, 250, 40]])).instances_id.tolist() == [1]


def test_the_metric_takes_it():
    metric = TrackingMetric(tracker=dict(type='MMDetTracker', tracker=BYTE))
    for number, (boxes, scores, order) in enumerate(frames()):
        truth = [
            dict(bbox=box.tolist(), bbox_label=0, track_id=int(k)) for box, k in zip(boxes, order) if k < 2
        ]
        sample = dict(
            drive='a',
            timestamp=float(number),
            instances=truth,
            img_id=number,
            pred_instances=dict(
                bboxes=torch.from_numpy(boxes), scores=torch.from_numpy(scores), labels=torch.zeros(3).long()
            ),
        )
        metric.process({}, [sample])
    found = metric.evaluate(8)
    assert found['tracking/MOTA'] == 100 and found['tracking/IDs'] == 0
