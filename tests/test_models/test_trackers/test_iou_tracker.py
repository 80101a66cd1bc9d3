import itertools

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.bbox import bbox_overlaps
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmav.models.trackers import IoUTracker, iou_tracker

WIDTH = 40.0


def box(x: float, y: float = 0.0) -> list[float]:
    return [x, y, x + WIDTH, y + WIDTH]


def shifted(iou: float) -> float:
    """By how much a square of WIDTH must move for this IoU with where it was."""
    return WIDTH * (1 - iou) / (1 + iou)


def step(tracker: IoUTracker, *boxes: tuple, labels=None) -> list[int]:
    """A frame of (box, score)."""
    bboxes = np.array([corners for corners, _ in boxes]).reshape(-1, 4)
    scores = np.array([score for _, score in boxes])
    return tracker.step(bboxes, scores, None if labels is None else np.array(labels)).tolist()


def test_starts_with_a_sure_box_alone():
    tracker = IoUTracker()
    assert step(tracker, (box(0), 0.81), (box(100), 0.8), (box(200), 0.79), (box(300), 1.0)) == [1, -1, -1, 2]
    # 0.8 in single precision is a little more than in double precision
    tracker.reset()
    assert tracker.step(torch.tensor([box(0)]), torch.tensor([0.8])).tolist() == [-1]


def test_goes_on_with_an_unsure_box_down_to_the_lowest_score():
    tracker = IoUTracker()
    assert step(tracker, (box(0), 0.9)) == [1]
    assert step(tracker, (box(2), 0.3)) == [1]
    assert step(tracker, (box(4), 0.29)) == [-1]
    assert tracker.active_ids == []


@pytest.mark.parametrize(('iou', 'linked'), [(0.51, True), (0.49, False)])
def test_links_above_half_overlap(iou, linked):
    tracker = IoUTracker()
    step(tracker, (box(0), 0.9))
    assert step(tracker, (box(shifted(iou)), 0.5)) == [1 if linked else -1]


def test_exactly_half_overlap_does_not_link():
    tracker = IoUTracker()
    step(tracker, ([0, 0, 2, 2], 0.9))
    assert step(tracker, ([0, 0, 2, 1], 0.9)) == [2]


def test_overlap_is_with_the_last_box_and_not_with_the_first():
    tracker = IoUTracker()
    for frame in range(10):
        assert step(tracker, (box(10.0 * frame), 0.9)) == [1]


def test_a_tracklet_without_a_box_ends():
    tracker = IoUTracker()
    assert step(tracker, (box(0), 0.9)) == [1]
    assert step(tracker) == []
    assert step(tracker, (box(0), 0.9)) == [2]


@pytest.mark.parametrize(('patience', 'expected'), [(0, 2), (1, 2), (2, 1), (3, 1)])
def test_patience_bridges_missing_boxes(patience, expected):
    tracker = IoUTracker(patience=patience)
    step(tracker, (box(0), 0.9))
    step(tracker)
    step(tracker, (box(500), 0.2))
    assert step(tracker, (box(0), 0.9)) == [expected]


def test_sum_of_overlaps_is_greatest():
    # one after the other, each taking the best, the first tracklet would take the only box of the second
    tracker = IoUTracker(iou_thr=0.3)
    assert step(tracker, (box(0), 0.9), (box(20), 0.9)) == [1, 2]
    assert step(tracker, (box(8), 0.9), (box(-14), 0.9)) == [2, 1]


def test_pairs_that_may_not_link_do_not_count_in_the_sum():
    # 1-a and 2-b overlap by 0.56 and 0.02, 2-a and 1-b by 0.52 and 0.47: more, but 1-b may not link
    tracker = IoUTracker()
    first, second = [0, 0, 100, 100], [60, 0, 160, 100]
    step(tracker, (first, 0.9), (second, 0.9))
    a, b = [28, 0, 128, 100], [-36, 0, 64, 100]
    assert step(tracker, (a, 0.9), (b, 0.9)) == [1, 3]


def brute_force(tracks: np.ndarray, boxes: np.ndarray, iou_thr: float) -> float:
    """Greatest sum of the overlaps above the threshold, over all assignments."""

    def iou(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        both = max(width, 0) * max(height, 0)
        return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)

    table = np.array([[iou(a, b) for b in boxes] for a in tracks])
    table[table <= iou_thr] = 0
    few, many = sorted(table.shape)
    table = table if len(table) == few else table.T
    return max(
        sum(table[row, column] for row, column in enumerate(order))
        for order in itertools.permutations(range(many), few)
    )


@pytest.mark.parametrize('seed', range(8))
def test_agrees_with_every_assignment_tried(seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (5, 2))
    first = np.concatenate([corner, corner + rng.uniform(40, 80, (5, 2))], axis=1)
    second = (first + rng.normal(0, 8, first.shape))[rng.permutation(5)[: rng.integers(2, 6)]]
    tracker = IoUTracker(iou_thr=0.2)
    before = tracker.step(first, np.full(5, 0.9)).tolist()
    after = tracker.step(second, np.full(len(second), 0.5))
    linked = [(before.index(number), place) for place, number in enumerate(after) if number in before]
    total = sum(brute_force(first[[i]], second[[j]], 0.2) for i, j in linked)
    assert total == pytest.approx(brute_force(first, second, 0.2))
    assert len({number for number in after.tolist() if number > 0}) == (after > 0).sum()


