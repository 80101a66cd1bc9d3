"""Files hold the model's representations; stopped runs go on; other models, truncated files are refused."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/avvp/avg_multi_sim.py'
SMALL = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)
OPTIONS = [f'model.{name}={value}' for name, value in SMALL.items()]
CLIPS = ('clip_a', 'clip_b', 'clip_c')


@pytest.fixture
def write():
    """Run the tool's command with these arguments, and the small network."""
    file = ROOT / 'tools' / 'write_avg_representations.py'
    spec = importlib.util.spec_from_file_location('write_avg_representations', file)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*args: object) -> None:
        tool.main([*map(str, args), '--device', 'cpu', '--cfg-options', *OPTIONS])

    return run


def build(seed):
    cfg = Config.fromfile(CONFIG)
    cfg.model.update(SMALL)
    init_default_scope('mmdet')
    torch.manual_seed(seed)
    return MODELS.build(cfg.model).eval()


@pytest.fixture
def model(tmp_path):
    model = build(0)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    return model


@pytest.fixture
def features(tmp_path):
    """Clips in LLP's layout; the last is shorter."""
    rng = np.random.default_rng(0)
    for name, seconds in zip(CLIPS, (10, 10, 7)):
        for folder, shape in (('vggish', (seconds, 128)), ('res152', (8 * seconds, 2048))):
            file = tmp_path / 'feats' / folder / f'{name}.npy'
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, rng.standard_normal(shape).astype('float32'))
    return tmp_path / 'feats'


def read(out):
    return {
        path.relative_to(out).as_posix(): np.load(path, allow_pickle=False) for path in out.glob('*/*.npy')
    }


def test_files_hold_what_the_model_makes_of_each_clip(write, model, features, tmp_path, capsys):
    out = tmp_path / 'out'
    write(CONFIG, tmp_path / 'model.pth', features, out, '--batch-size', 2)
    written = read(out)
    assert set(written) == {f'{stream}/{name}.npy' for stream in ('audio', 'visual') for name in CLIPS}
    for name in CLIPS:
        inputs = dict(
            audio=torch.from_numpy(np.load(features / 'vggish' / f'{name}.npy'))[None],
            visual=torch.from_numpy(np.load(features / 'res152' / f'{name}.npy'))[None],
        )
        with torch.no_grad():
            embeds = model(inputs, mode='tensor')
        for stream in ('audio', 'visual'):
            array = written[f'{stream}/{name}.npy']
            assert array.dtype == np.float32
            np.testing.assert_allclose(array, embeds[f'{stream}_embeds'][0], rtol=1e-4, atol=1e-5)
    assert '3 clips, 3 of them now' in capsys.readouterr().out


def test_a_stopped_run_carries_on_and_another_model_may_not(write, model, features, tmp_path, capsys):
    out = tmp_path / 'out'
    write(CONFIG, tmp_path / 'model.pth', features, out)
    whole, kept = read(out), out / 'audio' / 'clip_a.npy'
    times = {path: path.stat().st_mtime_ns for path in out.glob('*/clip_[ac].npy')}
    # killed between the two files of a clip, with a file half written
    (out / 'visual' / 'clip_b.npy').unlink()
    (out / 'visual' / f'.clip_b.npy.{os.getpid()}.mmav-tmp').write_bytes(b'half')
    write(CONFIG, tmp_path / 'model.pth', features, out)
    assert '3 clips, 1 of them now' in capsys.readouterr().out
    again = read(out)
    assert set(again) == set(whole)
    for name, array in whole.items():
        np.testing.assert_allclose(again[name], array, rtol=1e-4, atol=1e-5)
    assert kept in times and all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert not list(out.glob('*/.*'))

    torch.save(dict(state_dict=build(1).state_dict()), tmp_path / 'other.pth')
    with pytest.raises(FileExistsError, match=r'features made with other parameters \(weights'):
        write(CONFIG, tmp_path / 'other.pth', features, out)


def test_missing_files_are_all_named_or_left_out(write, model, features, tmp_path, capsys):
    (features / 'vggish' / 'clip_a.npy').unlink()
    (features / 'res152' / 'clip_c.npy').unlink()
    with pytest.raises(SystemExit, match=r'(?s)2 files are missing.*vggish/clip_a\.npy.*res152/clip_c\.npy'):
        write(CONFIG, tmp_path / 'model.pth', features, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    write(CONFIG, tmp_path / 'model.pth', features, tmp_path / 'out', '--skip-missing')
    assert '2 clips are left out' in capsys.readouterr().out
    assert set(read(tmp_path / 'out')) == {'audio/clip_b.npy', 'visual/clip_b.npy'}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'truncated', r'clip_b\.npy: no array can be read'),
        (np.zeros(3), r'clip_b\.npy holds float64 \(3,\)'),
        (np.array([[{}]]), r'clip_b\.npy: must hold numbers'),
        (np.full((10, 128), np.nan), 'NaN or infinite values in video clip_b'),
    ],
)
def test_files_that_are_no_features_are_named(write, model, features, tmp_path, content, message):
    file = features / 'vggish' / 'clip_b.npy'
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.save(file, content, allow_pickle=True)
    with pytest.raises((SystemExit, ValueError), match=message):
        write(CONFIG, tmp_path / 'model.pth', features, tmp_path / 'out')


def test_checkpoints_and_configs_of_other_models_are_refused(write, model, features, tmp_path):
    part = dict(list(model.state_dict().items())[:3])
    torch.save(part, tmp_path / 'part.pth')
    with pytest.raises(RuntimeError, match=r'(?s)part\.pth does not fit AVGPretrainer.*missing'):
        write(CONFIG, tmp_path / 'part.pth', features, tmp_path / 'out')
    parser = tmp_path / 'parser.py'
    parser.write_text("model = dict(type='HybridAttentionParser')")
    with pytest.raises(SystemExit, match='the model is a HybridAttentionParser, not an AVGPretrainer'):
        write(parser, tmp_path / 'model.pth', features, tmp_path / 'out')
