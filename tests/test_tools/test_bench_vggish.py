import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture(scope='module')
def vggish():
    """The module of the benchmark, which lies beside the tool and not in the package."""
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module('speed.vggish')
    sys.path.remove(str(BENCHMARKS))


def test_front_end_equals_numpys_before_it_is_timed(vggish, monkeypatch):
    (comparison,) = vggish.vggish_log_mel(clips=2, seconds=1.0, repeats=2)
    assert len(comparison.ratios) == 2 and 'largest difference' in comparison.checked
    monkeypatch.setattr(vggish, 'OFFSET', 0.02)  # another reference
    with pytest.raises(AssertionError, match='the spectrograms differ'):
        vggish.vggish_log_mel(clips=1, seconds=1.0, repeats=1)
