"""The tool that stores embeddings, beside teachers on line, killed runs and several processes."""

import importlib.util
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from forked_script import finish, start_script
from free_port import free_port
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from tiny_clips import TinyClips, tear

from mmav.datasets import SampleError
from mmav.datasets.stores.embedding_store import EmbeddingStore
from mmav.utils.fileio import TEMPORARY_SUFFIX

TOOL = Path(__file__).parents[2] / 'tools' / 'extract_teacher_embeddings.py'
NUM_CLIPS = 7

CONFIG = """
custom_imports = dict(imports=['kill_at_clip'])
resnet = dict(depth=18, base_channels=2, stem_channels=2, out_indices=(3,))
model = dict(
    type='AVCLocalizer',
    data_preprocessor=dict(type='SoundLocalizationDataPreprocessor'),
    visual_backbone=dict(type='ResNet', **resnet), visual_channels=16,
    audio_backbone=dict(type='AudioResNet', in_channels=1, **resnet), audio_channels=16,
    embed_channels=32,
    audio_hint=dict(type='FeatureHintLoss', loss_weight=1000.0),
    visual_hint=dict(
        type='FeatureHintLoss', loss_weight=100000.0, student_channels=32, teacher_channels=16))
teachers = dict(
    type='AVCTeachers',
    visual=dict(type='ResNet', init_cfg=dict(type='StrictPretrained', checkpoint='FOLDER/eye.pth'), **resnet),
    audio=dict(type='CNN14', base_channels=1, checkpoint='FOLDER/ear.pth'))
image_steps = [dict(type='LoadClipFrame'), dict(type='Resize', scale=(64, 64), interpolation='bicubic')]
hear = dict(type='LoadAudioSegment', duration=0.5)
teacher_sound = dict(type='LoadAudioSegment', duration=0.5, sample_rate=32000, key='teacher_waveform')
teacher_pipeline = [
    dict(type='KillAtClip'), *image_steps, hear, teacher_sound, dict(type='PackLocalizationInputs')]
train_dataloader = dict(dataset=dict(
    type='VGGSoundDataset', data_root='FOLDER/data',
    pipeline=[*image_steps, dict(type='LoadTeacherEmbeddings', store='FOLDER/store'), hear, teacher_sound,
              dict(type='PackLocalizationInputs')]))
"""

