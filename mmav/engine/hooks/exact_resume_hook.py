"""A resumed run does what the uninterrupted one would have done."""

import random

import numpy as np
import torch
from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes the randomness of a training step depend on the seed, the process and the iteration alone.

    Dropout, the sampling of RoIs etc. draw from the global generators of the main process. Storing their
    states would not do: loaders, validation and the resumed run itself draw from them too. Instead they are
    seeded before each step. (The randomness of the data is treated the same way, see
    :mod:`mmav.engine.runner.counted_data`.)

    Also, checkpoints are saved before the validation that is due at the same point. When a run is resumed
    from such a checkpoint the validation is made up for, so that the best checkpoint and schedulers that
    follow a metric do not miss it. :class:`mmav.engine.StrictRunner` registers this hook by itself.
    """

    priority = 'VERY_HIGH'
    _VALIDATED_AT = 'validated_at_iter'

    def before_train(self, runner: Runner) -> None:
        """Note whether this run is resumed."""
        self._check_validation = runner.iter > 0

    def before_train_epoch(self, runner: Runner) -> None:
        """Make up for a validation that the resumed checkpoint did not see.

        Runs after all hooks' ``before_train``, which prepare the saving of the best checkpoint.
        """
        self._make_up_for_validation(runner)

    def after_train(self, runner: Runner) -> None:
        """The same for a run that was killed before its last validation: no epoch begins any more.

        Args:
            runner: The runner.
        """
        self._make_up_for_validation(runner)

    def _make_up_for_validation(self, runner: Runner) -> None:
        if not self._check_validation:
            return
        self._check_validation = False
        if validation_due(runner) and runner.message_hub.runtime_info.get(self._VALIDATED_AT) != runner.iter:
            runner.logger.info(
                'The checkpoint was saved before a validation that was due: it is made up for now.'
            )
            runner.val_loop.run()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed the generators of this process."""
        seed_generators(runner.seed, 0, get_rank(), runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Note the validation, for checkpoints saved after it."""
        runner.message_hub.update_info(self._VALIDATED_AT, runner.iter)


def validation_due(runner: Runner) -> bool:
    """Whether a training loop that stands where ``runner`` stands has just had to validate."""
    loop, position = runner.train_loop, runner.iter
    if runner.val_loop is None:
        return False
    if isinstance(loop, EpochBasedTrainLoop):
        if runner.iter != getattr(loop, 'epoch_start', runner.epoch * len(loop.dataloader)):
            return False  # in the middle of an epoch
        position = runner.epoch
    loop._decide_current_val_interval()
    last = runner.max_epochs if isinstance(loop, EpochBasedTrainLoop) else runner.max_iters
    return position >= loop.val_begin and (position % loop.val_interval == 0 or position == last)


def seed_generators(*key: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch (all devices) from non-negative integers."""
    words = np.random.SeedSequence([value % 2**32 for value in key]).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.manual_seed((int(words[2]) << 32 | int(words[3])) % 2**63)
