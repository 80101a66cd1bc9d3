"""Export of checkpoints, and what runs the files: compared with PyTorch on the same sound."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmav.apis.onnx_audio_detector
from mmav.apis import AudioDetInferencer, OnnxAudioDetector, OnnxDetInferencer, StreamingAudioDetector
from mmav.export.parity import BoxDifferences

ROOT = Path(__file__).parents[2]
RATE = 44100
KEYS = ('bboxes', 'scores', 'labels')


def run_tool(tool: str, *arguments: object) -> None:
    argv, sys.argv = sys.argv, [tool, *map(str, arguments)]
    try:
        runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')
    finally:
        sys.argv = argv


@pytest.fixture(scope='module', params=['audio', 'acoustic'])
def model(request, tmp_path_factory) -> tuple[Path, Path, Path]:
    """Config, checkpoint and exported file of a network of random weights, and a recording beside them."""
    folder = tmp_path_factory.mktemp(request.param)
    cfg = Config.fromfile(ROOT / 'configs' / 'avd' / f'faster_rcnn_r18_sim_{request.param}.py')
    cfg.dump(folder / 'config.py')
    init_default_scope('mmdet')
    torch.manual_seed(0)
    network = MODELS.build(cfg.model)
    for name, parameter in network.named_parameters():
        if name.endswith(('rpn_cls.weight', 'fc_cls.weight')):
            parameter.data.mul_(10)
    meta = dict(dataset_meta=dict(classes=('vehicle',), palette=[(1, 2, 3)]))
    torch.save(dict(state_dict=network.state_dict(), meta=meta), folder / 'checkpoint.pth')
    wave = np.random.default_rng(1).normal(0, 0.05, (round(1.45 * RATE), 8))
    soundfile.write(folder / 'street.wav', wave, RATE, subtype='PCM_16')
    paths = folder / 'config.py', folder / 'checkpoint.pth', folder / 'detector.onnx'
    run_tool('model_converters/export_onnx.py', *paths)
    return paths


def differences(expected: list[dict], found: list[dict]) -> BoxDifferences:
    result = BoxDifferences()
    for pair in zip(expected, found, strict=True):
        result.add(
            *(
                {
                    key: np.asarray(row[key]).reshape(-1, 4) if key == 'bboxes' else np.asarray(row[key])
                    for key in KEYS
                }
                for row in pair
            )
        )
    assert result.boxes > 10, 'the test shows nothing without boxes'
    return result


def assert_close(expected: list[dict], found: list[dict]) -> None:
    result = differences(expected, found)
    assert result.unpaired == 0 and result.pixels < 0.1 and result.score < 1e-3, result


def test_the_inferencer_of_the_file_gives_what_that_of_the_checkpoint_gives(model, tmp_path):
    config, checkpoint, file = model
    wave = str(file.with_name('street.wav'))
    expected = AudioDetInferencer(str(config), str(checkpoint), device='cpu')(wave, stride=0.2)['predictions']
    inferencer = OnnxDetInferencer(file, threads=1)
    results = inferencer(wave, stride=0.2, return_vis=True, out_dir=tmp_path)
    assert_close(expected, results['predictions'])
    for key in ('start', 'duration', 'classes'):
        assert [row[key] for row in expected] == [row[key] for row in results['predictions']]
    assert inferencer.rig == AudioDetInferencer(str(config), str(checkpoint), device='cpu').rig
    assert len(list(tmp_path.rglob('*.jpg'))) == len(results['visualization']) == 4


def test_streams_take_it(model):
    config, checkpoint, file = model
    samples, _ = soundfile.read(file.with_name('street.wav'), dtype='int16')
    results = []
    for detector in (
        StreamingAudioDetector(str(config), str(checkpoint), hop=0.2, device='cpu'),
        StreamingAudioDetector(OnnxAudioDetector(file, threads=1), hop=0.2),
    ):
        parts = np.array_split(samples.T, 7, axis=1)
        results.append([result for part in parts for result in detector.push(part)] + detector.flush())
    assert_close(*results)


def test_the_command_detects_by_it(model, tmp_path, capsys):
    _, _, file = model
    run_tool('detect.py', file.with_name('street.wav'), file, '--out-dir', tmp_path / 'out', '--score-thr', 0)
    found = json.loads((tmp_path / 'out' / 'predictions.json').read_text())
    assert len(found['predictions']) == 2 and found['image_size'] == [1520, 650]
    assert 'vehicle' in capsys.readouterr().out
    run_tool('track.py', file, '--recordings', file.with_name('street.wav'), '--out-dir', tmp_path / 'tracks')
    assert (tmp_path / 'tracks' / 'street.mp4').stat().st_size
    with pytest.raises(SystemExit, match='give --recordings'):
        run_tool('track.py', file, '--out-dir', tmp_path / 'none')
    with pytest.raises(SystemExit, match='--device cannot be used'):
        run_tool('detect.py', file.with_name('street.wav'), file, '--device', 'cuda:0')


def test_it_runs_without_pytorch_and_mmav(model, tmp_path):
    _, _, file = model
    shutil.copy(mmav.apis.onnx_audio_detector.__file__, tmp_path / 'run.py')
    shutil.copy(file, tmp_path / 'detector.onnx')
    wave = file.with_name('street.wav')
    code = (
        'import sys, runpy\n'
        'blocked = ("torch", "torchvision", "mmav", "mmengine", "mmcv", "mmdet", "scipy", "cv2", "librosa")\n'
        'sys.modules.update(dict.fromkeys(blocked))\n'  # None: an import is an error
        f'sys.argv = ["run.py", "detector.onnx", {str(wave)!r}, "--hop", "0.2", "--score-thr", "0"]\n'
        'runpy.run_path("run.py", run_name="__main__")'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    expected = OnnxDetInferencer(file)(str(wave), stride=0.2)['predictions']
    assert [row['start'] for row in rows] == pytest.approx([row['start'] for row in expected])
    assert_close(expected, rows)


def test_files_of_int16_and_of_8_bits(model, tmp_path):
    config, checkpoint, file = model
    wave = file.with_name('street.wav')
    run_tool(
        'model_converters/export_onnx.py',
        *(config, checkpoint, tmp_path / 'int16.onnx', '--int16'),
        *('--int8', tmp_path / 'int8.onnx', '--calibration', wave, '--calibration-windows', 2),
    )
    samples, _ = soundfile.read(wave, dtype='int16')
    window = np.ascontiguousarray(samples[:RATE].T[None])
    expected, found, quantized = (
        OnnxAudioDetector(path, threads=1)(window)
        for path in (file, tmp_path / 'int16.onnx', tmp_path / 'int8.onnx')
    )
    assert_close(expected, found)
    assert (tmp_path / 'int8.onnx').stat().st_size < (tmp_path / 'int16.onnx').stat().st_size - 10e6
    best = [row['scores'].max() for row in (*expected, *quantized)]
    assert best[1] == pytest.approx(best[0], abs=0.1)


@pytest.mark.parametrize(
    ('waveform', 'message'),
    [
        (np.zeros((8, RATE), np.int16), r'waveform must be \(B, 8, 44100\)'),
        (np.zeros((1, 8, RATE), np.int32), 'int16 or floating point, got int32'),
        (np.full((1, 8, RATE), np.nan, np.float32), 'NaN'),
    ],
)
def test_bad_sound_is_an_error(model, waveform, message):
    with pytest.raises(ValueError, match=message):
        OnnxAudioDetector(model[2])(waveform)


def test_bad_files_are_errors(model, tmp_path):
    (tmp_path / 'broken.onnx').write_bytes(model[2].read_bytes()[:1000])
    for name, message in dict(missing='is missing', broken='not a readable ONNX file').items():
        with pytest.raises(ValueError, match=message):
            OnnxAudioDetector(tmp_path / f'{name}.onnx')
    detector = OnnxAudioDetector(model[2])
    for name, shape, message in (('short', (100, 8), 'fewer than'), ('stereo', (RATE, 2), 'channels 2')):
        soundfile.write(tmp_path / f'{name}.wav', np.zeros(shape), RATE)
        with pytest.raises(ValueError, match=rf'{name}\.wav.*{message}'):
            list(detector.detect_file(tmp_path / f'{name}.wav'))


def test_what_is_there_stays(model):
    with pytest.raises(SystemExit):
        run_tool('model_converters/export_onnx.py', *model)


def test_a_parser_of_videos(tmp_path, capsys):
    parser = dict(
        type='HybridAttentionParser',
        num_classes=25,
        audio_channels=3,
        visual_channels=5,
        visual_st_channels=None,
        embed_dims=8,
        feedforward_channels=8,
    )
    Config(dict(model=parser)).dump(tmp_path / 'han.py')
    init_default_scope('mmdet')
    torch.save(dict(state_dict=MODELS.build(parser).state_dict()), tmp_path / 'han.pth')
    paths = [tmp_path / f'han.{suffix}' for suffix in ('py', 'pth', 'onnx')]
    run_tool('model_converters/export_onnx.py', *paths, '--shape', 'visual=20,5')
    import onnxruntime

    session = onnxruntime.InferenceSession(str(paths[2]))
    assert {item.name: item.shape[1:] for item in session.get_inputs()} == {
        'audio': [10, 3],
        'visual': [20, 5],
    }
    assert {item.name for item in session.get_outputs()} >= {'frame_prob', 'global_prob'}
    text = capsys.readouterr().out
    assert 'frame_prob' in text
    with pytest.raises(SystemExit, match='--shape vision'):
        run_tool('model_converters/export_onnx.py', *paths, '--force', '--shape', 'vision=20,5')


def test_a_missing_onnxruntime_is_one_line(model, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)  # an import is an error
    for name in ('onnx_audio_detector', 'onnx_det_inferencer'):
        monkeypatch.delitem(sys.modules, f'mmav.apis.{name}', raising=False)
    with pytest.raises(SystemExit, match='onnxruntime is missing: pip install'):
        run_tool('detect.py', model[2].with_name('street.wav'), model[2])
