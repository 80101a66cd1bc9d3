"""The programs with the shipped small config on a tiny data set: train, kill, resume, validate, test,
draw."""

import pickle
import runpy
import signal
import sys
from pathlib import Path

import cv2
import pytest
import torch
from forked_script import finish
from toy_training import ROOT, start_tool

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_mavd import CROP, SIZE, TinyMAVD

from mmav.models.detectors import VISUAL_PREFIXES
from mmav.utils.checkpoint import read_checkpoint

pytestmark = pytest.mark.stack

CONFIG = ROOT / 'configs' / 'avd' / 'av_faster_rcnn_r18_sim.py'
RGB_CONFIG = ROOT / 'configs' / 'avd' / 'faster_rcnn_r18_sim_rgb.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('mavd')
    tiny = TinyMAVD(root)
    for number in range(5):
        box = (10.0 + 20 * number, 20.0, 40.0, 30.0)
        tiny.add_frame(boxes=(box,), time_of_day='night' if number == 1 else 'day', motion='drive')
    for split in ('train', 'val', 'test'):
        tiny.finish(split)
    return root


def options(data: Path) -> list[str]:
    settings = []
    for split in ('train', 'val', 'test'):
        settings += [
            f'{split}_dataloader.dataset.data_root={data}',
            f'{split}_dataloader.dataset.crop={CROP}'.replace(' ', ''),
            f'{split}_dataloader.batch_size=2',
            f'{split}_dataloader.num_workers=0',
            f'{split}_dataloader.persistent_workers=False',
        ]
    for split in ('val', 'test'):
        settings.append(f'{split}_evaluator.0.ann_file={data}/annotations/{split}.json')
    return [
        *settings,
        'train_cfg.max_iters=4',
        'train_cfg.val_interval=2',
        'default_hooks.checkpoint.interval=2',
        'default_hooks.checkpoint.save_best=mavd/mAP',
        'default_hooks.visualization.draw=True',
        'default_hooks.visualization.interval=1',
        'randomness.seed=3',
    ]


def run(tool: str, config: Path, *arguments, data: Path, die_at=None) -> int:
    return finish(start_tool(tool, [config, *arguments, '--cfg-options', *options(data)], die_at))


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory) -> Path:
    work_dir = tmp_path_factory.mktemp('trained')
    assert run('train', CONFIG, '--work-dir', work_dir, data=data) == 0
    return work_dir


def test_training_leaves_checkpoints_and_images(trained):
    names = sorted(path.name for path in trained.glob('*.pth'))
    assert names[-2:] == ['iter_2.pth', 'iter_4.pth'] and names[0].startswith('best_mavd_mAP_iter_')
    (image, *_) = trained.glob('*/vis_data/vis_image/val_img_*.png')
    assert cv2.imread(str(image)).shape[:2] == (SIZE[1], 2 * SIZE[0])  # truth beside predictions, cropped
    log = next(trained.glob('*/*.log')).read_text()
    assert '| percent' in log and '| night' in log and '| mAP@Avg' in log


@pytest.mark.parametrize('config', [CONFIG, RGB_CONFIG], ids=['audio_visual', 'rgb'])
def test_killed_detector_training_goes_on_exactly(data, trained, tmp_path, config):
    whole = trained
    if config is not CONFIG:
        whole = tmp_path / 'whole'
        assert run('train', config, '--work-dir', whole, data=data) == 0
    work_dir = tmp_path / 'run'
    # renamed: checkpoint 2 and last_checkpoint, the best one, both again to know of it; killed at number 4
    assert run('train', config, '--work-dir', work_dir, data=data, die_at=('replace', 6)) == -signal.SIGKILL
    assert not (work_dir / 'iter_4.pth').exists()
    assert run('train', config, '--work-dir', work_dir, '--resume', data=data) == 0
    states = [read_checkpoint(str(folder / 'iter_4.pth')) for folder in (work_dir, whole)]
    for name, value in states[1]['state_dict'].items():
        assert states[0]['state_dict'][name].equal(value), name
    losses = [state['message_hub']['log_scalars']['train/loss']._log_history.tolist() for state in states]
    assert losses[0] == losses[1] and len(losses[0]) == 4
    kept = [sorted(path.name for path in folder.glob('*.pth')) for folder in (work_dir, whole)]
    assert kept[0] == kept[1]


@pytest.fixture(scope='module')
def tested(data, trained, tmp_path_factory) -> dict:
    """Folders of tests without and with the mirrored samples."""
    folders = {}
    for name, extra in (('plain', []), ('tta', ['--tta'])):
        folders[name] = tmp_path_factory.mktemp(name)
        arguments = [trained / 'iter_4.pth', '--work-dir', folders[name], '--show-dir', 'drawn', *extra]
        assert run('test', CONFIG, *arguments, '--out', folders[name] / 'out.pkl', data=data) == 0
    return folders


@pytest.mark.parametrize('name', ['plain', 'tta'])
def test_testing_draws_and_dumps(tested, name):
    dumped = pickle.loads((tested[name] / 'out.pkl').read_bytes())
    assert sorted(sample['img_id'] for sample in dumped) == [1, 2, 3, 4, 5]
    assert all(sample['pred_instances']['bboxes'].shape[1] == 4 for sample in dumped)
    images = sorted(tested[name].glob('*/drawn/*.jpg'))
    assert len(images) == 5
    assert cv2.imread(str(images[0])).shape[:2] == (SIZE[1], 2 * SIZE[0])
    log = next(tested[name].glob('*/*.log')).read_text()
    assert '| percent' in log and '| night' in log


def test_mirrored_samples_are_merged(tested):
    dumps = [pickle.loads((folder / 'out.pkl').read_bytes()) for folder in tested.values()]
    counts = [[len(sample['pred_instances']['scores']) for sample in dump] for dump in dumps]
    assert counts[0] != counts[1]


def test_stripped_keeps_what_the_config_allows(monkeypatch):
    settings = ["load_cfg.allow_missing=['neck.']", "load_cfg.allow_unexpected=['old.']"]
    arguments = ['test.py', str(CONFIG), 'stripped.pth', '--stripped', '--cfg-options', *settings]
    monkeypatch.setattr(sys, 'argv', arguments)
    monkeypatch.setenv('LOCAL_RANK', '0')
    tool = runpy.run_path(str(ROOT / 'tools' / 'test.py'))
    cfg = tool['build_config'](tool['parse_args']())
    assert cfg.load_cfg.allow_unexpected == ['old.']
    assert cfg.load_cfg.allow_missing == ['neck.', *VISUAL_PREFIXES]


def test_stripped_checkpoint_needs_the_option(data, trained, tmp_path):
    checkpoint = read_checkpoint(str(trained / 'iter_4.pth'))
    state = {name: value for name, value in checkpoint['state_dict'].items() if 'visual' not in name}
    state = {name: value for name, value in state.items() if not name.startswith('roi_head.fusion')}
    torch.save(dict(state_dict=state), tmp_path / 'stripped.pth')
    arguments = [tmp_path / 'stripped.pth', '--work-dir', tmp_path]
    assert run('test', CONFIG, *arguments, data=data) == 1
    assert run('test', CONFIG, *arguments, '--stripped', data=data) == 0
