"""Writes down what each process computes in each step, and can stop a training at a known place."""

import json
import time
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook


@HOOKS.register_module()
class LossRecorder(Hook):
    """Appends each step's losses to ``<work_dir>/losses.<rank>.jsonl``.

    Args:
        hold_at: After so many iterations wait until ``go_on`` exists. Defaults to never.
        go_on: That file.
    """

    def __init__(self, hold_at: int = -1, go_on: str = '') -> None:
        self.hold_at, self.go_on = hold_at, Path(go_on)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        losses = {name: float(value) for name, value in outputs.items() if 'loss' in name}
        frames = sorted(Path(sample.img_path).stem for sample in data_batch['data_samples'])
        with open(Path(runner.work_dir) / f'losses.{get_rank()}.jsonl', 'a') as file:
            file.write(json.dumps(dict(iter=runner.iter + 1, frames=frames, losses=losses)) + '\n')
        while runner.iter + 1 == self.hold_at and not self.go_on.exists():
            time.sleep(0.1)
