"""The demo of sound localization from end to end in miniature."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmav.datasets.stores.embedding_store import EmbeddingStore

HINTS = dict(none=set(), audio={'audio'}, visual={'visual'}, both={'audio', 'visual'})


def read_list(path: Path) -> list[str]:
    return path.read_text().split()


@pytest.mark.slow
def test_demo_runs_through(tmp_path, run_demo):
    run_demo('demo_localize.py', tmp_path)
    outcome = json.loads((tmp_path / 'results.json').read_text())
    data = Path(outcome['data'])
    metrics = outcome['metrics']
    baselines, teachers = {'whole_image', 'centred_box'}, {'teacher_audio', 'teacher_visual'}
    assert set(metrics) == {*HINTS, 'guided', *baselines, *teachers}

    truth = {clip['file']: clip for clip in json.loads((data / 'truth.json').read_text())}
    tested = set(read_list(data / 'test.txt'))
    for name, objects in (('alone', {True}), ('distracted', {True, False})):
        stems = read_list(data / f'{name}.txt')
        assert stems and set(stems) <= tested and len(stems) == outcome['counts'][name]
        assert all({thing['sounding'] for thing in truth[stem]['objects']} == objects for stem in stems)

    store = EmbeddingStore(str(tmp_path / 'teachers'))
    assert len(store) == len(read_list(data / 'train.txt'))
    for key, hints in HINTS.items():
        cfg = Config.fromfile(tmp_path / key / 'config.py')
        loaded = {
            name
            for step in cfg.train_dataloader.dataset.pipeline
            if step.type == 'LoadTeacherEmbeddings'
            for name in step.names
        }
        assert loaded == hints == {name for name in ('audio', 'visual') if cfg.model[f'{name}_hint']}
        assert cfg.train_cfg.max_epochs == 1
    for key in (*HINTS, 'guided'):
        for kind in ('silence', 'noise', 'other', 'offscreen'):
            assert 0 <= metrics[key][f'ciou/{kind}/false_positive_rate'] <= 100
        assert metrics[key]['switch/both'] <= min(metrics[key]['switch/own'], metrics[key]['switch/silent'])
        with np.load(tmp_path / key / 'maps.npz') as maps:
            assert maps['own'].shape == maps['switched'].shape == (2, 96, 96)
            # another sound, another map
            assert np.abs(maps['own'] - maps['switched']).max() > 0
    # the same checkpoint, and a guide that does change the maps
    assert metrics['guided']['ciou/mean_ciou'] != metrics['both']['ciou/mean_ciou']
    # the baselines know no model
    for name in baselines:
        assert metrics[name]['ciou/mean_ciou'] == metrics['both'][f'ciou/{name}/mean_ciou']

    page = (tmp_path / 'report.html').read_text()
    assert page.count('<audio') == 2 * 2 and page.count('guided by objects</figcaption>') == 2
    assert 'loss_audio_hint' in page and 'loss_visual_hint' in page
    assert 'http://' not in page and 'https://' not in page