KILLER = """
import os, signal
from mmdet.registry import TRANSFORMS

@TRANSFORMS.register_module(force=True)
class KillAtClip:
    def __call__(self, results):
        if os.environ.get('KILL_AT') == results['clip']:
            os.kill(os.getpid(), signal.SIGKILL)
        return results
"""


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('extract_teacher_embeddings', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """Clips, toy teachers and a config in tmp_path; gives the config's path."""
    init_default_scope('mmdet')
    clips = TinyClips(tmp_path / 'data')
    for number in range(NUM_CLIPS):
        clips.add(f'clip_{number}')
    torch.manual_seed(0)
    eye = MODELS.build(dict(type='ResNet', depth=18, base_channels=2, stem_channels=2, out_indices=(3,)))
    ear = MODELS.build(dict(type='CNN14', base_channels=1))
    for name, model in dict(eye=eye, ear=ear).items():
        model.init_weights()
        torch.save(model.state_dict(), tmp_path / f'{name}.pth')
    (tmp_path / 'kill_at_clip.py').write_text(KILLER)
    (tmp_path / 'config.py').write_text(CONFIG.replace('FOLDER', str(tmp_path)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv('KILL_AT', raising=False)
    yield str(tmp_path / 'config.py')
    sys.modules.pop('kill_at_clip', None)


def arguments(config, out, *more):
    sizes = ('--shard-size', 3, '--batch-size', 2, '--num-workers', 0, '--device', 'cpu')
    return [str(part) for part in (config, out, *sizes, *more)]


def contents(store):
    return {
        str(file.relative_to(store)): file.read_bytes() for file in sorted(store.rglob('*')) if file.is_file()
    }


def test_losses_off_line_are_those_on_line(tool, setting, tmp_path):
    tool.main(arguments(setting, tmp_path / 'store', '--verify'))
    cfg = Config.fromfile(setting)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[index] for index in range(NUM_CLIPS)])
    torch.manual_seed(1)
    off_line = MODELS.build(cfg.model)
    off_line.init_weights()
    on_line = MODELS.build(dict(cfg.model, teachers=cfg.teachers))
    on_line.load_state_dict(off_line.state_dict())
    inputs = off_line.data_preprocessor(batch, training=True)['inputs']
    student = dict(image=inputs['image'], spectrogram=inputs['spectrogram'])
    stored = {name: inputs[name] for name in ('teacher_audio', 'teacher_visual')}
    off = off_line.train()({**student, **stored}, mode='loss')
    on = on_line.train()({**student, 'teacher_waveform': inputs['teacher_waveform']}, mode='loss')
    assert off.keys() == on.keys() == {'loss_similarity', 'loss_audio_hint', 'loss_visual_hint'}
    for name, value in off.items():
        torch.testing.assert_close(value, on[name], rtol=1e-5, atol=0)
        assert value > 0.01
    assert inputs['teacher_audio'].std(0).max() > 1e-3 * inputs['teacher_audio'].abs().max()


@pytest.mark.slow
def test_a_killed_run_finished_by_two_processes_gives_the_bytes_of_one(tool, setting, tmp_path, monkeypatch):
    tool.main(arguments(setting, tmp_path / 'whole'))
    whole = contents(tmp_path / 'whole')
    assert {'index.json', 'shard_00002/audio.npy', 'shard_00002/visual.npy'} <= whole.keys()

    out = tmp_path / 'store'
    monkeypatch.setenv('KILL_AT', 'clip_4')  # the second of the second shard

    def run():
        torch.set_num_threads(1)  # a fork has lost the threads of its parent
        cv2.setNumThreads(0)
        tool.main(arguments(setting, out))

    killed = multiprocessing.get_context('fork').Process(target=run, daemon=True)
    killed.start()
    killed.join(120)
    assert killed.exitcode == -signal.SIGKILL
    names = {path.name for path in out.iterdir()}
    assert 'shard_00000' in names and 'shard_00001' not in names
    assert len(list(out.glob(f'.shard_00001.*{TEMPORARY_SUFFIX}'))) == 1
    with pytest.raises(SampleError, match='no finished store'):
        EmbeddingStore(str(out))
    finished = (out / 'shard_00000' / 'shard.json').stat().st_mtime_ns

    monkeypatch.delenv('KILL_AT')
    paths = os.pathsep.join([str(tmp_path), str(TOOL.parents[1])])
    common = dict(PYTHONPATH=paths, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', WORLD_SIZE='2')
    common.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free_port()))
    command = [TOOL, *arguments(setting, out), '--launcher', 'pytorch']
    logs = [tmp_path / f'{rank}.log' for rank in '01']
    tasks = [
        start_script(command, log, {**os.environ, **common, 'RANK': rank, 'LOCAL_RANK': rank})
        for rank, log in zip('01', logs)
    ]
    codes = [finish(task, timeout=300) for task in tasks]
    first, second = (log.read_text() for log in logs)
    assert codes == [0, 0], first[-2000:] + second[-2000:]
    summary = f'{NUM_CLIPS} clips; audio, visual'
    assert summary in first and summary not in second  # the first process alone speaks
    assert contents(out) == whole
    assert (out / 'shard_00000' / 'shard.json').stat().st_mtime_ns == finished


