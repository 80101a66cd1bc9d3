"""The demo of audio-visual events from end to end in miniature, and the tool on what it leaves."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mmav.datasets import AVEDataset

TOOL = Path(__file__).parents[2] / 'tools' / 'localize_events.py'
SEARCHES = {'a2v', 'v2a'}
EVENTS = {'fully', 'weakly', 'no_agta', 'no_dima', 'dot_product'}


@pytest.mark.slow
def test_demo_runs_through_and_leaves_what_the_tool_takes(tmp_path, run_demo, monkeypatch, capsys):
    run_demo('demo_events.py', tmp_path)
    outcome = json.loads((tmp_path / 'results.json').read_text())
    assert set(outcome['metrics']) == EVENTS | SEARCHES
    for key, metrics in outcome['metrics'].items():
        assert ('cross_modality/acc' if key in SEARCHES else 'ave/acc') in metrics
    page = (tmp_path / 'report.html').read_text()
    assert page.count('<h3>Video test') == 2 and 'Always background' in page
    assert 'http://' not in page and 'https://' not in page

    dataset = AVEDataset(
        data_root=outcome['data'], split='test', supervision='cross_modality', test_mode=True, pipeline=[]
    )
    sample = dataset[0]
    for name in ('visual', 'audio'):
        np.save(tmp_path / f'{name}.npy', sample[name])
    files = [f'{name}={tmp_path / f"{name}.npy"}' for name in ('visual', 'audio')]
    command = [TOOL, tmp_path / 'a2v/config.py', outcome['checkpoints']['a2v'], '--features', *files]
    command += ['--query', 1, 3, '--out-dir', tmp_path / 'found', '--device', 'cpu']
    monkeypatch.setattr(sys, 'argv', list(map(str, command)))
    runpy.run_path(str(TOOL), run_name='__main__')
    (found,) = json.loads((tmp_path / 'found/predictions.json').read_text())['predictions']
    answer = found['answer']
    assert (
        f'audio of 1..3 s: visual of {answer["onset"]:g}..{answer["offset"]:g} s' in capsys.readouterr().out
    )
    assert answer['offset'] - answer['onset'] == 2
