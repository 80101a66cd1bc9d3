"""The demo with three teachers from end to end in miniature."""

import json
from pathlib import Path

import cv2
import pytest
from mmengine.config import Config

from mmav.utils.checkpoint import read_checkpoint

TEACHERS = {'rgb', 'thermal', 'depth'}


def read_results(work_dir: Path) -> dict:
    """results.json; what is no number as a text, to be equal to itself."""
    return json.loads((work_dir / 'results.json').read_text(), parse_constant=str)


@pytest.mark.slow
def test_demo_runs_through(tmp_path, run_demo):
    run_demo('demo_distill.py', tmp_path)
    outcome = read_results(tmp_path)
    trained = {'few', 'no_mta', 'mta', 'log_mel', *TEACHERS}
    assert set(outcome['metrics']) == {'floor', *trained}
    assert all('mavd/mAP_50' in metrics for metrics in outcome['metrics'].values())
    truth = json.loads((tmp_path / 'drives/annotations/test.json').read_text())
    for name in trained:
        assert 'tracking/MOTA' in outcome['metrics'][name]
        assert outcome['metrics'][name]['tracking/objects'] == len(truth['annotations'])
        # of the held-out drives, not of those to track in
        assert 'mavd/CDx' in outcome['metrics'][name]
    # what ran side by side is counted once
    assert 0 < outcome['total_seconds'] < sum(outcome['seconds'].values())

    labels = json.loads((tmp_path / 'few_and_pseudo.json').read_text())
    assert outcome['few']['frames'] < outcome['few']['of_frames'] == outcome['labeled']['frames']
    assert {teacher['modality'] for teacher in labels['info']['parameters']['teachers']} == TEACHERS
    for key in ('no_mta', 'mta'):
        cfg = Config.fromfile(tmp_path / key / 'config.py')
        assert cfg.train_dataloader.dataset.ann_file == str(tmp_path / 'few_and_pseudo.json')
        assert cfg.train_cfg.max_iters == 4
    for name in TEACHERS:
        assert cfg.model.teachers[name].checkpoint == outcome['checkpoints'][name]
    student = read_checkpoint(str(tmp_path / 'mta/student.pth'))['state_dict']
    alone = read_checkpoint(outcome['checkpoints']['no_mta'])['state_dict']
    assert set(student) == set(alone)

    page = (tmp_path / 'report.html').read_text()
    assert page.count('the 8 microphones</figcaption>') == 8
    assert page.count('<audio') == 8 + 2 and page.count('alt="middle of the box, pixels against seconds') == 2
    assert 'http://' not in page and 'https://' not in page
    assert 'loss_mta' in page
    maps = cv2.imread(outcome['maps'])
    assert maps.shape[1] == 5 * 480 + 4 * 4
