"""Real training processes are killed by SIGKILL, resumed, and compared with an uninterrupted run."""

import signal
import time
from pathlib import Path

import pytest
import torch
from forked_script import finish
from mmengine.config import Config
from mmengine.runner.checkpoint import find_latest_checkpoint
from toy_training import read_steps, start_tool, toy_config

from mmav.engine.runner import StrictRunner
from mmav.utils.checkpoint import read_checkpoint
from mmav.utils.fileio import TEMPORARY_SUFFIX
from mmav.utils.locks import folder_lock


def train(config: Path, work_dir: Path, *arguments, die_at=None) -> int:
    return finish(start_tool('train', [config, '--work-dir', work_dir, *arguments], die_at))


def write_config(folder: Path, name: str = 'toy.py', **changes) -> Path:
    path = folder / name
    path.write_text(toy_config(**changes))
    return path


def checkpoints(work_dir: Path) -> list[str]:
    return sorted(path.name for path in work_dir.glob('*.pth'))


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory) -> dict:
    """Folders of whole runs, by loop."""
    folders = {}
    for by_epoch in (True, False):
        folder = tmp_path_factory.mktemp('uninterrupted')
        assert train(write_config(folder, by_epoch=by_epoch), folder / 'run') == 0
        assert sorted(read_steps(folder / 'run')) == list(range(12))
        folders[by_epoch] = folder / 'run'
    return folders


def assert_same_run(work_dir: Path, expected: Path) -> None:
    """The same samples, losses, weights and learning rates, bit for bit; the same checkpoints are kept."""
    steps, expected_steps = read_steps(work_dir), read_steps(expected)
    assert sorted(steps) == sorted(expected_steps)
    for iteration, step in steps.items():
        assert step == expected_steps[iteration], f'iteration {iteration}'
    assert checkpoints(work_dir) == checkpoints(expected)


# A save calls fsync twice for the checkpoint (file, folder) and twice for last_checkpoint. The moments are:
# in the first checkpoint, in a later one, in the first last_checkpoint, before a rename, before a removal.
MOMENTS = [('fsync', 1), ('fsync', 5), ('fsync', 3), ('replace', 4), ('remove', 1)]


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize('die_at', MOMENTS, ids=lambda moment: ''.join(map(str, moment)))
def test_killed_while_saving(tmp_path, uninterrupted, by_epoch, die_at):
    config, work_dir = write_config(tmp_path, by_epoch=by_epoch), tmp_path / 'run'
    assert train(config, work_dir, die_at=die_at) == -signal.SIGKILL
    latest = find_latest_checkpoint(str(work_dir))
    if latest is not None:
        assert read_checkpoint(latest)['meta']['iter'] > 0
    for name in checkpoints(work_dir):  # whatever has a checkpoint's name is a whole one
        read_checkpoint(str(work_dir / name))

    assert train(config, work_dir, '--resume') == 0
    assert_same_run(work_dir, uninterrupted[by_epoch])
    assert not list(work_dir.glob(f'.*{TEMPORARY_SUFFIX}'))


@pytest.mark.parametrize('by_epoch', [True, False])
def test_killed_from_outside_and_resumed_with_other_workers(tmp_path, uninterrupted, by_epoch):
    slow = write_config(
        tmp_path,
        'slow.py',
        by_epoch=by_epoch,
        custom_hooks=[dict(type='ToyRecorder', delay=0.1)],
    )
    work_dir = tmp_path / 'run'
    process = start_tool(
        'train', [slow, '--work-dir', work_dir, '--cfg-options', 'train_dataloader.num_workers=2']
    )
    steps = work_dir / 'steps.0.jsonl'
    deadline = time.time() + 60
    while not (steps.exists() and len(steps.read_text().splitlines()) >= 7):
        assert process.is_alive() and time.time() < deadline
        time.sleep(0.01)
    process.kill()
    assert finish(process) == -signal.SIGKILL

    config = write_config(tmp_path, by_epoch=by_epoch)
    options = ['train_dataloader.num_workers=1']
    assert train(config, work_dir, '--resume', '--cfg-options', *options) == 0
    assert_same_run(work_dir, uninterrupted[by_epoch])


def test_two_trainings_in_one_folder(tmp_path, uninterrupted):
    go_on, work_dir = tmp_path / 'go_on', tmp_path / 'run'
    hooks = [dict(type='ToyRecorder', wait_for=str(go_on))]
    config = write_config(tmp_path, custom_hooks=hooks)
    errors = [tmp_path / 'errors_0', tmp_path / 'errors_1']
    pair = [start_tool('train', [config, '--work-dir', work_dir], stderr=file) for file in errors]
    deadline = time.time() + 300
    while all(process.is_alive() for process in pair) and time.time() < deadline:
        time.sleep(0.01)
    refused = 0 if not pair[0].is_alive() else 1
    assert finish(pair[refused]) == 2
    holder = pair[1 - refused]
    message = errors[refused].read_text()
    assert message.startswith(f'train: {work_dir} is in use by process {holder.pid} on ')
    assert message.count('\n') == 1
    go_on.touch()
    assert finish(holder) == 0
    assert_same_run(work_dir, uninterrupted[True])
    assert len(list(work_dir.rglob('*.log'))) == 1 and not list(work_dir.glob('.*'))


