import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_training  # noqa: F401  (registers the toy parts)
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.registry import RUNNERS
from mmengine.runner import save_checkpoint
from toy_training import toy_config

from mmav.engine import StrictRunner
from mmav.utils.checkpoint import read_checkpoint
from mmav.utils.config_text import parse_config_text

pytestmark = pytest.mark.stack


def build(folder: Path, **changes) -> StrictRunner:
    cfg = Config.fromstring(toy_config(**changes), '.py')
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{folder.name}_{len(list(folder.iterdir())) if folder.exists() else 0}'
    runner = RUNNERS.build(cfg)
    assert type(runner) is StrictRunner
    return runner


def toy_loaders(by_epoch: bool) -> dict:
    """Loaders of the toy config with two processes, which persist."""
    cfg = Config.fromstring(toy_config(by_epoch), '.py')
    processes = dict(num_workers=2, persistent_workers=True)
    return {name: dict(cfg[name].to_dict(), **processes) for name in ('train_dataloader', 'val_dataloader')}


def weights() -> dict:
    return {'fc.weight': torch.full((4, 4), 2.0), 'fc.bias': torch.zeros(4)}


def save(folder: Path, content) -> str:
    path = str(folder / 'checkpoint.pth')
    torch.save(content, path)
    return path


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_loads_what_fits(tmp_path, prefix):
    path = save(tmp_path, dict(state_dict={prefix + name: value for name, value in weights().items()}))
    runner = build(tmp_path / 'run')
    runner.load_checkpoint(path)
    assert runner.model.fc.weight.eq(2).all()


@pytest.mark.parametrize(
    'change, named',
    [
        (lambda state: state.pop('fc.bias'), 'fc.bias'),
        (lambda state: state.update(extra=torch.zeros(1)), 'extra'),
        (lambda state: state.update({'fc.bias': torch.zeros(5)}), 'fc.bias'),
    ],
    ids=['missing', 'unexpected', 'shape'],
)
def test_lists_what_does_not_fit_and_changes_nothing(tmp_path, change, named):
    state = weights()
    change(state)
    runner = build(tmp_path / 'run')
    before = runner.model.fc.weight.clone()
    with pytest.raises(RuntimeError, match=named.replace('.', r'\.')):
        runner.load_checkpoint(save(tmp_path, dict(state_dict=state)))
    assert runner.model.fc.weight.equal(before)


def test_config_allows_names(tmp_path):
    state = dict(weights(), **{'head.weight': torch.zeros(1)})
    del state['fc.bias']
    path = save(tmp_path, dict(state_dict=state))
    runner = build(tmp_path / 'run', load_cfg=dict(allow_missing=['fc.bias'], allow_unexpected=['head.']))
    runner.load_checkpoint(path)
    assert runner.model.fc.weight.eq(2).all()


def test_named_parameters_of_another_shape_begin_anew(tmp_path):
    state = dict(weights(), **{'fc.bias': torch.ones(5)})
    path = save(tmp_path, dict(state_dict=state))
    runner = build(tmp_path / 'run', load_from=path)
    with pytest.raises(RuntimeError, match=r'fc\.bias \(5,\) for \(4,\)\n.*allow_other_shape='):
        runner.train()
    for number, pattern in enumerate(('fc.b', '*.bias')):
        options = dict(load_from=path, load_cfg=dict(allow_other_shape=[pattern]))
        runner = build(tmp_path / f'named{number}', **options)
        runner._train_loop = runner.build_train_loop(runner._train_loop)
        before = runner.model.fc.bias.clone()
        runner.load_or_resume()
        assert runner.model.fc.weight.eq(2).all() and runner.model.fc.bias.equal(before)
        log = next((tmp_path / f'named{number}').rglob('*.log')).read_text()
        assert f'Not loaded from {path}, for they are of another shape: fc.bias (5,) for (4,)' in log
        with pytest.raises(RuntimeError, match=r'fc\.bias'):  # a test of what was never trained
            build(tmp_path / f'test{number}', **options).load_or_resume()
    runner = build(tmp_path / 'wrong', load_from=path, load_cfg=dict(allow_shape=['fc.']))
    with pytest.raises(ValueError, match=r"load_cfg has no option \['allow_shape'\]"):
        runner.load_or_resume()


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_no_code_of_a_checkpoint_is_run(tmp_path):
    trap = tmp_path / 'trap'
    path = save(tmp_path, dict(state_dict=weights(), message_hub=Malicious(trap)))
    with pytest.raises(ValueError, match=r'checkpoint\.pth'):
        build(tmp_path / 'run').load_checkpoint(path)
    assert not trap.exists()
    torch.load(path, weights_only=False)  # the trap itself works
    assert trap.exists()


class Attribute:
    """Pickles as getattr(owner, name), as log histories' statistics do."""

    def __init__(self, owner: object, name: str) -> None:
        self.owner, self.name = owner, name

    def __reduce__(self) -> tuple:
        return getattr, (self.owner, self.name)


@pytest.mark.parametrize(
    'attribute', [(HistoryBuffer, '__init__'), (np.ndarray, 'tofile')], ids=['init', 'tofile']
)
def test_attributes_beyond_the_statistics_are_not_found(tmp_path, attribute):
    path = save(tmp_path, dict(meta=Attribute(*attribute)))
    with pytest.raises(ValueError, match='not admitted'):
        read_checkpoint(path)


