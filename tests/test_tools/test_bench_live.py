"""The benchmarks of running detection, at toy length."""

import importlib
import sys
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture(scope='module')
def live():
    """The module, which lies beside the tool and not in the package."""
    sys.path.insert(0, str(BENCHMARKS))
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield importlib.import_module('speed.live')
    sys.path.remove(str(BENCHMARKS))


def test_onnx_files_are_compared_before_they_are_timed(live):
    (comparison,) = live.onnx(repeats=1, cases=('small, log-mel',))
    assert comparison.kind == 'gain' and comparison.checked.startswith('20 boxes to')


def test_a_hop_is_set_against_its_computing(live):
    found = live.live(seconds=0.6, cases=('small, log-mel',))
    assert [comparison.case.split(', ', 2)[2] for comparison in found] == [
        'PyTorch',
        'PyTorch, aligned hop',
        'onnxruntime',
    ]
    for comparison in found:
        assert len(comparison.ours_values) >= 2 and 'latency' in comparison.notes[0]
        assert comparison.ratios[0] == comparison.ours_values[0] / comparison.reference_values[0]


def test_memory_over_time(live):
    (comparison,) = live.soak(hours=0.0, hop=30.0)
    assert comparison.unit == 'MB' and 100 < comparison.reference_values[0] < 20_000
    assert comparison.notes[0].startswith('4 results')
