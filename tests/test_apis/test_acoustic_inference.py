"""The inferencer with detectors on acoustic images, and the rigs that it compares."""

import importlib.util
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmav.apis import AudioDetInferencer
from mmav.datasets import SampleError
from mmav.models.layers import AcousticImage
from mmav.structures import Rig
from mmav.visualization import draw_acoustic_image

ROOT = Path(__file__).parents[2]
RATE = 44100
RIG = Rig.from_dict(Config.fromfile(ROOT / 'configs/_base_/rigs/simulated.py').rig)
AUDIO, AVD = 'avd/faster_rcnn_r18_sim_acoustic.py', 'avd/av_faster_rcnn_r18_sim_acoustic.py'


def changed(**fields) -> Rig:
    return Rig.from_dict(dict(RIG.to_dict(), **fields))


OTHER = changed(microphone_positions=(RIG.microphone_positions * [1.5, 1.5, 1]).tolist())
MOVED = 'microphone_positions: up to 0.15 m apart'


def noise(seconds: float = 1.0, seed: int = 0, channels: int = 8) -> np.ndarray:
    samples = np.random.RandomState(seed).standard_normal((channels, round(seconds * RATE))) * 3000
    samples[: channels // 2] += 2000 * np.sin(np.arange(samples.shape[1]) / 7)
    return samples.astype(np.int16)


@pytest.fixture
def load(toy_config):
    """A shipped config, shrunk, with a coarse grid, that keeps boxes of all scores."""

    def make(name: str = AUDIO, options: dict | None = None) -> Config:
        settings = {
            'model.data_preprocessor.audio_size': (96, 96),
            'model.test_cfg.rcnn.score_thr': 0.0,
        }
        cfg = toy_config(name, {**settings, **(options or {})})
        if cfg.model.data_preprocessor.get('acoustic_image'):
            cfg.model.data_preprocessor.acoustic_image.update(grid=(6, 12), max_bins=3)
        return cfg

    return make


@pytest.fixture
def save(build_detector, tmp_path):
    """Writes a checkpoint of random weights, as the runner does: with config and rig of the training."""

    def make(cfg: Config, rig: Rig | None = RIG) -> str:
        dataset_meta = dict(classes=('vehicle',)) | ({} if rig is None else dict(rig=rig.to_dict()))
        meta = dict(cfg=cfg.pretty_text, dataset_meta=dataset_meta)
        path = tmp_path / 'checkpoint.pth'
        torch.save(dict(state_dict=build_detector(cfg).state_dict(), meta=meta), path)
        return str(path)

    return make


def infer(cfg=None, weights=None, **options) -> AudioDetInferencer:
    return AudioDetInferencer(cfg, weights, device='cpu', show_progress=False, **options)


def detect(inferencer: AudioDetInferencer, recording=None) -> dict:
    (prediction,) = inferencer(noise() if recording is None else recording)['predictions']
    assert len(prediction['bboxes']) > 3, 'the test shows nothing without boxes'
    return prediction


@pytest.fixture
def warnings(monkeypatch):
    """Warnings of rigs in the log."""
    messages = []

    def log(message: str, logger: str, level: int) -> None:
        assert (logger, level) == ('current', logging.WARNING)
        messages.append(message)

    monkeypatch.setattr('mmav.apis.recording_rig.print_log', log)
    return messages


@pytest.mark.parametrize('name', [AUDIO, AVD])
def test_equals_the_test_pipeline(load, save, tmp_path, name):
    cfg = load(name)
    weights = save(cfg)
    inferencer = infer(cfg, weights)
    assert inferencer.rig == RIG and inferencer.image_size == (1520, 650)
    soundfile.write(tmp_path / 'clip.wav', noise().T, RATE, subtype='PCM_16')
    pipeline = [step for step in cfg.test_pipeline if step['type'] != 'LoadAnnotations']
    info = dict(audio_path=str(tmp_path / 'clip.wav'), ori_shape=(650, 1520), img_shape=(650, 1520), img_id=0)
    with torch.no_grad():
        (sample,) = inferencer.model.test_step(pseudo_collate([Compose(pipeline)(info)]))
    prediction = detect(inferencer, tmp_path / 'clip.wav')
    np.testing.assert_allclose(prediction['bboxes'], sample.pred_instances.bboxes, atol=1e-3)
    np.testing.assert_allclose(prediction['scores'], sample.pred_instances.scores, atol=1e-6)
    assert detect(infer(weights=weights)) == detect(inferencer)  # the checkpoint's own config


def test_stripped_checkpoint_hears_the_same(load, save, tmp_path):
    spec = importlib.util.spec_from_file_location('strip', ROOT / 'tools/model_converters/strip_visual.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    cfg = load(AVD)
    weights = save(cfg)
    stripped = tool.strip_visual(torch.load(weights, weights_only=True))
    deployed = tool.deployed_config(cfg)
    stripped['meta']['cfg'] = deployed.pretty_text
    torch.save(stripped, tmp_path / 'audio.pth')
    expected = detect(infer(cfg, weights))
    path = str(tmp_path / 'audio.pth')
    for inferencer in (infer(cfg, path, stripped=True), infer(deployed, path), infer(weights=path)):
        assert detect(inferencer) == expected
        assert inferencer.rig == RIG
    with pytest.raises(ValueError, match=MOVED):  # the checkpoint knows its rig still
        infer(load(AVD, {'model.data_preprocessor.acoustic_image.rig': OTHER.to_dict()}), path, stripped=True)


def test_config_of_another_rig_than_the_trainings(load, save, warnings):
    cfg = load()
    weights = save(cfg, OTHER)
    with pytest.raises(ValueError, match=rf"checkpoint's training data: {MOVED}.*allow_other_rig=True"):
        infer(cfg, weights)
    assert not warnings
    assert infer(cfg, weights, allow_other_rig=True).rig == RIG
    assert len(warnings) == 1 and MOVED in warnings[0]


def test_recordings_of_another_rig_are_steered_with_it(load, save, tmp_path, warnings):
    cfg = load()
    weights = save(cfg)
    (tmp_path / 'other.json').write_text(json.dumps(OTHER.to_dict()))
    with pytest.raises(ValueError, match=rf'recordings is not that of the model: {MOVED}.*--allow-other-rig'):
        infer(cfg, weights, rig=tmp_path / 'other.json')
    own = detect(infer(cfg, weights))
    assert detect(infer(cfg, weights, rig=RIG)) == own and not warnings
    expected = detect(
        infer(load(options={'model.data_preprocessor.acoustic_image.rig': OTHER.to_dict()}), save(cfg, None))
    )
    for rig in (OTHER, OTHER.to_dict(), str(tmp_path / 'other.json')):
        other = infer(cfg, weights, rig=rig, allow_other_rig=True)
        assert other.rig == OTHER and detect(other) == expected
    assert expected != own and len(warnings) == 3


def test_recordings_of_fewer_microphones(load, save):
    kept = [0, 2, 3, 4, 5, 7]
    rig = changed(
        microphone_positions=RIG.microphone_positions[kept].tolist(),
        microphone_axes=RIG.microphone_axes[kept].tolist(),
    )
    cfg = load()
    weights = save(cfg)
    with pytest.raises(ValueError, match='8 microphones here, 6 there'):
        infer(cfg, weights, rig=rig)
    six = infer(cfg, weights, rig=rig, allow_other_rig=True)
    assert six.num_channels == 6
    # two silent microphones are left out of the steering
    eight = noise()
    eight[[1, 6]] = 0
    expected, found = detect(infer(cfg, weights), eight), detect(six, eight[kept])
    np.testing.assert_allclose(found['bboxes'], expected['bboxes'], atol=0.1)
    np.testing.assert_allclose(found['scores'], expected['scores'], atol=1e-4)
    with pytest.raises(SampleError, match='8 channels, but the model takes 6 microphones'):
        six(noise())


def test_rigs_that_the_pipeline_does_not_fit(load, save):
    cfg = load()
    weights = save(cfg)
    smaller = changed(crop=(200, 0, 1480, 650))
    with pytest.raises(ValueError, match=r'= \(1280, 650\), but boxes refer to \(1520, 650\)'):
        infer(cfg, weights, rig=smaller, allow_other_rig=True)
    named = infer(cfg, weights, rig=smaller, allow_other_rig=True, image_size=(1280, 650))
    assert named.image_size == (1280, 650) and max(box[2] for box in detect(named)['bboxes']) <= 1280
    moved = infer(cfg, weights, rig=changed(crop=(100, 0, 1620, 650)), allow_other_rig=True)
    assert moved.crop == (100, 0, 1620, 650)
    for options, message in (
        ({'test_dataloader.dataset.crop': (100, 0, 1620, 650)}, "crop: that of the model's rig is"),
        ({'model.data_preprocessor.acoustic_image.sample_rate': 48000}, 'acoustic_image is 48000 Hz'),
    ):
        with pytest.raises(ValueError, match=message):
            infer(load(options=options), weights)
    steps = [dict(cfg.test_pipeline[0], num_channels=4), *cfg.test_pipeline[1:]]
    with pytest.raises(ValueError, match=r'rig has 8 microphones, .* expects 4'):
        infer(load(options={'test_dataloader.dataset.pipeline': steps}), weights)
    learnt = load(options={'model.data_preprocessor.acoustic_image.learnable': True})
    with pytest.raises(ValueError, match='learnt corrections'):
        infer(learnt, save(learnt), rig=OTHER, allow_other_rig=True)


def test_rig_beside_recordings_is_compared_but_not_used(load, save, tmp_path, warnings):
    cfg = load()
    weights = save(cfg)
    inferencer, folder = infer(cfg, weights), tmp_path / 'street'
    folder.mkdir()
    soundfile.write(folder / 'clip.wav', noise().T, RATE, subtype='PCM_16')
    expected = detect(inferencer, folder)
    for place in (folder, tmp_path):
        (place / 'rig.json').write_text(json.dumps(RIG.to_dict()))
        assert detect(inferencer, folder) == expected
        (place / 'rig.json').write_text(json.dumps(OTHER.to_dict()))
        with pytest.raises(SampleError, match=rf'rig\.json: the rig of the recordings .*{MOVED}.*--rig'):
            inferencer(folder / 'clip.wav')
        assert detect(infer(cfg, weights, allow_other_rig=True), folder) == expected
        assert len(warnings) == 1 and f'{place}/rig.json: ' in warnings.pop()
        named = infer(cfg, weights, rig=place / 'rig.json', allow_other_rig=True)
        assert detect(named, folder)['scores'] != expected['scores']
        assert warnings.pop().startswith('the rig of the recordings is not that of the model')
        (place / 'rig.json').write_text('{}')
        with pytest.raises(SampleError, match=r'rig\.json: microphone_positions is missing'):
            inferencer(folder)
        (place / 'rig.json').unlink()


def test_spectrograms_know_the_rig_of_the_training(load, save, warnings):
    cfg = load('avd/faster_rcnn_r18_sim_audio.py')
    weights = save(cfg)
    own = infer(cfg, weights)
    assert own.rig == RIG
    with pytest.raises(ValueError, match=rf"checkpoint's training data: {MOVED}.*spectrograms do not know"):
        infer(cfg, weights, rig=OTHER)
    other = infer(cfg, weights, rig=OTHER, allow_other_rig=True)
    assert detect(other) == detect(own) and len(warnings) == 1
    assert infer(cfg, save(cfg, None)).rig is None


@pytest.mark.parametrize('spectrograms', [False, True])
def test_acoustic_image_is_drawn_below(load, save, spectrograms):
    cfg = load()
    if spectrograms:
        cfg.model.data_preprocessor.update(log_mel=dict(reference='clip'), acoustic_stride=1)
        cfg.model.backbone.update(in_channels=cfg.model.backbone.in_channels + 8, input_stride=1)
    inferencer = infer(cfg, save(cfg))
    camera = np.random.default_rng(0).integers(0, 256, (650, 1520, 3), dtype=np.uint8)
    options = dict(images=camera, return_vis=True)
    (image,) = inferencer(noise(), pred_score_thr=2.0, **options)['visualization']
    assert image.shape == (1300 + spectrograms * 168, 1520, 3)
    np.testing.assert_array_equal(image[:650], camera)
    layer = AcousticImage(RIG, grid=(6, 12), max_bins=3, beamformer='mvdr')
    expected = draw_acoustic_image(camera, torch.from_numpy(noise()) / 32768, layer)
    np.testing.assert_array_equal(image[650:1300], expected)
    (boxes,) = inferencer(noise(), pred_score_thr=0.0, **options)['visualization']
    assert (boxes[:650] != camera).any() and (boxes[650:1300] != expected).any()
    (without,) = inferencer(noise(), pred_score_thr=2.0, acoustic_images=False, **options)['visualization']
    assert without.shape == (650 + spectrograms * 168, 1520, 3)
