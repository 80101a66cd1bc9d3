"""Events of a parser whose probabilities are set by hand, and of the shipped one."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmav.apis import SegmentFeatureExtractor, VideoParsingInferencer
from mmav.datasets import SampleError
from mmav.features.image_networks import ImageFeature
from mmav.media.video_writer import write_video
from mmav.models.segment_models.segment_model import mean_per_segment

pytestmark = pytest.mark.stack

TOOL = Path(__file__).parents[2] / 'tools' / 'parse_video.py'
MODEL = dict(
    type='HybridAttentionParser',
    num_classes=3,
    audio_channels=3,
    visual_channels=3,
    visual_st_channels=None,
    embed_dims=8,
    feedforward_channels=8,
)
CLASSES = ('Cat', 'Dog', 'Car')


@pytest.fixture
def checkpoint(tmp_path):
    init_default_scope('mmdet')
    torch.manual_seed(0)
    path = tmp_path / 'parser.pth'
    meta = dict(dataset_meta=dict(classes=CLASSES), cfg=Config(dict(model=MODEL)).dump())
    torch.save(dict(state_dict=MODELS.build(MODEL).state_dict(), meta=meta), path)
    return str(path)


@pytest.fixture
def inferencer(checkpoint, monkeypatch):
    """Its probabilities are its features: those of class c are the c-th channels."""
    made = VideoParsingInferencer(None, checkpoint, 'cpu', show_progress=False)
    assert made.classes == CLASSES

    def outputs(inputs):
        visual = mean_per_segment(inputs['visual'], inputs['audio'].shape[1], 'visual')
        frames = torch.stack((inputs['audio'], visual), 2)
        return dict(
            frame_prob=frames,
            global_prob=frames.amax((1, 2)),
            audio_prob=frames[:, :, 0].amax(1),
            visual_prob=frames[:, :, 1].amax(1),
        )

    monkeypatch.setattr(made.model, 'outputs', outputs)
    return made


def probabilities(segments: int, *cells) -> np.ndarray:
    """(segments, 3) of 0, and of 0.8 from a second up to another of a class."""
    probs = np.zeros((segments, 3), np.float32)
    for start, end, label in cells:
        probs[start:end, label] = 0.8
    return probs


def listed(prediction) -> list[tuple]:
    return [
        tuple(event[key] for key in ('modality', 'label', 'onset', 'offset'))
        for event in prediction['events']
    ]


def test_events_that_are_heard_seen_and_both(inferencer):
    audio = probabilities(10, (1, 5, 0), (7, 8, 2))
    visual = probabilities(10, (3, 9, 0))
    (prediction,) = inferencer(dict(audio=audio, visual=visual, name='clip'))['predictions']
    assert (prediction['input'], prediction['duration']) == ('clip', 10.0)
    assert listed(prediction) == [
        ('audio', 'Cat', 1, 5),
        ('audio', 'Car', 7, 8),
        ('visual', 'Cat', 3, 9),
        ('audio_visual', 'Cat', 3, 5),
    ]
    assert all(event['score'] == pytest.approx(0.8) for event in prediction['events'])
    np.testing.assert_allclose(prediction['audio'], audio)
    (strict,) = inferencer(dict(audio=audio, visual=visual), threshold=0.9)['predictions']
    assert not strict['events']


def test_long_videos_are_parsed_in_windows_and_events_go_on_over_them(inferencer):
    seen = []
    inner = inferencer.model.outputs
    inferencer.model.outputs = lambda inputs: seen.append(inputs['audio'].shape[1]) or inner(inputs)
    audio = probabilities(23, (8, 13, 1))
    (prediction,) = inferencer(dict(audio=audio, visual=np.zeros_like(audio)))['predictions']
    assert seen == [10, 10, 3]
    assert listed(prediction) == [('audio', 'Dog', 8, 13)] and prediction['duration'] == 23


def test_the_real_parser_gives_what_its_predict_gives(checkpoint):
    rng = np.random.default_rng(0)
    audio, visual = rng.standard_normal((2, 4, 3)).astype(np.float32)
    inferencer = VideoParsingInferencer(dict(model=MODEL), checkpoint, 'cpu', show_progress=False)
    (prediction,) = inferencer(dict(audio=audio, visual=visual.repeat(8, axis=0)))['predictions']
    inputs = dict(audio=torch.from_numpy(audio)[None], visual=torch.from_numpy(visual)[None])
    with torch.no_grad():
        (sample,) = inferencer.model.predict(inputs)
    np.testing.assert_allclose(prediction['audio'], sample.pred_audio.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(prediction['visual'], sample.pred_visual.numpy(), rtol=1e-4, atol=1e-6)


def test_files_of_predictions_and_timelines(inferencer, tmp_path):
    audio = probabilities(10, (1, 5, 0))
    for name in ('audio', 'visual'):
        np.save(tmp_path / f'{name}.npy', audio)
    files = {name: tmp_path / f'{name}.npy' for name in ('audio', 'visual')}
    inferencer([files, dict(files, name='my clip.mp4')], out_dir=tmp_path / 'out')
    written = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert written['threshold'] == 0.5
    assert [item['input'] for item in written['predictions']] == ['input 0', 'my clip.mp4']
    assert set(written['predictions'][0]) == {'input', 'duration', 'events'}
    assert written['predictions'][0]['events'][0] == dict(
        modality='audio', label='Cat', onset=1.0, offset=5.0, score=pytest.approx(0.8)
    )
    names = sorted(path.name for path in (tmp_path / 'out/timelines').iterdir())
    assert names == ['0000_input_0.png', '0001_my_clip.png']
    assert cv2.imread(str(tmp_path / 'out/timelines' / names[0])).std() > 10


def test_a_video_goes_through_the_extractor(inferencer, tmp_path):
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    scaled = ((0, 0, 0), (1.0,) * 3)
    colors = {
        name: ImageFeature(name, 2, 'each', lambda: net, lambda p: p[::4, ::4], '', normalization=scaled)
        for name in ('red', 'blue')
    }
    extractor = SegmentFeatureExtractor(
        dict(audio=colors['red'], visual=colors['blue']), dict.fromkeys(colors), allow_untrained=True
    )
    images = np.zeros((8, 32, 48, 3), np.uint8)
    images[4:, ..., 0] = 255
    write_video(tmp_path / 'clip.mp4', images, 4, np.zeros(32000), 16000, crf=0)
    features = extractor(tmp_path / 'clip.mp4')
    inferencer.extractor = lambda video: dict(
        audio=features['audio'].reshape(2, 2, 3).mean(1), visual=features['visual']
    )
    (prediction,) = inferencer(tmp_path / 'clip.mp4')['predictions']
    # the second half of the images is red, the first channel
    assert ('audio', 'Cat', 1, 2) in listed(prediction) and prediction['input'] == 'clip.mp4'
    assert ('audio', 'Cat', 0, 2) not in listed(prediction)


@pytest.mark.parametrize(
    'features, message',
    [
        (dict(audio=np.zeros((10, 3))), r"has \['audio'\], the model takes \['audio', 'visual'\]"),
        (dict(audio=np.zeros((10, 4)), visual=np.zeros((10, 3))), r'audio of input 0: .* 3\), got \(10, 4\)'),
        (dict(audio=np.zeros((10, 3)), visual=np.zeros((15, 3))), 'visual has 15 rows for 10 seconds'),
        (dict(audio=np.full((10, 3), np.nan), visual=np.zeros((10, 3))), 'must be finite'),
        (dict(audio='nowhere.npy', visual=np.zeros((10, 3))), r'nowhere\.npy: the file is missing'),
        ('notes.txt', r'notes\.txt: is no video'),
        ([], 'the list is empty'),
    ],
)
def test_bad_inputs_are_refused_by_name(inferencer, features, message):
    with pytest.raises(SampleError, match=message):
        inferencer(features)


def test_bad_settings_are_refused(inferencer, checkpoint):
    with pytest.raises(ValueError, match='threshold'):
        inferencer([dict()], threshold=0)
    with pytest.raises(TypeError, match='input 0 is a int'):
        inferencer([3])
    with pytest.raises(ValueError, match='2 names for 3 classes'):
        VideoParsingInferencer(None, checkpoint, 'cpu', classes=('a', 'b'))
    pretrainer = dict(type='AVGPretrainer', embed_dims=8, num_layers=1, num_heads=1, feedforward_channels=8)
    with pytest.raises(ValueError, match='AVGPretrainer, not a HybridAttentionParser'):
        VideoParsingInferencer(dict(model=pretrainer), None, 'cpu')


def test_command_line(checkpoint, tmp_path, monkeypatch, capsys):
    Config(dict(model=MODEL)).dump(tmp_path / 'config.py')
    for name in ('audio', 'visual'):
        np.save(tmp_path / f'{name}.npy', np.random.default_rng(1).standard_normal((10, 3)).astype('float32'))
    namespace = {'__name__': 'parse_video'}
    exec(compile(TOOL.read_text(), str(TOOL), 'exec'), namespace)
    files = [f'{name}={tmp_path / name}.npy' for name in ('audio', 'visual')]
    command = [
        str(tmp_path / 'config.py'),
        checkpoint,
        '--features',
        *files,
        '--out-dir',
        str(tmp_path / 'out'),
    ]
    monkeypatch.setattr(sys, 'argv', ['parse_video.py', *command, '--device', 'cpu', '--threshold', '0.01'])
    namespace['main']()
    assert f'{tmp_path / "audio"}.npy, 10 s' in capsys.readouterr().out
    assert json.loads((tmp_path / 'out/predictions.json').read_text())['threshold'] == 0.01