def test_log_histories_and_numpy_scalars_survive(tmp_path):
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    content = dict(history=history, score=np.float64(0.5), counts=np.arange(3), flag=np.bool_(True))
    loaded = read_checkpoint(save(tmp_path, content))
    assert loaded['history'].statistics('mean') == 2.0
    assert loaded['score'] == 0.5 and loaded['flag'] and loaded['counts'].tolist() == [0, 1, 2]


@pytest.mark.parametrize('damage', ['truncated', 'empty', 'pickle'])
def test_damaged_files_are_named(tmp_path, damage):
    path = Path(save(tmp_path, weights()))
    data = {'truncated': path.read_bytes()[:-200], 'empty': b'', 'pickle': pickle.dumps([1])}[damage]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'checkpoint\.pth'):
        read_checkpoint(str(path))


def test_weights_alone_cannot_be_resumed(tmp_path):
    path = save(tmp_path, dict(state_dict=weights(), meta=dict(epoch=1, iter=4, seed=7)))
    runner = build(tmp_path / 'run', resume=True, load_from=path)
    with pytest.raises(ValueError, match='message_hub'):
        runner.train()


def test_no_config_of_a_checkpoint_is_run(tmp_path):
    trap = tmp_path / 'trap'
    program = f'open({str(trap)!r}, "w").close()'
    meta = dict(epoch=1, iter=4, seed=7, config=program)
    state = dict(message_hub=dict(), optimizer=dict(), param_schedulers=[])
    path = save(tmp_path, dict(state_dict=weights(), meta=meta, **state))
    with pytest.raises(ValueError, match=r"checkpoint\.pth .*'config'"):
        build(tmp_path / 'run', resume=True, load_from=path).train()
    assert not trap.exists()
    Config.fromstring(program, '.py')  # the trap itself works
    assert trap.exists()


def test_validation_without_training_saves_nothing(tmp_path):
    # CheckpointHook(save_best=...) alone fails here: it has no file backend before training
    runner = build(tmp_path / 'run')
    assert 'toy/score' in runner.val()
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_stock_checkpoints_are_read(tmp_path):
    path = str(tmp_path / 'stock.pth')
    save_checkpoint(dict(state_dict=weights(), meta=dict()), path)
    runner = build(tmp_path / 'run')
    runner.load_checkpoint(path)
    assert torch.equal(runner.model.fc.weight, weights()['fc.weight'])


@pytest.mark.parametrize('by_epoch', [True, False])
def test_loading_processes_end_with_the_run(tmp_path, by_epoch):
    """The garbage collector, left to itself, kills them after 5 seconds each."""
    loaders = toy_loaders(by_epoch)
    runner = build(tmp_path, by_epoch=by_epoch, **loaders)
    workers = []

    class Note(Hook):
        def after_train_iter(self, runner, *args, **kwargs):
            self.collect(runner.train_loop)

        def after_val_iter(self, runner, *args, **kwargs):
            self.collect(runner.val_loop)

        def after_test_iter(self, runner, *args, **kwargs):
            self.collect(runner.test_loop)

        def collect(self, loop):
            iterator = loop.dataloader._iterator or loop.dataloader_iterator._iterator
            workers.extend(worker for worker in iterator._workers if worker not in workers)

    runner.register_hook(Note())
    runner.train()
    assert len(workers) >= 4 and all(worker.exitcode == 0 for worker in workers)
    runner.test()
    assert len(workers) >= 6 and all(worker.exitcode == 0 for worker in workers)


def test_loading_processes_end_with_a_failure(tmp_path):
    runner = build(tmp_path, **toy_loaders(True))
    workers = []

    class Fail(Hook):
        def after_train_iter(self, runner, *args, **kwargs):
            workers.extend(runner.train_loop.dataloader._iterator._workers)
            raise RuntimeError('no space left')

    runner.register_hook(Fail())
    with pytest.raises(RuntimeError, match='no space left'):
        runner.train()
    assert workers and not any(worker.is_alive() for worker in workers)


def test_the_log_holds_the_operators_and_the_config_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', None)  # seconds for a detector
    runner = build(tmp_path)
    runner.train()
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert log.count('mmcv operators: ') == 1
    dumped = Config.fromfile(next(tmp_path.glob('*.py')))
    text = read_checkpoint(str(tmp_path / 'epoch_3.pth'))['meta']['cfg']
    kept = parse_config_text(text, trusted_packages=['toy_training'])
    assert dumped.model == kept.model == runner.cfg.model and dumped.train_cfg == runner.cfg.train_cfg


def test_moments_of_another_shape_are_refused_before_the_first_step(tmp_path):
    """Torch takes them without a word."""
    build(tmp_path / 'run').train()
    path = max((tmp_path / 'run').glob('*.pth'))
    whole = read_checkpoint(str(path))
    moments = whole['optimizer']['state']
    key = next(number for number, state in moments.items() if state['momentum_buffer'].dim() == 2)
    moments[key]['momentum_buffer'] = torch.zeros(5, 4)
    save_checkpoint(whole, str(path))
    with pytest.raises(
        ValueError, match=rf'{path.name} cannot .*: momentum_buffer of fc\.weight has shape \(5, 4\)'
    ):
        build(tmp_path / 'other', load_from=str(path), resume=True).train()
    whole['optimizer']['param_groups'][0]['params'].pop()
    save_checkpoint(whole, str(path))
    with pytest.raises(
        ValueError, match=rf'{path.name} cannot be resumed: its optimizer has groups of \[1\]'
    ):
        build(tmp_path / 'other', load_from=str(path), resume=True).train()
