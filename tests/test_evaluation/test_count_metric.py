"""Counting scores beside scikit-learn's."""

import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, mean_absolute_error

from mmav.evaluation import count_scores

NUM_CLASSES = 5


def draw(seed, size=200):
    rng = np.random.default_rng(seed)
    true = rng.choice(NUM_CLASSES, size, p=[0.1, 0.5, 0.2, 0.2, 0.0])
    return true, np.clip(true + rng.integers(-2, 3, size), 0, NUM_CLASSES - 1)


@pytest.mark.parametrize('seed', range(3))
def test_scores_equal_scikit_learns(seed):
    true, predicted = draw(seed)
    scores = count_scores(confusion_matrix(true, predicted, labels=range(NUM_CLASSES)))
    assert scores['mean_absolute_error'] == pytest.approx(mean_absolute_error(true, predicted))
    assert scores['bias'] == pytest.approx((predicted - true).mean())
    deaf = DummyClassifier(strategy='most_frequent').fit(true[:, None], true)
    assert scores['most_frequent'] == pytest.approx(100 * deaf.score(true[:, None], true))


def test_limiting_cases():
    perfect = count_scores(np.diag([3, 1, 0]))
    assert perfect == dict(mean_absolute_error=0, bias=0, most_frequent=75)
    assert all(math.isnan(value) for value in count_scores(np.zeros((3, 3))).values())


def test_metrics_of_the_configs_in_the_evaluation_loop(tmp_path):
    true, predicted = draw(7)
    samples = [
        DataSample().set_gt_label(int(t)).set_pred_score(torch.eye(NUM_CLASSES)[p] * 0.6 + 0.08)
        for t, p in zip(true, predicted)
    ]
    init_default_scope('mmdet')
    logger = MMLogger.get_instance('count', log_file=str(tmp_path / 'count.log'))
    evaluator = Evaluator([dict(type='mmpretrain.Accuracy'), dict(type='CountMetric')])
    for start in range(0, len(samples), 16):
        evaluator.process(samples[start : start + 16])
    metrics = evaluator.evaluate(len(samples))
    logger.handlers[-1].flush()

    expected = confusion_matrix(true, predicted, labels=range(NUM_CLASSES))
    assert metrics['accuracy/top1'] == pytest.approx(100 * accuracy_score(true, predicted))
    assert metrics['count/mean_absolute_error'] == pytest.approx(mean_absolute_error(true, predicted))
    assert metrics['count/confusion'].tolist() == expected.tolist()

    log = (tmp_path / 'count.log').read_text()
    table = [line.strip('|').split('|') for line in log.splitlines() if line.startswith('|')]
    table = [[cell.strip() for cell in row] for row in table]
    assert table[0] == ['true \\ predicted', '0', '1', '2', '3', '4+', 'correct']
    for number, row in enumerate(table[1:]):
        assert row[1:-1] == [str(count) for count in expected[number]]
        total = expected[number].sum()
        share = f'{100 * expected[number, number] / total:.1f} %' if total else '-'
        assert row[-1] == share
    assert table[-1][-1] == '-'  # no frame has four
