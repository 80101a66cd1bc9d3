"""A training so small that tests can run, kill and resume it many times, in processes of its own."""

import json
import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS
from mmdet.structures import DetDataSample
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

import mmav  # noqa: F401
from mmav.utils.processes import multiprocessing_context

ROOT = Path(__file__).parents[2]
PYTHONPATH = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])


@DATASETS.register_module()
class ToyDataset:
    """Vectors that are fixed by their index, and an augmentation that draws from all three generators."""

    metainfo = dict(classes=('vehicle',))

    def __init__(self, size: int = 12, augment: bool = True) -> None:
        self.size, self.augment = size, augment

    def __len__(self) -> int:
        return self.size

    def get_data_info(self, index: int) -> dict:
        return dict(width=1 + index % 2, height=1.5)  # for AspectRatioBatchSampler

    def __getitem__(self, index: int) -> dict:
        x = torch.from_numpy(np.random.RandomState(index).standard_normal(4)).float()
        if self.augment:
            x = x + 0.1 * float(np.random.rand()) + 0.1 * random.random() + 0.1 * torch.rand(4)
        return dict(inputs=x, data_samples=DetDataSample(metainfo=dict(index=int(index))))


@MODELS.register_module()
class ToyModel(BaseModel):
    """A linear map with dropout. Its loss is the mean over the batch."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(4, 4)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        x = torch.stack(inputs)
        if mode == 'predict':
            for sample, value in zip(data_samples, self.fc(x)[:, 0]):
                sample.set_metainfo(dict(value=float(value)))
            return data_samples
        return dict(loss=(self.fc(self.dropout(x)) - x.flip(1)).square().mean())


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Returns which samples it was given, and a score that rises and falls with the weights."""

    default_prefix = 'toy'

    def process(self, data_batch, data_samples) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results) -> dict:
        print('GATHERED', sorted(sample['index'] for sample in results), flush=True)
        # draws: validation must not shift the randomness of the training that follows
        return dict(score=sum(sample['value'] for sample in results) + 0 * torch.rand(1).item())


@HOOKS.register_module()
class ToyRecorder(Hook):
    """Writes what each step saw and did to ``<work_dir>/steps.<rank>.jsonl``; waits for a file, if told."""

    def __init__(self, delay: float = 0.0, wait_for: str | None = None) -> None:
        self.delay, self.wait_for = delay, wait_for

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        model = getattr(runner.model, 'module', runner.model)
        line = dict(
            iter=runner.iter,
            loss=outputs['loss'].item(),
            samples=[sample.index for sample in data_batch['data_samples']],
            weight=model.fc.weight.detach().flatten().tolist(),
            lr=runner.optim_wrapper.get_lr()['lr'],
        )
        with open(Path(runner.work_dir) / f'steps.{get_rank()}.jsonl', 'a') as file:
            file.write(json.dumps(line) + '\n')
        time.sleep(self.delay)
        deadline = time.time() + 300
        while self.wait_for is not None and not Path(self.wait_for).exists() and time.time() < deadline:
            time.sleep(0.01)


def toy_config(by_epoch: bool = True, **changes) -> str:
    """Text of a config: 3 epochs or 12 iterations of 3 samples, a checkpoint every 2 steps or each epoch."""
    settings = dict(
        custom_imports=dict(imports=['mmav', 'toy_training'], allow_failed_imports=False),
        default_scope='mmdet',
        runner_type='StrictRunner',
        model=dict(type='ToyModel'),
        train_dataloader=dict(
            batch_size=3,
            num_workers=0,
            sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True),
            dataset=dict(type='ToyDataset'),
        ),
        val_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='ToyDataset', size=5, augment=False),
        ),
        val_evaluator=dict(type='ToyMetric'),
        val_cfg=dict(),
        test_dataloader='{{_base_.val_dataloader}}',
        train_cfg=(
            dict(type='EpochBasedTrainLoop', max_epochs=3)
            if by_epoch
            else dict(type='IterBasedTrainLoop', max_iters=12, val_interval=4)
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=dict(type='MultiStepLR', milestones=[5, 9], by_epoch=False),
        default_hooks=dict(
            checkpoint=dict(
                type='AtomicCheckpointHook',
                interval=1 if by_epoch else 2,
                by_epoch=by_epoch,
                max_keep_ckpts=2,
                save_best='toy/score',
                rule='greater',
            ),
            logger=dict(type='LoggerHook', interval=1),
        ),
        custom_hooks=[dict(type='ToyRecorder')],
        randomness=dict(seed=7),
    )
    settings.update(changes)
    settings['test_dataloader'] = settings['val_dataloader']
    settings['test_evaluator'], settings['test_cfg'] = settings['val_evaluator'], dict()
    return ''.join(f'{key} = {value!r}\n' for key, value in settings.items())


def read_steps(work_dir: Path, rank: int = 0) -> dict[int, dict]:
    """Steps by iteration; of one that was made twice (killed, then resumed) the last."""
    lines = (Path(work_dir) / f'steps.{rank}.jsonl').read_text().splitlines()
    return {step['iter']: step for step in map(json.loads, lines)}


def run_tool(
    tool: str, arguments: list[str], die_at: tuple[str, int] | None = None, stderr: Path | None = None
) -> None:
    """Run a program of tools/ in this process; ``die_at`` (function of os or of the metric, n-th call): be
    killed in it.

    With 'fsync' half of the file is cut off first: what a power cut may leave. ``stderr``: file for errors.
    """
    if stderr is not None:
        sys.stderr = stderr.open('w')
    if die_at is not None:
        name, countdown = die_at
        owner = os if hasattr(os, name) else ToyMetric
        original, calls = getattr(owner, name), []

        def killing(*args, **kwargs):
            calls.append(args)
            if len(calls) == countdown:
                if name == 'fsync':
                    os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(owner, name, killing)
    sys.argv = [f'tools/{tool}.py', *map(str, arguments)]
    torch.set_num_threads(1)
    np.random.seed(None)  # forked processes share its state; seeds that are drawn must differ as in real runs
    runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'), run_name='__main__')


def start_tool(tool: str, arguments: list, die_at: tuple[str, int] | None = None, stderr: Path | None = None):
    """Start :func:`run_tool` in a process of its own, forked from one that has imported everything."""
    # the forking process does not inherit sys.path before Python 3.13, and ignores what it cannot import
    os.environ['PYTHONPATH'] = PYTHONPATH
    context = multiprocessing_context(['toy_training'])
    process = context.Process(
        target=run_tool, args=(tool, [str(value) for value in arguments], die_at, stderr)
    )
    process.start()
    return process
