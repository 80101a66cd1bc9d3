"""The control without direction, in miniature."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_both_worlds_are_simulated_trained_and_tested(tmp_path):
    command = [sys.executable, str(ROOT / 'tools/demos/direction_control.py'), '--work-dir', str(tmp_path)]
    result = subprocess.run(
        [*command, '--drives', '3', '--iterations', '4'],
        capture_output=True,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
    )
    assert result.returncode == 0, result.stderr[-3000:]
    results = json.loads((tmp_path / 'results.json').read_text())
    assert set(results) == {'floor', 'directed', 'directed, swapped', 'control', 'control, swapped'}

    microphones, references = {}, {}
    for name in ('directed', 'control'):
        parameters = json.loads((tmp_path / name / 'data/manifest.json').read_text())['parameters']
        microphones[name] = (parameters['microphones'], parameters['ground_reflection'])
        index = json.loads((tmp_path / name / 'data_96/index.json').read_text())
        references[name] = index['settings']['log_mel']['reference']
    assert microphones['control'] == ('omni', 0)
    assert microphones['directed'][0] != 'omni' and microphones['directed'][1] > 0
    assert references == {'directed': 'clip', 'control': 'channel'}
