"""Jobs killed at moments that a seed chooses; `make test-kill` does it with all jobs, many times."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATHS = [str(HERE), *(str(HERE.parent / name) for name in ('', 'test_engine', 'test_tools'))]


@pytest.mark.parametrize('job', ['store', 'clips', 'features_llp'])
def test_killed_jobs_end_as_undisturbed_ones(tmp_path, monkeypatch, job):
    monkeypatch.setattr(sys, 'path', [*PATHS, *sys.path])
    path = os.environ.get('PYTHONPATH', '')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([*PATHS, str(HERE.parents[1]), path]))
    from killer import Killer

    killer = Killer(job, tmp_path)
    assert killer.touches > 10 and len(killer.expected) > 5
    kills = sum(killer.kill_and_finish(seed) for seed in (1, 2))
    assert kills > 0, 'every run ended before it was killed'
