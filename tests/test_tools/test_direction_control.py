"""The control without direction, in miniature."""

import json
from pathlib import Path

import pytest
from forked_script import run_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_both_worlds_are_simulated_trained_and_tested(tmp_path):
    command = [ROOT / 'tools/demos/direction_control.py', '--work-dir', tmp_path]
    run_script([*command, '--drives', '3', '--iterations', '4'], tmp_path / 'printed.txt')
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
