import importlib

import numpy as np
import pytest
import torch
from golden import GOLDEN
from sklearn import metrics

from mmav.evaluation import ciou, ciou_at_thresholds
from mmav.evaluation.functional import negative_audio_rates, region_ciou
from mmav.evaluation.functional.ciou import success_rates, value_at_rank


def consensus(boxes: np.ndarray, size: int = 224) -> np.ndarray:
    """Half for one annotator's box, whole for two."""
    gt = np.zeros((len(boxes), size, size), np.float32)
    for count, rows in zip(gt, boxes):
        for x1, y1, x2, y2 in rows[rows[:, 0] >= 0]:
            count[y1:y2, x1:x2] += 0.5
    return gt.clip(max=1)


def by_loops(heatmap: np.ndarray, gt: np.ndarray, threshold: float | None) -> float:
    """The definition, pixel by pixel."""
    low, high = heatmap.min(), heatmap.max()
    scaled = [[(float(value) - low) / (high - low) for value in row] for row in heatmap.tolist()]
    if threshold is None:
        threshold = sorted(value for row in scaled for value in row)[heatmap.size // 2]
    inside = outside = total = 0.0
    for row, truths in zip(scaled, gt.tolist()):
        for value, truth in zip(row, truths):
            total += truth
            if value >= threshold:
                inside += truth
                outside += truth == 0
    return inside / (total + outside)


@pytest.mark.parametrize('kind', ['float32', 'float64', 'torch'])
def test_golden(kind):
    golden = np.load(GOLDEN / 'ciou_metric.npz')
    maps, gts = golden['heatmaps'], consensus(golden['boxes'])
    if kind == 'torch':
        maps, gts = torch.from_numpy(maps), torch.from_numpy(gts)
    else:
        maps, gts = maps.astype(kind), gts.astype(kind)
    values = ciou(maps, gts)
    np.testing.assert_allclose(values['ciou'], golden['ciou'], rtol=1e-12)
    np.testing.assert_allclose(values['ciou_at_50'], golden['ciou_at_50'], rtol=1e-12)
    np.testing.assert_allclose(values['auc'], golden['auc'], rtol=1e-12)


def random_maps(count: int, shape: tuple[int, int] = (9, 14), seed: int = 0) -> tuple:
    rng = np.random.RandomState(seed)
    return rng.standard_normal((count, *shape)), rng.choice([0, 0.5, 1], (count, *shape), p=[0.6, 0.2, 0.2])


@pytest.mark.parametrize('threshold', ['median', 0.0, 0.35, 1.0])
def test_equals_plain_loops(threshold):
    maps, gts = random_maps(20)
    expected = [by_loops(*pair, None if threshold == 'median' else threshold) for pair in zip(maps, gts)]
    np.testing.assert_allclose(ciou(maps, gts, threshold)['ciou'], expected, rtol=1e-12)


def test_sweep_is_one_threshold_after_the_other():
    maps, gts = random_maps(12)
    thresholds = (0.1, 0.5, 0.9)
    table = ciou_at_thresholds(maps, gts, thresholds)
    assert table.shape == (12, 3)
    for column, threshold in zip(table.T, thresholds):
        np.testing.assert_array_equal(column, ciou(maps, gts, threshold)['ciou'])


def test_auc_is_that_of_sklearn():
    maps, gts = random_maps(40)
    values = ciou(maps, gts)
    required = [0.05 * step for step in range(21)]
    shares = [(values['ciou'] >= value).mean() for value in required]
    assert values['auc'] == pytest.approx(metrics.auc(required, shares), rel=1e-12)
    assert values['ciou_at_50'] == shares[10]


def test_hand_worked():
    # 2 x 4 pixels; the map's half that is on: 5, 6, 7, 8
    heatmap = np.array([[[1, 2, 5, 6], [3, 4, 7, 8]]])
    gt = np.array([[[0, 0, 1, 1], [0, 1, 0.5, 0]]])
    # within 1 + 1 + 0.5, truth 3.5, one pixel beside it
    assert ciou(heatmap, gt)['ciou'] == pytest.approx([2.5 / 4.5])
    # scaled to 0..1, 0.9 leaves the 8 alone, which lies beside the truth; (6 - 1) / 7 = 0.714 leaves 6, 7, 8
    assert ciou(heatmap, gt, 0.9)['ciou'] == [0]
    assert ciou(heatmap, gt, 0.71)['ciou'] == pytest.approx([1.5 / 4.5])


def test_perfect_map_and_no_maps():
    gt = np.zeros((1, 8, 8))
    gt[:, 2:6, :] = 1
    assert ciou(gt, gt) == dict(ciou=[1], ciou_at_50=1, auc=1)
    nothing = ciou(np.zeros((0, 8, 8)), np.zeros((0, 8, 8)))
    assert nothing['ciou'].shape == (0,) and np.isnan([nothing['ciou_at_50'], nothing['auc']]).all()


def test_map_without_contrast_is_the_whole_image():
    _, gts = random_maps(5)
    flat = np.full(gts.shape, -0.3)
    whole = region_ciou(np.ones(gts.shape[1:], bool), gts)
    np.testing.assert_array_equal(ciou(flat, gts)['ciou'], whole)
    np.testing.assert_allclose(whole, gts.sum((1, 2)) / (gts.sum((1, 2)) + (gts == 0).sum((1, 2))))
    assert not ciou(flat, gts, 0.5)['ciou'].any()


def test_empty_truth_is_never_found():
    maps, gts = random_maps(3)
    assert not ciou(maps, 0 * gts)['ciou'].any()


def test_region_of_the_truth_itself():
    region = np.zeros((6, 5), bool)
    region[1:3, 2:] = True
    assert region_ciou(region, region[None].astype(float)) == [1]


def test_chunks_change_nothing(monkeypatch):
    maps, gts = random_maps(11)
    whole = ciou(maps, gts)
    module = importlib.import_module('mmav.evaluation.functional.ciou')  # the function has its name
    monkeypatch.setattr(module, '_CHUNK_PIXELS', 3 * maps[0].size)
    for key, value in ciou(maps, gts).items():
        np.testing.assert_array_equal(value, whole[key])


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda maps, gts: (maps[0], gts[0]), r'\(N, H, W\)'),
        (lambda maps, gts: (maps, gts[:2]), r'\(3, 9, 14\) and \(2, 9, 14\)'),
        (lambda maps, gts: (np.where(np.arange(3)[:, None, None] == 1, np.nan, maps), gts), r'heatmaps\[1\]'),
        (
            lambda maps, gts: (np.where(np.arange(3)[:, None, None] == 2, -np.inf, maps), gts),
            r'heatmaps\[2\]',
        ),
        (lambda maps, gts: (maps, gts + 0.1), r'gt_maps\[0\]'),
        (lambda maps, gts: (maps, gts, 'mean'), 'threshold'),
        (lambda maps, gts: (maps, gts, 1.5), 'threshold'),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=message):
        ciou(*change(*random_maps(3)))