def test_truncated_shards_are_refused_and_written_again(tool, setting, tmp_path):
    out = tmp_path / 'store'
    tool.main(arguments(setting, out))
    whole = contents(out)
    tear(out / 'shard_00001' / 'visual.npy')
    (out / 'shard_00002' / 'audio.npy').unlink()
    with pytest.raises(SampleError, match=r'shard_00001/visual\.npy: missing or not of \d+ bytes'):
        EmbeddingStore(str(out))
    tool.main(arguments(setting, out))
    assert contents(out) == whole
    damaged = bytearray(whole['shard_00001/audio.npy'])
    damaged[-1] ^= 1
    (out / 'shard_00001' / 'audio.npy').write_bytes(damaged)
    with pytest.raises(SampleError, match=r'audio\.npy: its checksum differs'):
        tool.main(arguments(setting, out, '--verify'))


def test_half_precision_is_a_store_of_its_own(tool, setting, tmp_path):
    full = tool.main(arguments(setting, tmp_path / 'full'))
    half = tool.main(arguments(setting, tmp_path / 'half', '--dtype', 'float16'))
    assert half.array(0, 'visual').dtype == np.float16 and half.array(0, 'visual').shape == (3, 16, 2, 2)
    for clip in ('clip_0', 'clip_6'):
        for name in ('audio', 'visual'):
            exact = full.read(clip, name)
            np.testing.assert_array_equal(half.read(clip, name), exact.astype(np.float16).astype(np.float32))
    with pytest.raises(FileExistsError, match=r'other settings \(dtype: float32 there, float16 now\)'):
        tool.main(arguments(setting, tmp_path / 'full', '--dtype', 'float16'))
    torch.manual_seed(9)
    other = MODELS.build(dict(type='CNN14', base_channels=1))
    torch.save(other.state_dict(), tmp_path / 'ear.pth')
    with pytest.raises(FileExistsError, match=r'other settings \(teachers\.audio\.weights\)'):
        tool.main(arguments(setting, tmp_path / 'full'))


def test_clips_that_cannot_be_read_are_named_or_noted(tool, setting, tmp_path):
    before = tool.main(arguments(setting, tmp_path / 'before'))
    tear(tmp_path / 'data' / 'frames' / 'clip_3.jpg')
    with pytest.raises(SampleError, match=r'clip_3\.jpg'):
        tool.main(arguments(setting, tmp_path / 'store'))
    store = tool.main(arguments(setting, tmp_path / 'store', '--on-error', 'skip'))
    assert len(store) == NUM_CLIPS - 1 and list(store.failures) == ['clip_3']
    with pytest.raises(SampleError, match=r'clip_3: could not be read'):
        store.read('clip_3', 'audio')
    for clip in ('clip_2', 'clip_4'):  # its neighbors keep their own
        np.testing.assert_allclose(store.read(clip, 'visual'), before.read(clip, 'visual'), rtol=1e-4)


def test_what_a_config_lacks_is_said(tool, setting, tmp_path):
    def run(*options):
        tool.main(arguments(setting, tmp_path / 'store', '--cfg-options', *options))

    with pytest.raises(ValueError, match=r'config\.py has no teachers: add _base_/models/avc_teachers\.py'):
        run('teachers=None')
    with pytest.raises(ValueError, match='has no teacher_pipeline'):
        run('teacher_pipeline=None')
    with pytest.raises(ValueError, match=r"\['audio'\] have no weights"):
        run('teachers.audio.checkpoint=None')
    assert not (tmp_path / 'store').exists()


def test_clips_of_a_wrapped_data_set_are_embedded_once(tool, setting, tmp_path):
    plain = tool.main(arguments(setting, tmp_path / 'plain'))
    config = Path(setting)
    wrapped = "teacher_dataset = dict(type='RepeatDataset', times=3, dataset=train_dataloader['dataset'])"
    config.write_text(f'{config.read_text()}\n{wrapped}\n')
    store = tool.main(arguments(setting, tmp_path / 'wrapped'))
    assert len(store) == len(plain) == NUM_CLIPS
    for clip in (f'clip_{number}' for number in range(NUM_CLIPS)):
        np.testing.assert_array_equal(store.read(clip, 'visual'), plain.read(clip, 'visual'))