@pytest.mark.parametrize('few', [True, False])
def test_overlaps_are_those_of_mmdet(few):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (12, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 50, (12, 2))], axis=1)
    boxes[3, 2:] = boxes[3, :2]  # of no size
    boxes[4, 2] = boxes[4, 0] - 5  # turned around
    first, second = boxes[:5], boxes[3:].astype(np.float32)
    expected = bbox_overlaps(torch.from_numpy(first), torch.from_numpy(second).double()).numpy()
    pairs = (
        iou_tracker._overlaps(first.tolist(), second.tolist(), 0.1)
        if few
        else iou_tracker._overlaps_of_many(first, second, 0.1)
    )
    assert [pair[:2] for pair in pairs] == [tuple(pair) for pair in np.argwhere(expected > 0.1).tolist()]
    np.testing.assert_allclose([pair[2] for pair in pairs], expected[expected > 0.1], rtol=1e-9)


@pytest.mark.parametrize('patience', [0, 2])
@pytest.mark.parametrize('whole', [False, True])  # whole pixels: many overlaps are the same
def test_loops_and_arrays_link_the_same(monkeypatch, patience, whole):
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(60):
        count = rng.integers(0, 9)
        corner, size = rng.uniform(0, 12, (count, 2)), rng.uniform(4, 9, (count, 2))
        corner, size = (np.round(part) if whole else part for part in (corner, size))
        bboxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
        frames.append((bboxes, rng.random(count, dtype=np.float32), rng.integers(0, 2, count)))

    def ids() -> list[list[int]]:
        tracker = IoUTracker(iou_thr=0.1, init_score_thr=0.4, score_thr=0.2, patience=patience)
        return [tracker.step(*frame).tolist() for frame in frames]

    in_loops = ids()
    monkeypatch.setattr(iou_tracker, 'FEW_PAIRS', 0)
    assert ids() == in_loops
    numbers = np.concatenate(in_loops)
    assert len(set(numbers[numbers > 0])) < 0.75 * (numbers > 0).sum()  # many boxes continue one


@pytest.mark.parametrize('few_pairs', [0, 200])
def test_not_a_number_is_no_box(monkeypatch, few_pairs):
    monkeypatch.setattr(iou_tracker, 'FEW_PAIRS', few_pairs)
    tracker = IoUTracker()
    step(tracker, (box(0), 0.9))
    with pytest.raises(ValueError, match='NaN'):
        step(tracker, ([0, 0, np.nan, 40], 0.9))


def test_classes_are_kept_apart():
    tracker = IoUTracker()
    assert step(tracker, (box(0), 0.9), (box(0), 0.9), labels=[0, 1]) == [1, 2]
    assert step(tracker, (box(1), 0.9), (box(1), 0.9), labels=[1, 0]) == [2, 1]
    assert step(tracker, (box(1), 0.9), labels=[2]) == [3]


def test_reset_forgets():
    tracker = IoUTracker()
    step(tracker, (box(0), 0.9), (box(100), 0.9))
    tracker.reset()
    assert tracker.active_ids == []
    assert step(tracker, (box(0), 0.9)) == [1]


@pytest.mark.parametrize(
    'options',
    [dict(init_score_thr=1.2), dict(score_thr=0.9), dict(score_thr=-0.1), dict(iou_thr=1), dict(patience=-1)],
)
def test_bad_options(options):
    with pytest.raises(ValueError):
        IoUTracker(**options)


def test_arrays_of_different_length():
    with pytest.raises(ValueError, match='2 boxes, 1 scores'):
        IoUTracker().step(np.zeros((2, 4)), np.zeros(1))


def sample(x: float, drive: str | None, score: float = 0.9) -> DetDataSample:
    result = DetDataSample(metainfo={} if drive is None else dict(drive=drive, frame_id='15_000000001_2'))
    result.pred_instances = InstanceData(
        bboxes=torch.tensor([box(x), box(300)]),
        scores=torch.tensor([score, 0.1]),
        labels=torch.tensor([0, 0]),
    )
    return result


def test_track_keeps_tracked_boxes_and_begins_anew_with_a_drive():
    tracker = MODELS.build(dict(type='mmdet.IoUTracker'))
    tracked = tracker.track(data_sample=sample(0, 'a'))
    assert tracked.instances_id.tolist() == [1] and tracked.bboxes.tolist() == [box(0)]
    assert tracker.track(data_sample=sample(400, 'a')).instances_id.tolist() == [2]
    assert tracker.track(data_sample=sample(400, 'b')).instances_id.tolist() == [1]
    assert tracker.track(data_sample=sample(0, 'b', 0.1)).instances_id.tolist() == []


class MovingDot(torch.nn.Module):
    """Stands for a detector: finds a square whose place is the mean of its image."""

    def predict(self, inputs, data_samples, **kwargs):
        data_samples[0].pred_instances = sample(float(inputs.mean()), None).pred_instances
        return data_samples


def test_serves_the_tracking_models_of_mmdet():
    with DefaultScope.overwrite_default_scope('mmdet'):
        MODELS.register_module(name='MovingDot', module=MovingDot, force=True)
        model = MODELS.build(
            dict(
                type='ByteTrack', detector=dict(type='MovingDot'), tracker=dict(type='IoUTracker', patience=1)
            )
        )
    places = [0.0, 5.0, 200.0, 10.0]
    video = TrackDataSample()
    video.video_data_samples = [DetDataSample(metainfo=dict(frame_id=number)) for number in range(4)]
    frames = torch.tensor(places).reshape(1, 4, 1, 1, 1).expand(1, 4, 8, 2, 2)
    for _ in range(2):  # the second video begins anew
        (result,) = model.predict(frames, [video])
        ids = [frame.pred_track_instances.instances_id.tolist() for frame in result.video_data_samples]
        assert ids == [[1], [1], [2], [1]]
