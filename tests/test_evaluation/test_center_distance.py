import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mmav.evaluation import center_distance

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden' / 'center_distance.npz'


def golden_frames() -> tuple:
    golden = np.load(GOLDEN)
    dets = golden['predictions_frame_x1_y1_x2_y2_score_label']
    gts = golden['ground_truth_frame_x1_y1_x2_y2_label']
    frames = range(int(max(dets[:, 0].max(), gts[:, 0].max())) + 1)
    split = [[table[table[:, 0] == frame, 1:] for frame in frames] for table in (dets, gts)]
    return golden, *split, (float(golden['image_size']),) * 2


def test_golden_official():
    golden, dets, gts, size = golden_frames()
    values = center_distance(dets, gts, size, protocol='official')
    np.testing.assert_allclose(values['cd_x'], golden['official_cd_x'], rtol=1e-12)
    np.testing.assert_allclose(values['cd_y'], golden['official_cd_y'], rtol=1e-12)


def test_golden_paper():
    golden, dets, gts, size = golden_frames()
    values = center_distance(dets, gts, size, protocol='paper')
    np.testing.assert_allclose(values['cd_x'], golden['center_greedy_cd_x'], rtol=1e-12)
    np.testing.assert_allclose(values['cd_y'], golden['center_greedy_cd_y'], rtol=1e-12)
    total = sum(map(len, gts))
    np.testing.assert_allclose(values['miss_rate'], 100 * golden['center_greedy_missed'] / total, rtol=1e-12)


def test_hand_worked():
    # image 200 x 100; centers of the truth: (20, 20), (120, 50);
    # of the detections: (30, 24), (100, 50), (119, 90)
    gts = [np.array([[10, 10, 30, 30, 0], [110, 40, 130, 60, 0]])]
    dets = [np.array([[20, 20, 40, 28, 0.9, 0], [90, 45, 110, 55, 0.8, 0], [109, 80, 129, 100, 0.2, 0]])]
    paper = center_distance(dets, gts, (200, 100))
    # offsets (10, 4) and (20, 0); the third detection is below 0.3
    assert paper == pytest.approx(dict(cd_x=100 * 15 / 200, cd_y=100 * 2 / 100, miss_rate=0.0))
    # sizes of the truth (20, 20) twice, of the detections (20, 8) and (20, 10);
    # the first takes the 10, the second the 8
    official = center_distance(dets, gts, (200, 100), protocol='official')
    assert official == pytest.approx(dict(cd_x=0.0, cd_y=100 * (10 + 12) / 2 / 100, miss_rate=0.0))


def test_missing_detections():
    gts = [np.array([[0, 0, 20, 10, 0.0]]), np.array([[0, 0, 40, 30, 0.0], [50, 50, 60, 60, 0.0]])]
    dets = [np.zeros((0, 6)), np.array([[10, 0, 50, 30, 1.0, 0.0]])]
    paper = center_distance(dets, gts, (100, 100))
    assert paper == pytest.approx(dict(cd_x=10.0, cd_y=0.0, miss_rate=100 * 2 / 3))
    # a missing box counts as one of size 0; frames are averaged first: (20, 10) and mean of (0, 0), (10, 10)
    official = center_distance(dets, gts, (100, 100), protocol='official')
    assert official == pytest.approx(dict(cd_x=12.5, cd_y=7.5, miss_rate=100 * 2 / 3))


@pytest.mark.parametrize('protocol', ['paper', 'official'])
def test_other_classes_do_not_match(protocol):
    gts, dets = [np.array([[0, 0, 20, 10, 1.0]])], [np.array([[0, 0, 20, 10, 1.0, 0.0]])]
    assert center_distance(dets, gts, (100, 100), protocol)['miss_rate'] == 100


@pytest.mark.parametrize('protocol', ['paper', 'official'])
@pytest.mark.parametrize('frames', [0, 2])
def test_nothing_to_average_is_nan(protocol, frames):
    values = center_distance([np.zeros((0, 6))] * frames, [np.zeros((0, 5))] * frames, (10, 10), protocol)
    assert all(np.isnan(value) for value in values.values())


