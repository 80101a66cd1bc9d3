"""A progress bar over a run of a known length."""

import sys
from collections.abc import Sequence

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from tqdm import tqdm


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show training and testing as tqdm bars on the terminal.

    The log lines of ``LoggerHook`` stay as they are; where the bar alone is wanted, raise
    ``log_level``. Nothing is shown by processes other than the main one.

    Args:
        name: Text before the bar. Defaults to none.
        show_loss: Whether the training bar shows the current total loss. Defaults to True.
        position: Line of the bar, where several processes show theirs. Defaults to 0.
    """

    priority = 'VERY_LOW'

    def __init__(self, name: str = '', show_loss: bool = True, position: int = 0) -> None:
        self.name = name
        self.show_loss = show_loss
        self.position = position
        self.bar: tqdm | None = None

    def before_train(self, runner: Runner) -> None:
        """Open the bar where a resumed run stands."""
        steps = 'it' if isinstance(runner.train_loop, IterBasedTrainLoop) else 'batch'
        self._open('train', runner.max_iters, runner.iter, steps)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Step on."""
        if self.bar is not None:
            if self.show_loss and outputs and 'loss' in outputs:
                self.bar.set_postfix(loss=f'{float(outputs["loss"]):.3f}', refresh=False)
            self.bar.update()

    def after_train(self, runner: Runner) -> None:
        """Close the bar."""
        self._close()

    def before_test_epoch(self, runner: Runner) -> None:
        """Open the bar."""
        self._open('test', len(runner.test_dataloader), 0, 'batch')

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Step on."""
        if self.bar is not None:
            self.bar.update()

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Close the bar."""
        self._close()

    def _open(self, stage: str, total: int, start: int, unit: str) -> None:
        self._close()
        if is_main_process():
            text = f'{self.name} {stage}'.strip()
            self.bar = tqdm(
                total=total, initial=start, desc=text, unit=unit, file=sys.stderr, mininterval=0.5
            )

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