def test_success_rates_are_those_of_each_threshold():
    maps, gts = random_maps(9)
    maps, thresholds = maps + 3 * gts, [0.2, 0.5, 0.7]
    expected = [100 * ciou(maps, gts, value)['ciou_at_50'] for value in thresholds]
    assert success_rates(ciou_at_thresholds(maps, gts, thresholds)).tolist() == expected
    assert success_rates(np.array([[0.5, 0.49], [0.1, 0.9], [1, 0], [0, 0.2]])).tolist() == [50, 25]


def test_negative_audio_rates_against_sklearn():
    rng = np.random.RandomState(0)
    own, other = rng.standard_normal(50).round(1) + 0.5, rng.standard_normal(70).round(1)
    values = negative_audio_rates(own, other)
    labels = np.repeat([1, 0], [50, 70])
    scores = np.concatenate([own, other])
    assert values['auroc'] == pytest.approx(100 * metrics.roc_auc_score(labels, scores), rel=1e-12)
    # 95 % of 50 clips are 47.5: 48 reach the level
    assert values['level'] == np.sort(own)[2]
    assert values['false_positive_rate'] == 100 * (other >= values['level']).mean()


def test_negative_audio_rates_hand_worked():
    values = negative_audio_rates([0.9, 0.5, 0.7, 0.2], [0.1, 0.6, 0.9], recall=0.5)
    assert values['level'] == 0.7 and values['true_positive_rate'] == 50
    assert values['false_positive_rate'] == pytest.approx(100 / 3)
    # pairs won: 0.9 > 0.1, 0.6 and a draw; 0.5 > 0.1; 0.7 > 0.1, 0.6; 0.2 > 0.1
    assert values['auroc'] == pytest.approx(100 * 6.5 / 12)
    assert negative_audio_rates([0.9, 0.2], [0.1, 0.6], level=0.15)['false_positive_rate'] == 50
    with pytest.raises(ValueError, match='0 others'):
        negative_audio_rates([1.0], [])


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('length', [1, 2, 7, 1023, 5000])
def test_values_at_ranks_are_those_of_sorting(seed, length):
    generator = np.random.default_rng(seed)
    kinds = (
        generator.random(length),
        generator.integers(0, 3, length).astype(float),  # ties
        np.zeros(length),
        np.where(
            np.arange(length) % max(length // 1024, 1), generator.random(length), 5.0
        ),  # misleads the sample
    )
    for values in kinds:
        ordered = np.sort(values)
        for rank in {0, length // 2, length - 1, int(generator.integers(length))}:
            assert value_at_rank(values, rank) == ordered[rank]
