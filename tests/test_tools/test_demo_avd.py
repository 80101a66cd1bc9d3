"""The demo from end to end in miniature: a newcomer's path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmav.utils.checkpoint import read_checkpoint

DEMO = Path(__file__).parents[2] / 'tools' / 'demos' / 'demo_avd.py'


@pytest.mark.slow
def test_demo_runs_through_and_a_second_run_finds_everything_done(tmp_path, run_demo):
    # as users start it
    command = [sys.executable, str(DEMO), '--preset', 'tiny', '--workers', '1', '--work-dir', str(tmp_path)]
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    first = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert first.returncode == 0, first.stderr[-3000:]
    assert 'done before' not in first.stdout
    outcome = json.loads((tmp_path / 'results.json').read_text())
    assert set(outcome['metrics']) == {'floor', 'few', 'taught', 'avd', 'log_mel', 'rgb'}
    assert all('mavd/mAP_50' in metrics for metrics in outcome['metrics'].values())
    assert outcome['few']['frames'] < outcome['few']['of_frames'] == outcome['labeled']['frames']

    page = (tmp_path / 'report.html').read_text()
    captions = ('the 8 microphones', 'acoustic image: where the sound comes from')
    for caption in captions:
        assert page.count('<audio') == page.count(f'{caption}</figcaption>') >= 8
    assert 'http://' not in page and 'https://' not in page

    stripped = read_checkpoint(str(tmp_path / 'avd/stripped.pth'))['state_dict']
    assert stripped and not any('visual' in name for name in stripped)

    times = {file.name: file.stat().st_mtime_ns for file in (tmp_path / 'steps').iterdir()}
    second = run_demo('demo_avd.py', tmp_path)
    assert second.count('done before') == len(times)
    assert times == {file.name: file.stat().st_mtime_ns for file in (tmp_path / 'steps').iterdir()}
