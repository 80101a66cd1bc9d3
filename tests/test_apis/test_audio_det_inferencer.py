import importlib.util
import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmav.apis import AudioDetInferencer
from mmav.datasets import SampleError

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
RATE = 44100


def load_config() -> Config:
    cfg = Config.fromfile(ROOT / 'configs' / 'avd' / 'av_faster_rcnn_r18_sim.py')
    init_default_scope('mmdet')
    return cfg


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> tuple:
    """Config and checkpoint of a network of random weights that are sure of many boxes."""
    cfg = load_config()
    torch.manual_seed(0)
    model = MODELS.build(cfg.model.copy())
    path = tmp_path_factory.mktemp('model') / 'checkpoint.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), path)
    return cfg, str(path)


@pytest.fixture(scope='module')
def inferencer(trained) -> AudioDetInferencer:
    return AudioDetInferencer(*trained, device='cpu', show_progress=False)


def noise(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    samples = np.random.RandomState(seed).standard_normal((8, round(seconds * RATE))) * 3000
    return samples.astype(np.int16)


def assert_same(prediction: dict, expected: dict) -> None:
    for key in ('bboxes', 'scores', 'labels'):
        np.testing.assert_allclose(prediction[key], expected[key], rtol=1e-4, atol=1e-2)


def test_equals_the_test_pipeline(tmp_path, trained, inferencer):
    wave = noise()
    for k in range(8):
        soundfile.write(tmp_path / f'audio_{k}_1_000000000_x.wav', wave[k], RATE, subtype='PCM_16')
    pipeline = [step for step in trained[0].test_pipeline if step['type'] != 'LoadAnnotations']
    paths = [str(tmp_path / f'audio_{k}_1_000000000_x.wav') for k in range(8)]
    data = Compose(pipeline)(dict(audio_paths=paths, ori_shape=(650, 1520), img_shape=(650, 1520), img_id=0))
    with torch.no_grad():
        (sample,) = inferencer.model.test_step(pseudo_collate([data]))
    expected = sample.pred_instances
    assert len(expected) > 3, 'the test shows nothing without boxes'

    soundfile.write(tmp_path / 'all.wav', wave.T, RATE, subtype='PCM_16')
    for inputs in (tmp_path / 'all.wav', wave, paths, wave / np.float32(32768)):
        (prediction,) = inferencer(inputs)['predictions']
        torch.testing.assert_close(torch.tensor(prediction['bboxes']), expected.bboxes, rtol=1e-4, atol=1e-2)
        torch.testing.assert_close(torch.tensor(prediction['scores']), expected.scores, rtol=1e-4, atol=1e-5)
        assert prediction['labels'] == expected.labels.tolist()
        assert set(prediction['classes']) == {'vehicle'}
    boxes = np.asarray(prediction['bboxes'])
    assert (boxes >= 0).all() and (boxes[:, 2] <= 1520).all() and (boxes[:, 3] <= 650).all()
    assert boxes[:, 2].max() > 200, 'the boxes are in pixels of the image, not of the network'


def test_batches_do_not_matter(inferencer):
    clips = [noise(seed=seed) for seed in range(3)]
    one = inferencer(clips, batch_size=1)['predictions']
    three = inferencer(clips, batch_size=3)['predictions']
    assert [prediction['input'] for prediction in three] == ['inputs[0]', 'inputs[1]', 'inputs[2]']
    for prediction, expected in zip(three, one):
        assert_same(prediction, expected)


def test_windows_are_clips_of_their_own(inferencer):
    wave = noise(2.5)
    predictions = inferencer(wave)['predictions']
    assert [prediction['start'] for prediction in predictions] == [0.0, 1.0, 1.5]
    (last,) = inferencer(np.ascontiguousarray(wave[:, -RATE:]))['predictions']
    assert_same(predictions[-1], last)
    assert len(inferencer(wave, stride=0.5)['predictions']) == 4
    with pytest.raises(SampleError, match='array: too long'):
        inferencer(wave, stride=None)
    with pytest.raises(SampleError, match='array: too short'):
        inferencer(wave[:, : RATE // 2])
    with pytest.raises(ValueError, match='stride'):
        inferencer(wave, stride=0)


def test_another_sample_rate(inferencer):
    (prediction,) = inferencer(noise()[:, :22050], sample_rate=22050)['predictions']
    assert prediction['duration'] == 1.0


def test_images_and_json(tmp_path, inferencer):
    camera = np.zeros((650, 1920, 3), np.uint8)
    camera[:, 200:1720] = 200  # what the crop leaves
    results = inferencer(
        [noise(), noise(seed=1)], images=camera, return_vis=True, pred_score_thr=2.0, out_dir=str(tmp_path)
    )
    assert len(results['visualization']) == 2
    for image in results['visualization']:
        assert image.shape == (650 + 2 * 84, 1520, 3) and image.dtype == np.uint8
        assert (image[:650] == 200).all()  # no box is drawn above a score of 2
        assert image[650:].std() > 10
    names = sorted(path.name for path in (tmp_path / 'pictures').iterdir())
    assert names == ['0000_inputs[0]_00000.000.jpg', '0001_inputs[1]_00000.000.jpg']
    assert cv2.imread(str(tmp_path / 'pictures' / names[0])).shape == (650 + 2 * 84, 1520, 3)
    stored = json.loads((tmp_path / 'predictions.json').read_text())
    assert stored == dict(image_size=[1520, 650], predictions=results['predictions'])
    boxes = inferencer(noise(), images=camera, return_vis=True, pred_score_thr=0.0, spectrograms=False)
    assert boxes['visualization'][0].shape == (650, 1520, 3)
    assert (boxes['visualization'][0] != 200).any()
    with pytest.raises(ValueError, match='3 images for 1 recordings'):
        inferencer(noise(), images=[camera] * 3)


def test_stripped_checkpoint(tmp_path, trained, inferencer):
    spec = importlib.util.spec_from_file_location(
        'strip_visual', ROOT / 'tools' / 'model_converters' / 'strip_visual.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    cfg, path = trained
    stripped = str(tmp_path / 'stripped.pth')
    torch.save(tool.strip_visual(torch.load(path, weights_only=True)), stripped)
    expected = inferencer(noise())['predictions'][0]

    with pytest.raises(RuntimeError, match=r'visual_streams\.rgb'):
        AudioDetInferencer(cfg, stripped, device='cpu')
    allowed = AudioDetInferencer(cfg, stripped, device='cpu', stripped=True, show_progress=False)
    assert allowed(noise())['predictions'][0] == expected
    stock = AudioDetInferencer(tool.deployed_config(cfg), stripped, device='cpu', show_progress=False)
    assert type(stock.model).__name__ == 'FasterRCNN'
    assert stock(noise())['predictions'][0] == expected


def test_config_comes_from_the_checkpoint(trained, inferencer):
    alone = AudioDetInferencer(weights=trained[1], device='cpu', show_progress=False)
    assert alone(noise())['predictions'] == inferencer(noise())['predictions']


def test_program(tmp_path, trained, monkeypatch, capsys):
    cfg, checkpoint = trained
    soundfile.write(tmp_path / 'clip.wav', noise().T, RATE, subtype='PCM_16')
    cfg.dump(tmp_path / 'config.py')
    arguments = [
        'clip.wav',
        'config.py',
        checkpoint,
        '--out-dir',
        'out',
        '--device',
        'cpu',
        '--score-thr',
        '0',
    ]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['detect.py', *arguments])
    runpy.run_path(str(ROOT / 'tools' / 'detect.py'), run_name='__main__')
    assert 'clip.wav at 0.00 s\n  vehicle' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'predictions.json').exists()
