"""Benchmarks of DMIN: what is compared computes the same, and what does not is noticed."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def events():
    """The module of the benchmarks, which lies beside the tool and not in the package."""
    sys.path.insert(0, str(ROOT / 'benchmarks'))
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield importlib.import_module('speed.event_localization')
    sys.path.remove(str(ROOT / 'benchmarks'))


def test_loops_are_the_closed_and_batched_forms(events):
    results = [
        *events.dfa(batch=1, repeats=1, segments=2, number=1),
        *events.agta(batch=1, repeats=1, segments=2, side=2, channels=8),
        *events.dmin_step(batch=1, repeats=1, segments=2, side=2, channels=8),
    ]
    assert [(result.benchmark, result.target) for result in results] == [
        *[('dfa', 50.0)] * 2,
        *[('agta', 4.0)] * 2,
        *[('dmin-step', None)] * 3,
    ]
    assert all(len(result.ratios) == 1 and result.checked for result in results)


def test_a_copy_with_loops_has_all_of_them(events):
    network = events.MODELS.build(dict(type='DMIN', visual_channels=8))
    copy = events.looped(network)
    assert type(copy.agta) is events.LoopedAGTA and type(network.agta) is not events.LoopedAGTA
    kinds = {type(layer.attention) for layer in copy.interaction.dima.values()}
    assert kinds == {events.LoopedDIMA}


def test_other_results_are_noticed(events, monkeypatch):
    closed = events.dense_fusion_attention
    monkeypatch.setattr(events, 'dense_fusion_attention', lambda q, k: closed(q, k, alpha=0.4))
    with pytest.raises(AssertionError, match='close'):
        events.dfa(batch=1, repeats=1, segments=2)
    torch.testing.assert_close(closed(torch.ones(1, 1, 4), torch.ones(1, 1, 4)).item(), 4 * 0.5 + 4 * 0.5)
