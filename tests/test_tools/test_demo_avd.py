"""The demo from end to end in miniature: a newcomer's path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmav.utils.checkpoint import read_checkpoint

ROOT = Path(__file__).resolve().parents[2]


def run_demo(work_dir: Path) -> str:
    command = [sys.executable, str(ROOT / 'tools/demos/demo_avd.py'), '--preset', 'tiny', '--workers', '1']
    environment = dict(os.environ, OMP_NUM_THREADS='1')
    result = subprocess.run(
        [*command, '--work-dir', str(work_dir)], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.mark.slow
def test_demo_runs_through_and_a_second_run_finds_everything_done(tmp_path):
    first = run_demo(tmp_path)
    assert 'done before' not in first
    outcome = json.loads((tmp_path / 'results.json').read_text())
    assert set(outcome['metrics']) == {'floor', 'few', 'taught', 'avd', 'rgb'}
    assert all('mavd/mAP_50' in metrics for metrics in outcome['metrics'].values())
    assert outcome['few']['frames'] < outcome['few']['of_frames'] == outcome['labelled']['frames']

    page = (tmp_path / 'report.html').read_text()
    assert page.count('<audio') == page.count('the 8 microphones</figcaption>') >= 8
    assert 'http://' not in page and 'https://' not in page

    stripped = read_checkpoint(str(tmp_path / 'avd/stripped.pth'))['state_dict']
    assert stripped and not any('visual' in name for name in stripped)

    times = {file.name: file.stat().st_mtime_ns for file in (tmp_path / 'steps').iterdir()}
    second = run_demo(tmp_path)
    assert second.count('done before') == len(times)
    assert times == {file.name: file.stat().st_mtime_ns for file in (tmp_path / 'steps').iterdir()}