@pytest.mark.parametrize('protocol', ['paper', 'official'])
def test_perfect_detections(protocol):
    rng = np.random.RandomState(0)
    corner = rng.rand(7, 2) * 100
    gts = np.concatenate([corner, corner + 5 + rng.rand(7, 2) * 20, np.zeros((7, 1))], axis=1)
    dets = np.concatenate([gts[::-1, :4], np.full((7, 1), 0.5), np.zeros((7, 1))], axis=1)
    assert center_distance([dets], [gts], (150, 150), protocol) == dict(cd_x=0, cd_y=0, miss_rate=0)


def test_single_box_takes_the_nearest_of_scipy():
    rng = np.random.RandomState(1)
    boxes = rng.rand(30, 2) * 100
    dets = np.concatenate([boxes, boxes + rng.rand(30, 2) * 30, np.ones((30, 1)), np.zeros((30, 1))], axis=1)
    gt = np.array([[40.0, 30.0, 60.0, 50.0, 0.0]])
    centers = (dets[:, :2] + dets[:, 2:4]) / 2
    nearest = cdist(centers, [[50.0, 40.0]]).argmin()
    values = center_distance([dets], [gt], (200, 50))
    assert values['cd_x'] == pytest.approx(100 * abs(centers[nearest, 0] - 50) / 200)
    assert values['cd_y'] == pytest.approx(100 * abs(centers[nearest, 1] - 40) / 50)


def test_frames_of_their_own_size():
    gts, dets = [np.array([[0, 0, 10, 10, 0.0]])] * 2, [np.array([[10, 0, 20, 10, 1.0, 0.0]])] * 2
    values = center_distance(dets, gts, np.array([[100, 100], [50, 100]]))
    assert values['cd_x'] == pytest.approx((10 + 20) / 2)


def with_plain_loops(dets, gts, sizes, protocol, score_thr) -> dict[str, float]:
    """The rule written out, box by box."""

    def point(x1, y1, x2, y2):
        return ((x1 + x2) / 2, (y1 + y2) / 2) if protocol == 'paper' else (x2 - x1, y2 - y1)

    per_frame, missed, total = [], 0, 0
    for frame_dets, frame_gts, (width, height) in zip(dets, gts, sizes):
        free = [det for det in frame_dets.tolist() if det[4] >= score_thr]
        distances = []
        for *corners, label in frame_gts.tolist():
            total += 1
            x, y = point(*corners)
            candidates = [(math.dist(point(*det[:4]), (x, y)), det) for det in free if det[5] == label]
            missed += not candidates
            if candidates:
                nearest = min(candidates, key=lambda candidate: candidate[0])[1]
                free.remove(nearest)
                u, v = point(*nearest[:4])
                distances.append((abs(u - x) / width, abs(v - y) / height))
            elif protocol == 'official':
                distances.append((x / width, y / height))
        if protocol == 'official' and distances:
            distances = [np.mean(distances, axis=0)]
        per_frame += distances
    cd_x, cd_y = 100 * np.mean(per_frame, axis=0)
    return dict(cd_x=cd_x, cd_y=cd_y, miss_rate=100 * missed / total)


@pytest.mark.parametrize('protocol', ['paper', 'official'])
@pytest.mark.parametrize('most', [3, 12])
@pytest.mark.parametrize('seed', range(4))
def test_agrees_with_plain_loops(protocol, most, seed):
    # frames without detections, without truth, without both; three classes; sides of whole pixels: ties
    rng = np.random.default_rng(seed)

    def boxes(*last_columns):
        corner = rng.integers(0, 6, (len(last_columns[0]), 2))
        return np.column_stack([corner, corner + rng.integers(1, 6, corner.shape), *last_columns])

    dets, gts = [], []
    for n, m in rng.integers(0, most + 1, (60, 2)):
        dets.append(boxes(rng.random(n), rng.integers(0, 3, n)))
        gts.append(boxes(rng.integers(0, 3, m)))
    sizes = rng.integers(10, 20, (60, 2))
    values = center_distance(dets, gts, sizes, protocol, score_thr=0.25)
    assert values == pytest.approx(with_plain_loops(dets, gts, sizes, protocol, 0.25), rel=1e-12)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (([np.zeros((1, 5))], [np.zeros((1, 5))], (9, 9)), r'predictions\[0\]'),
        (([np.zeros((1, 6))], [np.zeros((1, 4))], (9, 9)), r'ground_truths\[0\]'),
        (([], [np.zeros((1, 5))], (9, 9)), 'frames'),
        (([], [], (9, 9), 'published'), 'protocol'),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        center_distance(*arguments)
