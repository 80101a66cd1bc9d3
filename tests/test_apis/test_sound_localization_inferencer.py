import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.structures import SampleList
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from mmav.apis import SoundLocalizationInferencer
from mmav.apis.localization_sources import audio_around
from mmav.datasets import SampleError
from mmav.media.video import read_video_audio, read_video_frames, read_video_info
from mmav.media.video_writer import write_video
from mmav.visualization import blend_heatmap

pytestmark = pytest.mark.stack

RATE = 22050
RESNET = dict(depth=18, base_channels=8, stem_channels=8, num_stages=4, out_indices=(3,), norm_eval=False)
PIPELINE = [
    dict(type='LoadClipFrame'),
    dict(type='LoadAudioSegment', duration=0.5),
    dict(type='Resize', scale=(64, 64), keep_ratio=False),
    dict(type='PackLocalizationInputs'),
]


@MODELS.register_module(force=True)
class LoudRed(BaseModel):
    """A localizer that can be computed by hand: how red a pixel is, times the mean of the sound."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs: dict, data_samples: SampleList, mode: str = 'tensor') -> SampleList:
        assert mode == 'predict' and not torch.is_grad_enabled()
        for image, audio, sample in zip(inputs['image'], inputs['audio'], data_samples):
            sample.pred_map = self.gain * image[2] / 255 * audio.mean()  # BGR
        return data_samples


def config(**model: object) -> ConfigDict:
    return ConfigDict(model=model, test_dataloader=dict(dataset=dict(dataset=dict(pipeline=PIPELINE))))


def test_test_sets_that_wrap_others_and_types_that_are_classes(files):
    other = [dict(step, type=TRANSFORMS.get(step['type'])) for step in PIPELINE]
    datasets = [dict(type='VGGSSDataset', pipeline=steps) for steps in (PIPELINE, other)]
    cfg = config(type='LoudRed')
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=datasets[::-1])
    found = SoundLocalizationInferencer(cfg, device='cpu', show_progress=False)
    pair = dict(image=files / 'red.png', audio=files / 'swell.wav')
    assert found(pair)['predictions'][0]['maximum'] == pytest.approx(0.3, abs=1e-3)
    datasets[1]['pipeline'] = PIPELINE[1:]
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=datasets)
    with pytest.raises(ValueError, match='differ in pipeline'):
        SoundLocalizationInferencer(cfg, device='cpu')


def red_square(x: int, y: int, height: int = 60, width: int = 90) -> np.ndarray:
    """RGB, gray with a red square around (x, y)."""
    image = np.full((height, width, 3), 51, np.uint8)
    image[y - 8 : y + 8, x - 8 : x + 8] = (255, 51, 51)
    return image


@pytest.fixture(scope='module')
def inferencer() -> SoundLocalizationInferencer:
    return SoundLocalizationInferencer(config(type='LoudRed'), device='cpu', show_progress=False)


@pytest.fixture(scope='module')
def files(tmp_path_factory) -> Path:
    """An image and a sound of 0.1, 0.3, 0.1; a video of 2 s whose square moves and whose sound swells."""
    folder = tmp_path_factory.mktemp('files')
    cv2.imwrite(str(folder / 'red.png'), red_square(70, 20)[..., ::-1])
    sound = np.repeat([0.1, 0.3, 0.1], [RATE, RATE, RATE])
    soundfile.write(folder / 'swell.wav', sound, RATE)
    frames = [red_square(20 + 5 * number, 30) for number in range(10)]
    write_video(folder / 'moving.mp4', frames, 5, np.linspace(0, 0.5, 2 * RATE, dtype=np.float32), RATE)
    return folder


def test_pairs_of_files(inferencer, files):
    pair = dict(image=files / 'red.png', audio=files / 'swell.wav')
    (prediction,) = inferencer(pair)['predictions']
    assert prediction['input'] == 'red.png' and prediction['time'] is None
    assert prediction['map'].shape == (64, 64)
    assert prediction['maximum'] == pytest.approx(0.3, abs=1e-3), 'the middle of the audio is taken'
    np.testing.assert_allclose(prediction['peak'], (70, 20), atol=9)
    assert prediction['map'].min() == pytest.approx(0.2 * 0.3, abs=1e-3)
    (sample,) = inferencer(pair, return_datasamples=True)['predictions']
    np.testing.assert_array_equal(sample.pred_map.numpy(), prediction['map'])


def test_pairs_of_arrays_and_the_sound_of_a_video(inferencer, files):
    image = red_square(30, 40)
    wave = np.full(RATE, 0.25, np.float32)
    pairs = [
        dict(image=image, audio=wave),
        dict(image=image, audio=(wave * 32768).astype(np.int16)),
        dict(image=image, audio=np.full(44100, 0.25), sample_rate=44100),
        dict(image=image, audio=(torch.full((2, 44100), 0.25), 44100)),  # as torchaudio gives it
        dict(image=image, audio=wave[: RATE // 5]),  # repeated
        dict(image=image, audio=files / 'moving.mp4'),
    ]
    one = inferencer(pairs, batch_size=1)['predictions']
    assert [prediction['input'] for prediction in one] == [f'inputs[{number}]' for number in range(6)]
    for number, prediction in enumerate(one):
        # the codec pads the video's sound, which shifts its middle
        assert prediction['maximum'] == pytest.approx(0.25, abs=3e-3 if number < 5 else 0.01)
    for prediction, expected in zip(inferencer(pairs, batch_size=3)['predictions'], one):
        np.testing.assert_array_equal(prediction['map'], expected['map'])


def test_equals_the_test_pipeline_and_loads_strictly(files, tmp_path):
    init_default_scope('mmdet')
    cfg = config(
        type='AVCLocalizer',
        visual_backbone=dict(type='ResNet', **RESNET),
        audio_backbone=dict(type='AudioResNet', in_channels=1, **RESNET),
        visual_channels=64,
        audio_channels=64,
        embed_channels=16,
        data_preprocessor=dict(type='SoundLocalizationDataPreprocessor'),
        teachers=dict(type='NoSuchTeachers'),
    )
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, teachers=None)).eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'whole.pth')
    inferencer = SoundLocalizationInferencer(cfg, str(tmp_path / 'whole.pth'), 'cpu', show_progress=False)
    paths = dict(img_path=str(files / 'red.png'), audio_path=str(files / 'swell.wav'))
    with torch.no_grad():
        (expected,) = model.test_step(pseudo_collate([Compose(PIPELINE)(dict(paths, img_id=0))]))
    (prediction,) = inferencer(dict(image=files / 'red.png', audio=files / 'swell.wav'))['predictions']
    torch.testing.assert_close(torch.from_numpy(prediction['map']), expected.pred_map)
    torch.save({'audio_proj.bias': torch.zeros(16)}, tmp_path / 'part.pth')
    with pytest.raises(RuntimeError, match='visual_proj'):
        SoundLocalizationInferencer(cfg, str(tmp_path / 'part.pth'), 'cpu')


def test_video(inferencer, files, tmp_path):
    video = str(files / 'moving.mp4')
    results = inferencer(video, fps=5, batch_size=4, alpha=0.3, return_vis=True, out_dir=str(tmp_path))
    predictions = results['predictions']
    assert [prediction['time'] for prediction in predictions] == pytest.approx([0.2 * k for k in range(10)])
    wave = read_video_audio(video, RATE)
    length = RATE // 2
    for number, (prediction, frame) in enumerate(zip(predictions, read_video_frames(video, 5))):
        start = min(max(round(0.2 * number * RATE) - length // 2, 0), len(wave) - length)
        heard = wave[start : start + length].mean()
        assert prediction['maximum'] == pytest.approx(heard * frame[..., 0].max() / 255, rel=0.02)
        np.testing.assert_allclose(prediction['peak'], (20 + 5 * number, 30), atol=9)
        expected = blend_heatmap(frame, prediction['map'], 0.3)
        np.testing.assert_array_equal(results['visualization'][number], expected)
    assert predictions[-1]['maximum'] > 4 * predictions[0]['maximum'], 'the sound swells'
    written = tmp_path / 'videos' / '0000_moving.mp4'
    info = read_video_info(written)
    assert info.fps == 5 and info.size == (90, 60) and info.sample_rate == RATE
    shown = read_video_frames(written, 5)
    assert shown.shape == (10, 60, 90, 3)
    difference = np.abs(shown.astype(int) - np.stack(results['visualization']))
    assert difference.mean() < 8, 'but for the codec'
    np.testing.assert_allclose(read_video_audio(written, RATE)[2000:40000], wave[2000:40000], atol=0.02)
    stored = json.loads((tmp_path / 'predictions.json').read_text())['predictions']
    assert stored == [{key: p[key] for key in ('input', 'time', 'maximum', 'peak')} for p in predictions]


def test_command(files, tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(
        'localize_sound', Path(__file__).parents[2] / 'tools' / 'localize_sound.py'
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    dataset = dict(pipeline=PIPELINE)
    text = f"model = dict(type='LoudRed')\ntest_dataloader = dict(dataset={dataset})\n"
    (tmp_path / 'config.py').write_text(text)
    torch.save(dict(state_dict=dict(gain=torch.ones(()))), tmp_path / 'empty.pth')
    arguments = ['localize_sound.py', str(tmp_path / 'config.py'), str(tmp_path / 'empty.pth')]
    arguments += ['--pair', str(files / 'red.png'), str(files / 'swell.wav'), '--videos']
    arguments += [
        str(files / 'moving.mp4'),
        '--fps',
        '2',
        '--out-dir',
        str(tmp_path / 'out'),
        '--device',
        'cpu',
    ]
    monkeypatch.setattr(sys, 'argv', [*arguments, '--range', '0', '1'])
    tool.main()
    assert 'moving.mp4 at 1.50 s: ' in capsys.readouterr().out
    written = {str(path.relative_to(tmp_path / 'out')) for path in (tmp_path / 'out').rglob('*.*')}
    expected = {'maps/0000_red.npy', 'pictures/0000_red.jpg', 'predictions.json', 'videos/0001_moving.mp4'}
    assert written == expected
    drawn = cv2.imread(str(tmp_path / 'out' / 'pictures' / '0000_red.jpg'))[..., ::-1].astype(int)
    heatmap = np.load(tmp_path / 'out' / 'maps' / '0000_red.npy')
    ranged = blend_heatmap(red_square(70, 20), heatmap, value_range=(0, 1))
    assert np.abs(drawn - ranged).mean() < 6, 'but for the compression'
    arguments[4] = str(tmp_path / 'none.png')
    monkeypatch.setattr(sys, 'argv', arguments)
    with pytest.raises(SystemExit, match=r'^localize_sound: .*none\.png: the file is missing'):
        tool.main()


def test_what_cannot_be_used_is_named(inferencer, files, tmp_path):
    good = dict(image=files / 'red.png', audio=files / 'swell.wav')
    (tmp_path / 'truncated.mp4').write_bytes((files / 'moving.mp4').read_bytes()[:3000])
    write_video(tmp_path / 'silent.mp4', [red_square(20, 20)] * 3, 5)
    cases = [
        (dict(good, image=tmp_path / 'none.jpg'), 'none.jpg: the file is missing'),
        (dict(good, image=files / 'swell.wav'), 'swell.wav: not a readable image'),
        (dict(good, audio=tmp_path / 'none.wav'), 'none.wav: the file is missing'),
        (dict(good, audio=files / 'red.png'), 'red.png: not a readable sound file'),
        (dict(good, image=np.zeros((5, 5), np.uint8)), r'inputs\[0\]: an image must be'),
        (dict(good, audio=np.full(RATE, np.nan)), r'audio of inputs\[0\]: the audio holds NaN'),
        (dict(good, audio=np.full(RATE, 900.0)), 'divide 16-bit'),
        (dict(good, audio=np.zeros((2, RATE))), r'must have the shape \(L,\)'),
        (tmp_path / 'truncated.mp4', r'truncated\.mp4: not a readable video'),
        (tmp_path / 'silent.mp4', r'silent\.mp4: has no sound'),
        (tmp_path / 'none.mp4', r'none\.mp4: the file is missing'),
        (files / 'swell.wav', r'swell\.wav: is no video'),
        ([], 'inputs: the list is empty'),
    ]
    for inputs, message in cases:
        with pytest.raises(SampleError, match=message):
            inferencer(inputs)
    for inputs in (3, [dict(image=files / 'red.png')]):
        with pytest.raises(TypeError, match=r'inputs\[0\]'):
            inferencer(inputs)
    with pytest.raises(ValueError, match='fps must be above 0'):
        inferencer(good, fps=0)


def test_config_without_sound_is_refused():
    cfg = config(type='LoudRed')
    cfg.test_dataloader.dataset.dataset.pipeline = PIPELINE[:1]
    with pytest.raises(ValueError, match='LoadAudioSegment'):
        SoundLocalizationInferencer(cfg, device='cpu')


@pytest.mark.parametrize(
    'center, expected', [(5, [3, 4, 5, 6]), (0, [0, 1, 2, 3]), (9.9, [6, 7, 8, 9]), (1.9, [0, 1, 2, 3])]
)
def test_audio_around(center, expected):
    np.testing.assert_array_equal(audio_around(np.arange(10.0), center, 4), expected)


def test_short_sound_repeats():
    np.testing.assert_array_equal(audio_around(np.arange(3.0), 1, 5), [0, 1, 2, 0, 1])
