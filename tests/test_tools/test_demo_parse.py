"""The demo that parses videos, from end to end in miniature."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

PARSERS = {'han', 'han_pseudo', 'pretrain_multi'}
COLUMNS = ('audio', 'visual', 'audio_visual', 'type_av', 'event_av')


@pytest.fixture
def demo(monkeypatch):
    """The demo's module; in this process, which has imported what takes long."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / 'tools' / 'demos'))
    init_default_scope('mmdet')
    return importlib.import_module('demo_parse')


@pytest.mark.slow
def test_demo_runs_through_and_a_second_run_finds_everything_done(demo, tmp_path, capsys):
    outcome = demo.run_demo(tmp_path, demo.PLANS['tiny'], seed=0, workers=1)
    demo.write_parse_report(tmp_path, outcome)
    assert 'done before' not in capsys.readouterr().out
    assert set(outcome['metrics']) == PARSERS
    for metrics in outcome['metrics'].values():
        for level in ('segment', 'event'):
            assert all(0 <= metrics[f'llp/{level}_{column}'] <= 100 for column in COLUMNS)
    assert 0 < outcome['total_seconds'] < sum(outcome['seconds'].values())

    # each parser read what it should
    cfg = Config.fromfile(tmp_path / 'pretrain_multi' / 'config.py')
    assert cfg.train_dataloader.dataset.data_prefix.audio == 'feats_avg_multi/audio'
    embedded = list((tmp_path / 'data/feats_avg_multi/audio').glob('*.npy'))
    assert len(embedded) == 8 + 4 + 6 + 8
    assert np.load(embedded[0]).shape == (10, cfg.model.audio_channels)
    assert 'pseudo_loss' in Config.fromfile(tmp_path / 'han_pseudo' / 'config.py').model

    page = (tmp_path / 'report.html').read_text()
    assert page.count('<h3>Video te') == 2 and page.count('>truth</figcaption>') == 2
    assert 'Its events everywhere' in page and 'loss_cross_modal' in page
    assert 'http://' not in page and 'https://' not in page

    times = {file.name: file.stat().st_mtime_ns for file in (tmp_path / 'steps').iterdir()}
    again = demo.run_demo(tmp_path, demo.PLANS['tiny'], seed=0, workers=1)
    assert capsys.readouterr().out.count('done before') == len(times)
    assert times == {file.name: file.stat().st_mtime_ns for file in (tmp_path / 'steps').iterdir()}
    assert again == outcome
