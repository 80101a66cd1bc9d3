import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture(scope='module')
def benchmarks():
    """The modules of the benchmarks, which lie beside the tool and not in the package."""
    sys.path.insert(0, str(BENCHMARKS))
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield {name: importlib.import_module(f'speed.{name}') for name in ('tracking', 'metrics')}
    sys.path.remove(str(BENCHMARKS))


def test_frames_hold_vehicles_that_move_on(benchmarks):
    frames = benchmarks['tracking'].drive_frames(250)
    assert [frame['drive'] for frame in frames] == ['drive_0000'] * 200 + ['drive_0001'] * 50
    first, second = (frame['truth'] for frame in frames[:2])
    assert 2 <= len(first) == len(second) <= 4
    assert np.abs(first - second)[:, :4].max() <= 6
    assert {len(frame['boxes']) == len(frame['scores']) for frame in frames} == {True}


def test_tracker(benchmarks):
    few, crowd, through_mmdet = benchmarks['tracking'].tracker(frames=80, repeats=2)
    assert few.checked == crowd.checked == 'ids of all boxes' and not through_mmdet.checked
    for comparison in (few, crowd, through_mmdet):
        assert len(comparison.ratios) == 2 and 'frames a second' in comparison.notes[0]


def test_unequal_trackers_are_noticed(benchmarks, monkeypatch):
    tracking = benchmarks['tracking']
    monkeypatch.setattr(tracking, 'our_tracker', lambda frames: [[1] * len(f['boxes']) for f in frames])
    with pytest.raises(AssertionError, match='trackers differ'):
        tracking.tracker(frames=20, repeats=1)


def test_metrics(benchmarks):
    comparisons = benchmarks['metrics'].metrics(frames=60)
    assert [comparison.case for comparison in comparisons] == [
        'tracks of ready boxes',
        'TrackingMetric',
        'center distance',
        'MAVDMetric',
    ]
    assert all(comparison.checked and comparison.ratios[0] > 0 for comparison in comparisons)


def test_unequal_metrics_are_noticed(benchmarks, monkeypatch):
    metrics = benchmarks['metrics']
    plain = metrics.plain_motmetrics
    monkeypatch.setattr(metrics, 'plain_motmetrics', lambda frames: dict(plain(frames), num_misses=-1))
    with pytest.raises(AssertionError, match='num_misses'):
        metrics.metrics(frames=20)