def test_the_folder_of_the_checkpoints_is_held_too(tmp_path):
    hook = dict(type='AtomicCheckpointHook', interval=3, out_dir=str(tmp_path / 'kept'))
    config = write_config(tmp_path, default_hooks=dict(checkpoint=hook))
    with folder_lock(tmp_path / 'kept' / 'run', 'test'):
        assert train(config, tmp_path / 'run') == 2
    assert train(config, tmp_path / 'run') == 0
    assert (tmp_path / 'kept' / 'run' / 'epoch_3.pth').is_file()


@pytest.mark.parametrize('batch_sampler', [None, dict(type='AspectRatioBatchSampler')])
def test_resume_in_the_middle_of_an_epoch(tmp_path, batch_sampler):
    changes = dict(
        by_epoch=True,
        default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=3, by_epoch=False)),
    )
    if batch_sampler is not None:
        changes['train_dataloader'] = dict(
            batch_size=3,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=batch_sampler,
            dataset=dict(type='ToyDataset'),
        )
    config = write_config(tmp_path, **changes)
    assert train(config, tmp_path / 'whole') == 0
    # the second checkpoint, after 6 of 12 iterations, is the middle of the second epoch
    assert train(config, tmp_path / 'run', die_at=('replace', 5)) == -signal.SIGKILL
    assert find_latest_checkpoint(str(tmp_path / 'run')).endswith('iter_6.pth')
    assert train(config, tmp_path / 'run', '--resume') == 0
    assert_same_run(tmp_path / 'run', tmp_path / 'whole')


def test_resume_keeps_the_seed_that_was_drawn(tmp_path):
    # Runner draws a new seed, builds the loader with it, and only then reads the old one from the checkpoint
    config = write_config(tmp_path, randomness=dict(seed=None))
    work_dir = tmp_path / 'run'
    assert train(config, work_dir, die_at=('replace', 4)) == -signal.SIGKILL
    drawn = read_checkpoint(find_latest_checkpoint(str(work_dir)))['meta']['seed']
    assert train(config, work_dir, '--resume') == 0

    again = write_config(tmp_path, 'again.py', randomness=dict(seed=drawn))
    assert train(again, tmp_path / 'whole') == 0
    assert_same_run(work_dir, tmp_path / 'whole')


def test_scheduler_that_follows_the_validation(tmp_path):
    # killed between the checkpoint and the end of the validation that lowers the rate: it is made up for
    changes = dict(
        by_epoch=True,
        param_scheduler=dict(type='ReduceOnPlateauLR', monitor='toy/score', rule='greater', patience=0),
        default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1)),
    )
    config = write_config(tmp_path, **changes)
    assert train(config, tmp_path / 'whole') == 0
    rates = {step['lr'][0] for step in read_steps(tmp_path / 'whole').values()}
    assert len(rates) > 1, 'the test shows nothing unless the rate falls'
    assert train(config, tmp_path / 'run', die_at=('replace', 5)) == -signal.SIGKILL
    assert train(config, tmp_path / 'run', '--resume') == 0
    assert_same_run(tmp_path / 'run', tmp_path / 'whole')


def test_resumed_in_another_folder_leaves_the_first_runs_files(tmp_path):
    config, first, second = write_config(tmp_path), tmp_path / 'first', tmp_path / 'second'
    longer = write_config(tmp_path, 'longer.py', train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=6))
    assert train(config, first) == 0
    before = sorted(first.rglob('*'))
    # toy/score rises with the epochs: the second run finds a better one, and would let the first run's go
    assert train(longer, second, '--resume', first / 'epoch_3.pth') == 0
    assert sorted(first.rglob('*')) == before
    kept = [name for name in checkpoints(second) if not name.startswith('best')]
    assert kept == ['epoch_5.pth', 'epoch_6.pth']


