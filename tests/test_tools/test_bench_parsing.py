"""The loops that the metric of parsed videos is measured against give the published figures."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from golden import GOLDEN

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture(scope='module')
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module('speed.video_parsing')
    sys.path.remove(str(BENCHMARKS))


def test_loops_give_the_published_figures(benchmark):
    stored = np.load(GOLDEN / 'llp_metric.npz')
    scores = benchmark.looped_llp_f1(
        *(stored[name].astype(int) for name in ('pred_audio', 'pred_visual', 'gt_audio', 'gt_visual'))
    )
    for level in ('segment', 'event'):
        found = [scores[f'{level}_{name}'] for name in stored['columns']]
        np.testing.assert_allclose(found, stored[level], rtol=1e-9)


def test_made_up_videos_are_like_parsed_ones_and_the_benchmark_runs(benchmark):
    pred, _, true, _ = benchmark.parsed_videos(300)
    assert pred.shape == (300, 25, 10) and set(np.unique(pred)) == {0, 1}
    assert 1.5 < true.any(2).sum(1).mean() < 2.5 and (pred != true).any()
    (comparison,) = benchmark.llp_metric(videos=10, repeats=2)
    assert len(comparison.ratios) == 2 and comparison.target == 50 and comparison.kind == 'gain'
