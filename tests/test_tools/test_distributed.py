"""Two processes on the CPU train and test like one, started by the scripts that users start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from forked_script import finish
from free_port import free_port
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from toy_training import PYTHONPATH, ROOT, read_steps, start_tool, toy_config

from mmav.utils.processes import multiprocessing_context


def run_script(name: str, *arguments) -> str:
    environment = dict(os.environ, PYTHONPATH=PYTHONPATH, PYTHON=sys.executable, PORT=str(free_port()))
    environment.update(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    command = ['bash', str(ROOT / 'tools' / name), *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, cwd=Path(arguments[0]).parent
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope='module')
def runs(tmp_path_factory) -> Path:
    """Runs of one process with batches of 4, and of two with 2 each: the same samples, without dropout."""
    folder = tmp_path_factory.mktemp('distributed')
    for name, batch_size in (('one', 4), ('two', 2)):
        train_dataloader = dict(
            batch_size=batch_size,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            dataset=dict(type='ToyDataset'),
        )
        config = toy_config(train_dataloader=train_dataloader, model=dict(type='ToyModel', dropout=0.0))
        (folder / f'{name}.py').write_text(config)
    assert finish(start_tool('train', [folder / 'one.py', '--work-dir', folder / 'one'])) == 0
    run_script('dist_train.sh', folder / 'two.py', 2, '--work-dir', folder / 'two')
    return folder


def test_two_processes_train_like_one(runs):
    one, ranks = read_steps(runs / 'one'), [read_steps(runs / 'two', rank) for rank in (0, 1)]
    assert sorted(one) == sorted(ranks[0]) == sorted(ranks[1]) == list(range(9))
    for iteration, step in one.items():
        parts = [rank[iteration] for rank in ranks]
        assert sorted(parts[0]['samples'] + parts[1]['samples']) == sorted(step['samples'])
        torch.testing.assert_close(
            sum(part['loss'] for part in parts) / 2, step['loss'], rtol=1e-5, atol=1e-6
        )
        for part in parts:  # the weights follow the averaged gradients
            torch.testing.assert_close(
                torch.tensor(part['weight']), torch.tensor(step['weight']), rtol=1e-5, atol=1e-5
            )


def test_evaluation_gathers_every_sample_once(runs):
    # 5 samples over 2 processes: the sampler repeats one, which must not be counted twice
    output = run_script(
        'dist_test.sh',
        runs / 'two.py',
        runs / 'two' / 'epoch_3.pth',
        2,
        '--work-dir',
        runs / 'test',
    )
    assert output.count('GATHERED') == 1
    assert 'GATHERED [0, 1, 2, 3, 4]' in output


def train_detector(rank: int, folder: Path, model: ConfigDict, batches: list[dict]) -> None:
    torch.set_num_threads(1)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    torch.distributed.init_process_group('gloo', f'file://{folder}/meeting', rank=rank, world_size=2)
    # as tools/train.py wraps it: a parameter without a gradient makes the next step fail
    detector = MMDistributedDataParallel(MODELS.build(model), device_ids=None, broadcast_buffers=False)
    optimizer = OptimWrapper(torch.optim.SGD(detector.parameters(), lr=0.001))
    for _ in range(2):
        losses = detector.train_step(batches[rank], optimizer)
    torch.save(dict(losses=losses, weights=detector.module.state_dict()), folder / f'{rank}.pth')
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_every_parameter_of_the_detector_has_a_gradient(toy_config, toy_batch, tmp_path):
    model = toy_config('avd/av_faster_rcnn_r18_sim.py').model
    batches = [toy_batch(num_boxes=(2, 1)), toy_batch(num_boxes=(0, 0), seed=1)]  # nothing to see for one
    method = multiprocessing_context().get_start_method()
    torch.multiprocessing.start_processes(
        train_detector, (tmp_path, model, batches), nprocs=2, start_method=method
    )
    first, second = (torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in (0, 1))
    assert all(torch.isfinite(value) for run in (first, second) for value in run['losses'].values())
    assert {'loss_gcl', 'loss_avkd', 'loss_bbox_v'} <= first['losses'].keys()
    compared = 0
    for name, value in first['weights'].items():
        if 'running_' not in name:  # each process's own
            torch.testing.assert_close(value, second['weights'][name], rtol=0, atol=0)
            compared += 1
    assert compared > 100


@pytest.mark.parametrize('tool', ['train', 'test'])
def test_slurm_scripts_pass_their_arguments_on(tmp_path, tool):
    (tmp_path / 'srun').write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    environment = dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', GPUS='4', GPUS_PER_NODE='2')
    command = ['bash', str(ROOT / 'tools' / f'slurm_{tool}.sh'), 'part', 'job', 'a config.py', 'target']
    done = subprocess.run(
        [*command, '--cfg-options', 'a=b c'], env=environment, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    assert {'--ntasks=4', '--gres=gpu:2', '--ntasks-per-node=2', '--launcher=slurm', 'a config.py'} <= set(
        words
    )
    assert words[-2:] == ['--cfg-options', 'a=b c']
    assert ('--work-dir=target' if tool == 'train' else 'target') in words
    missing = subprocess.run(command[:4], env=environment, capture_output=True, text=True)
    assert missing.returncode != 0 and 'usage' in missing.stderr
