"""The programs with AVD on acoustic images: one training, whose checkpoint goes through all of them."""

import json
import pickle
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from forked_script import finish
from mmdet.apis import init_detector
from mmdet.models.detectors import FasterRCNN
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from rigs import make_rig
from tiny_mavd import CROP, FULL_SIZE, SAMPLE_RATE, SIZE, TinyMAVD
from toy_training import ROOT, start_tool

from mmav.apis import AudioDetInferencer
from mmav.structures import Rig
from mmav.utils.checkpoint import read_checkpoint

RIG = make_rig(image_size=FULL_SIZE, crop=CROP)
OTHER = make_rig(image_size=FULL_SIZE, crop=CROP, microphone_positions=RIG.microphone_positions * 1.2)


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> TinyMAVD:
    tiny = TinyMAVD(tmp_path_factory.mktemp('mavd'), modalities=('rgb',))
    for number in range(3):
        tiny.add_frame(boxes=[(10.0 + 20 * number, 20.0, 40.0, 30.0)])
    for split in ('train', 'val', 'test'):
        tiny.finish(split)
    (tiny.root / 'rig.json').write_text(json.dumps(RIG.to_dict()))
    return tiny


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory) -> tuple[Path, Path]:
    """Config and checkpoint of two iterations."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = Config.fromfile(ROOT / 'configs/avd/av_faster_rcnn_r18_sim_acoustic.py')
    cfg.model.data_preprocessor.acoustic_image.update(rig=RIG.to_dict(), grid=(6, 12), max_bins=3)
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
        loader.dataset.update(data_root=str(data.root), crop=CROP)
    for evaluators in (cfg.val_evaluator, cfg.test_evaluator):
        evaluators[0].ann_file = str(data.root / 'annotations/test.json')
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.dump(folder / 'config.py')
    assert finish(start_tool('train', [folder / 'config.py', '--work-dir', folder])) == 0
    return folder / 'config.py', folder / 'iter_2.pth'


@pytest.fixture(scope='module')
def stripped(trained) -> tuple[Path, Path]:
    """Config and checkpoint of the audio path."""
    folder = trained[0].parent
    arguments = [trained[1], folder / 'audio.pth', '--config', trained[0]]
    assert finish(start_tool('model_converters/strip_visual', arguments)) == 0
    return folder / 'audio.py', folder / 'audio.pth'


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a program; gives what it printed."""

    def run(tool: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')
        return capsys.readouterr().out

    return run


@pytest.fixture
def recording(data, tmp_path) -> Path:
    """The sound of the second frame in one file."""
    soundfile.write(tmp_path / 'street.wav', data.sounds[1].T, SAMPLE_RATE, subtype='PCM_16')
    return tmp_path / 'street.wav'


def infer(files: tuple, **options) -> AudioDetInferencer:
    return AudioDetInferencer(*map(str, files), device='cpu', show_progress=False, **options)


def test_tested_whole_stripped_and_by_the_inferencer(data, trained, stripped, recording, tmp_path):
    """The same boxes and scores."""
    found = []
    for files in (trained, stripped):
        arguments = [*files, '--work-dir', tmp_path, '--out', tmp_path / 'out.pkl']
        assert finish(start_tool('test', arguments)) == 0
        found.append(pickle.loads((tmp_path / 'out.pkl').read_bytes())[1]['pred_instances'])
    assert len(found[0]['scores']) > 3
    for key in ('bboxes', 'scores'):
        assert torch.equal(found[0][key], found[1][key])
    for inferencer in (infer(trained), infer(stripped), infer((trained[0], stripped[1]), stripped=True)):
        assert inferencer.rig == RIG
        (prediction,) = inferencer(recording)['predictions']
        for key in ('bboxes', 'scores'):
            np.testing.assert_allclose(prediction[key], found[0][key], atol=1e-3)


def test_checkpoint_tells_the_rig_of_the_training(trained, stripped):
    for _, checkpoint in (trained, stripped):
        rig = read_checkpoint(str(checkpoint))['meta']['dataset_meta']['rig']
        assert Rig.from_dict(rig) == RIG


def test_stock_mmdet_loads_the_stripped_checkpoint(data, stripped, recording):
    model = init_detector(*map(str, stripped), device='cpu')
    assert type(model) is FasterRCNN and Rig.from_dict(model.dataset_meta['rig']) == RIG
    cfg = Config.fromfile(stripped[0])
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([dataset[1]]))
    (expected,) = infer(stripped)(recording)['predictions']
    np.testing.assert_allclose(sample.pred_instances.bboxes, expected['bboxes'], atol=1e-3)
    np.testing.assert_allclose(sample.pred_instances.scores, expected['scores'], atol=1e-6)


