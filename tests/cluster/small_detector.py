"""The small audio detector, with little to do: configs, commands, and what runs have written."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from mmav.utils.checkpoint import read_checkpoint

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Drawn RoIs and AdamW's division by small gradients would magnify rounding: all anchors and the 20 best RoIs
# are taken, as many of each image, and normalization by the statistics of a batch gives way to fixed ones.
EXACT = dict(
    model=dict(
        backbone=dict(norm_eval=True),
        train_cfg=dict(
            rpn=dict(assigner=dict(pos_iou_thr=0.5, neg_iou_thr=0.5), sampler=dict(num=100000)),
            rpn_proposal=dict(max_per_img=20),
            rcnn=dict(
                # low: untrained boxes are regressed, too
                assigner=dict(pos_iou_thr=0.1, neg_iou_thr=0.1, min_pos_iou=0.1),
                sampler=dict(num=100000, pos_fraction=1.0, add_gt_as_proposals=False),
            ),
        ),
    ),
    optim_wrapper=dict(optimizer=dict(_delete_=True, type='SGD', lr=0.02, momentum=0.9)),
)


def simulate(folder: Path) -> Path:
    """Three drives of 4 frames to train with, one each to validate and test; returns their folder."""
    tool = ROOT / 'tools/dataset_converters/simulate_mavd.py'
    options = '--preset demo --drives 3 1 1 --frames-per-drive 4 --modalities rgb --workers 2 --quiet'
    subprocess.run([sys.executable, tool, folder, *options.split()], env=environment(), check=True)
    return folder


def environment(**variables: str) -> dict[str, str]:
    """Variables for the scripts in tools/: this Python without a GPU, and where the config's hook is."""
    paths = os.pathsep.join(map(str, (ROOT, HERE)))
    return dict(
        os.environ,
        PYTHONPATH=paths,
        PYTHON=sys.executable,
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
        **variables,
    )


def write_config(
    config: Path, data: Path, batch_size: int, iterations: int = 8, changes: dict | None = None, **recorder
) -> Path:
    """A training with a checkpoint every 2 iterations; ``recorder``: arguments of its LossRecorder."""
    loader = dict(num_workers=0, persistent_workers=False, dataset=dict(data_root=f'{data}/'))
    settings = dict(
        _base_=str(ROOT / 'configs/avd/faster_rcnn_r18_sim_audio.py'),
        custom_imports=dict(imports=['mmav', 'loss_recorder'], allow_failed_imports=False),
        custom_hooks=[dict(type='LossRecorder', **recorder)],
        train_dataloader=dict(loader, batch_size=batch_size),
        val_dataloader=loader,
        test_dataloader=loader,
        val_evaluator=[dict(type='MAVDMetric', ann_file=f'{data}/annotations/val.json', metric='bbox')],
        test_evaluator=[dict(type='MAVDMetric', ann_file=f'{data}/annotations/test.json', metric='bbox')],
        train_cfg=dict(max_iters=iterations, val_interval=iterations),
        default_hooks=dict(checkpoint=dict(interval=2, max_keep_ckpts=-1), logger=dict(interval=1)),
        randomness=dict(seed=0),
        **(changes or {}),
    )
    config.write_text(''.join(f'{key} = {value!r}\n' for key, value in settings.items()))
    return config


def read_losses(work_dir: Path, rank: int = 0) -> dict[int, dict]:
    """Steps of a process by iteration; of one that was made twice (killed, then resumed) the last."""
    lines = (work_dir / f'losses.{rank}.jsonl').read_text().splitlines()
    return {step['iter']: step for step in map(json.loads, lines)}


def read_state(work_dir: Path, iteration: int) -> dict[str, torch.Tensor]:
    """Weights and optimizer's moments of a checkpoint."""
    checkpoint = read_checkpoint(str(work_dir / f'iter_{iteration}.pth'))
    moments = {
        f'{number}.{key}': value
        for number, values in checkpoint['optimizer']['state'].items()
        for key, value in values.items()
        if isinstance(value, torch.Tensor)
    }
    return {**checkpoint['state_dict'], **moments}


def await_step(work_dir: Path, iteration: int, rank: int = 0, seconds: float = 180) -> None:
    """Wait until a process has made an iteration. TimeoutError if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (work_dir / f'losses.{rank}.jsonl').exists() and iteration in read_losses(work_dir, rank):
            return
        time.sleep(0.1)
    raise TimeoutError(f'{work_dir}: process {rank} has not reached iteration {iteration} in {seconds} s')


def assert_same_end(work_dir: Path, expected: Path, iteration: int, ranks: int = 2) -> None:
    """Compare the losses of all steps, and weights and moments at the end, with an undisturbed run: equal."""
    for rank in range(ranks):
        assert read_losses(work_dir, rank) == read_losses(expected, rank)
    found, wanted = read_state(work_dir, iteration), read_state(expected, iteration)
    assert found.keys() == wanted.keys() and len(wanted) > 100
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