def test_resuming_removes_nothing_that_a_checkpoint_names(tmp_path):
    """Only what the hook's own pattern matches in this run's folder is ever removed."""
    work_dir, other = tmp_path / 'run', tmp_path / 'other'
    assert train(write_config(tmp_path), work_dir) == 0
    other.mkdir()
    (work_dir / 'notes').mkdir()
    victims = [
        other / 'epoch_1.pth',
        other / 'notes.txt',
        work_dir / 'notes/a.txt',
        work_dir / 'my_epoch_1.pth',
    ]
    victims += [tmp_path / 'epoch_7.pth', work_dir / 'epoch_final.pth', work_dir / 'best_epoch.pth']
    for victim in victims:
        victim.write_text('precious')
    stale = work_dir / 'epoch_1.pth'
    stale.write_text('expired when its writer was killed')
    path = work_dir / 'epoch_3.pth'
    checkpoint = read_checkpoint(str(path))
    info = checkpoint['message_hub']['runtime_info']
    names = [*victims, other, work_dir / 'notes', tmp_path, work_dir / '..' / 'epoch_7.pth', stale]
    info['expired_ckpts'] = [*map(str, names), None, 3]
    info['keep_ckpt_ids'] = ['/../../epoch_7', 'final', None, 2, 3]
    info['best_ckpt'], info['best_score'] = str(other / 'epoch_1.pth'), -1e9
    torch.save(checkpoint, path)
    longer = write_config(tmp_path, 'longer.py', train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=5))
    assert train(longer, work_dir, '--resume', path) == 0
    assert [victim.read_text() for victim in victims] == ['precious'] * len(victims)
    assert not stale.exists()
    assert [name for name in checkpoints(work_dir) if name.startswith('epoch_') and name[6].isdigit()] == [
        'epoch_4.pth',
        'epoch_5.pth',
    ]


@pytest.mark.parametrize(('batch_size', 'iterations'), [(4, 12), (12, 4), (3, 16)])
def test_resumed_with_another_batch_size_sees_every_epoch(tmp_path, batch_size, iterations):
    short = write_config(tmp_path, train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2))
    assert train(short, tmp_path / 'run') == 0
    (tmp_path / 'run/steps.0.jsonl').unlink()
    longer = write_config(tmp_path, 'longer.py', train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=6))
    options = ['--cfg-options', f'train_dataloader.batch_size={batch_size}']
    assert train(longer, tmp_path / 'run', '--resume', *options) == 0
    steps = read_steps(tmp_path / 'run')
    assert sorted(steps) == list(range(8, 8 + iterations))
    samples = [index for step in steps.values() for index in step['samples']]
    assert sorted(samples) == sorted([*range(12)] * 4)  # each of 12 samples in each of 4 epochs


@pytest.mark.parametrize('by_epoch', [True, False])
@pytest.mark.parametrize(
    ('option', 'text'),
    [
        ({'train_dataloader.batch_size': 2}, 'samples_per_iteration was 3 and is 2'),
        ({'train_dataloader.dataset.size': 9}, 'dataset_size was 12 and is 9'),
    ],
)
def test_other_data_in_the_middle_is_an_error(tmp_path, by_epoch, option, text):
    hooks = dict(checkpoint=dict(type='AtomicCheckpointHook', interval=3, by_epoch=False))
    config = write_config(tmp_path, by_epoch=by_epoch, default_hooks=hooks)
    assert train(config, tmp_path / 'run', die_at=('replace', 5)) == -signal.SIGKILL  # after iteration 6
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(dict(option, work_dir=str(tmp_path / 'run'), resume=True))
    with pytest.raises(ValueError, match=rf'iter_6\.pth .* iteration 6, .* {text}'):
        StrictRunner.from_cfg(cfg).train()


@pytest.mark.parametrize('by_epoch', [True, False])
def test_accumulated_gradients_survive(tmp_path, by_epoch):
    # a step of the optimizer every 3 iterations, a checkpoint every 2 or 4
    optimizer = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9), accumulative_counts=3)
    config = write_config(tmp_path, by_epoch=by_epoch, optim_wrapper=optimizer)
    assert train(config, tmp_path / 'whole') == 0
    assert train(config, tmp_path / 'run', die_at=('replace', 4)) == -signal.SIGKILL
    checkpoint = read_checkpoint(find_latest_checkpoint(str(tmp_path / 'run')))
    assert checkpoint['meta']['iter'] % 3, 'the test shows nothing at a step of the optimizer'
    assert train(config, tmp_path / 'run', '--resume') == 0
    assert_same_run(tmp_path / 'run', tmp_path / 'whole')


def test_killed_before_the_last_validation(tmp_path):
    best = dict(type='AtomicCheckpointHook', interval=1, save_best='toy/score', rule='less')
    two = dict(type='EpochBasedTrainLoop', max_epochs=2)
    config = write_config(tmp_path, default_hooks=dict(checkpoint=best), train_cfg=two)  # the score falls
    assert train(config, tmp_path / 'whole') == 0
    # the last checkpoint is written, and the run is killed in the validation that follows
    assert train(config, tmp_path / 'run', die_at=('compute_metrics', 2)) == -signal.SIGKILL
    assert find_latest_checkpoint(str(tmp_path / 'run')).endswith('epoch_2.pth')
    assert checkpoints(tmp_path / 'run') != checkpoints(tmp_path / 'whole')
    assert train(config, tmp_path / 'run', '--resume') == 0
    assert_same_run(tmp_path / 'run', tmp_path / 'whole')