def test_stock_mmdet_loads_the_runners_checkpoint(trained):
    state = read_checkpoint(str(trained[1]))['state_dict']
    model = init_detector(*map(str, trained), device='cpu')
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_prepared_acoustic_images_give_the_predictions_of_waveforms(data, trained, call, tmp_path):
    store = tmp_path / 'store'
    options = ['--splits', 'test', '--scale', 96, 96, '--modalities', '--dataset', f'crop={CROP}']
    options += ['--audio', 'acoustic_image', '--config', trained[0]]
    call('dataset_converters/prepare_mavd', data.root, store, *options)
    cfg = Config.fromfile(trained[0])
    model, outputs = infer(trained).model, []
    for prepared in (None, str(store)):
        dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, prepared=prepared))
        batch = pseudo_collate([dataset[index] for index in range(3)])
        assert set(batch['inputs']) == {'acoustic_image' if prepared else 'audio'}
        with torch.no_grad():
            # before the selection of boxes, which may change with the last digit
            inputs = model.data_preprocessor(batch)['inputs']
            outputs.append([inputs['audio'], *model.rpn_head(model.extract_feat(inputs))[0]])
    for plain, stored in zip(*outputs):
        # half precision has 11 significant bits
        assert (stored - plain).abs().max() <= 2e-3 * plain.abs().max()
        assert not torch.equal(stored, plain)


def test_detect(trained, recording, call, tmp_path):
    (tmp_path / 'other.json').write_text(json.dumps(OTHER.to_dict()))
    common = [recording, *trained, '--device', 'cpu', '--score-thr', '0', '--out-dir']
    assert 'street.wav at 0.00 s\n  vehicle' in call('detect', *common, tmp_path / 'own')
    names = sorted((tmp_path / 'own' / 'pictures').iterdir())
    # camera image, acoustic image; no spectrograms
    assert [cv2.imread(str(name)).shape for name in names] == [(2 * SIZE[1], SIZE[0], 3)]
    with pytest.raises(SystemExit, match=r'detect: the rig of the recordings .*: microphone_positions'):
        call('detect', *common, tmp_path / 'other', '--rig', tmp_path / 'other.json')
    call('detect', *common, tmp_path / 'other', '--rig', tmp_path / 'other.json', '--allow-other-rig')
    found = [json.loads((tmp_path / name / 'predictions.json').read_text()) for name in ('own', 'other')]
    assert found[0]['image_size'] == found[1]['image_size'] == list(SIZE)
    scores = [each['predictions'][0]['scores'] for each in found]
    assert scores[0] != scores[1]
    (expected,) = infer(trained, rig=OTHER, allow_other_rig=True)(recording)['predictions']
    assert scores[1] == expected['scores']
    (tmp_path / 'rig.json').write_text(json.dumps(OTHER.to_dict()))
    with pytest.raises(SystemExit, match=rf'detect: {tmp_path}/rig\.json: the rig of the recordings'):
        call('detect', *common, tmp_path / 'third')


def test_track(data, trained, recording, call, tmp_path):
    common = [*trained, '--device', 'cpu', '--no-video', '--init-score-thr', 0, '--score-thr', 0, '--out-dir']
    assert 'drive_0: ' in call('track', *common, tmp_path / 'drive')
    assert 'tracks in 1 frames' in call('track', *common, tmp_path / 'own', '--recordings', recording)
    path = tmp_path / 'other.json'
    path.write_text(json.dumps(OTHER.to_dict()))
    with pytest.raises(SystemExit, match='track: the rig of the recordings is not that of the model'):
        call('track', *common, tmp_path / 'other', '--recordings', recording, '--rig', path)
    rig = ['--rig', path, '--allow-other-rig']
    call('track', *common, tmp_path / 'other', '--recordings', recording, *rig)
    texts = [(tmp_path / name / 'street.txt').read_text() for name in ('own', 'other')]
    assert texts[0] and texts[0] != texts[1]
    before = (tmp_path / 'drive' / 'drive_0.txt').read_text()
    call('track', *common, tmp_path / 'drive_other', *rig)  # a warning: the drives' own rig is another
    assert (tmp_path / 'drive_other' / 'drive_0.txt').read_text() != before


def test_track_drives_of_another_rig(data, trained, call, tmp_path):
    root = tmp_path / 'mavd'
    root.mkdir()
    for path in data.root.iterdir():
        if path.name != 'rig.json':
            (root / path.name).symlink_to(path)
    (root / 'rig.json').write_text(json.dumps(OTHER.to_dict()))
    common = [*trained, '--device', 'cpu', '--no-video', '--out-dir', tmp_path / 'out']
    options = ['--cfg-options', f'test_dataloader.dataset.data_root={root}']
    with pytest.raises(SystemExit, match=r'the rig of the drives is not that of the detector.*--rig names'):
        call('track', *common, *options)
    assert 'drive_0: ' in call('track', *common, '--rig', root / 'rig.json', '--allow-other-rig', *options)
