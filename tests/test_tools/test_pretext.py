"""The pretext task by the programs that users start: train, test, and the student that starts from it."""

import json
import pickle
import signal
from pathlib import Path

import pytest
import torch
from forked_script import finish
from sklearn.metrics import accuracy_score, confusion_matrix, mean_absolute_error
from tiny_mavd import CROP, TinyMAVD
from toy_training import ROOT, start_tool

from mmav.utils.checkpoint import read_checkpoint

pytestmark = pytest.mark.stack

CONFIGS = ROOT / 'configs'
BOXES = [(10.0 + 30 * number, 20.0, 25.0, 30.0) for number in range(4)]
COUNTS = (0, 1, 3, 4, 1)


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    """Five frames with a teacher's labels and a human's."""
    tiny = TinyMAVD(tmp_path_factory.mktemp('mavd'), modalities=('rgb',))
    for number in COUNTS:
        tiny.add_frame(boxes=BOXES[:number])
    for split in ('pseudo_train', 'train', 'val', 'test'):
        tiny.finish(split)
    file = tiny.root / 'annotations' / 'pseudo_train.json'
    content = json.loads(file.read_text())
    for annotation in content['annotations']:
        annotation.update(score=0.8, modality='rgb')
    file.write_text(json.dumps(content))
    return tiny.root


def run(tool: str, config: str, data: Path, *arguments, options=(), die_at=None) -> int:
    settings = ['randomness.seed=3', 'train_cfg.max_iters=4', 'train_cfg.val_interval=2', *options]
    settings.append('default_hooks.checkpoint.interval=2')
    for split in ('train', 'val', 'test'):
        settings += [
            f'{split}_dataloader.dataset.data_root={data}',
            f'{split}_dataloader.dataset.crop={CROP}'.replace(' ', ''),
            f'{split}_dataloader.batch_size=2',
            f'{split}_dataloader.num_workers=0',
            f'{split}_dataloader.persistent_workers=False',
        ]
    command = [CONFIGS / config, *arguments, '--cfg-options', *settings]
    return finish(start_tool(tool, command, die_at))


PRETEXT = 'mm_distillnet/pretext_r18_sim.py'


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory) -> Path:
    work_dir = tmp_path_factory.mktemp('trained')
    assert run('train', PRETEXT, data, '--work-dir', work_dir) == 0
    return work_dir


def read_metrics(work_dir: Path) -> dict:
    (file,) = work_dir.glob('*/*.json')
    return json.loads(file.read_text())


def test_testing_reports_what_the_predictions_say(data, trained, tmp_path):
    dumped = tmp_path / 'out.pkl'
    arguments = [trained / 'iter_4.pth', '--work-dir', tmp_path / 'test', '--out', dumped]
    arguments += ['--show-dir', 'drawn']
    assert run('test', PRETEXT, data, *arguments) == 0
    samples = sorted(pickle.loads(dumped.read_bytes()), key=lambda sample: sample['img_id'])
    true = [int(sample['gt_label']) for sample in samples]
    found = [int(sample['pred_score'].argmax()) for sample in samples]
    assert true == list(COUNTS)
    metrics = read_metrics(tmp_path / 'test')
    assert metrics['accuracy/top1'] == pytest.approx(100 * accuracy_score(true, found))
    assert metrics['count/mean_absolute_error'] == pytest.approx(mean_absolute_error(true, found))
    assert metrics['count/confusion'] == confusion_matrix(true, found, labels=range(5)).tolist()
    assert metrics['count/most_frequent'] == 40
    assert (
        '| true \\ predicted | 0 | 1 | 2 | 3 | 4+ |' in next((tmp_path / 'test').glob('*/*.log')).read_text()
    )


def test_killed_training_goes_on_exactly(data, trained, tmp_path):
    # replaced files: checkpoint 2 and last_checkpoint; killed at the third
    assert run('train', PRETEXT, data, '--work-dir', tmp_path, die_at=('replace', 3)) == -signal.SIGKILL
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_2.pth']
    assert run('train', PRETEXT, data, '--work-dir', tmp_path, '--resume') == 0
    states = [read_checkpoint(str(folder / 'iter_4.pth'))['state_dict'] for folder in (tmp_path, trained)]
    assert all(states[0][name].equal(value) for name, value in states[1].items())


def test_student_starts_from_the_checkpoint(data, trained, tmp_path):
    options = [
        f'model.init_cfg.checkpoint={trained / "iter_4.pth"}',
        # nothing moves: what is saved is what was loaded
        'optim_wrapper.optimizer.lr=0.0',
        'optim_wrapper.optimizer.weight_decay=0.0',
        'model.backbone.norm_eval=True',
        f'val_evaluator.0.ann_file={data}/annotations/val.json',
        f'test_evaluator.0.ann_file={data}/annotations/test.json',
    ]
    student = 'mm_distillnet/faster_rcnn_r18_sim_audio_pretext.py'
    assert run('train', student, data, '--work-dir', tmp_path, options=options) == 0
    pretext = read_checkpoint(str(trained / 'iter_4.pth'))['state_dict']
    started = read_checkpoint(str(tmp_path / 'iter_2.pth'))['state_dict']
    names = [name for name in pretext if name.startswith('backbone.')]
    assert {name for name in started if name.startswith('backbone.')} == set(names)
    assert all(torch.equal(started[name], pretext[name]) for name in names)
