"""Training by epochs that can be resumed in the middle of one, and where in its data a training stands."""

from typing import Any

from mmdet.registry import LOOPS
from mmengine.dist import get_world_size
from mmengine.runner import BaseLoop, EpochBasedTrainLoop
from torch.utils.data import BatchSampler


@LOOPS.register_module()
class ResumableEpochTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that goes on in the middle of an epoch when its checkpoint was saved there.

    The base class would start that epoch again and count its iterations twice.
    :class:`mmav.engine.StrictRunner` uses this loop wherever a config asks for ``EpochBasedTrainLoop``.
    """

    epoch_start = 0
    """Iteration at which the epoch under way began."""

    def run_epoch(self) -> None:
        """Iterate one epoch, or what is left of it."""
        done = self._iter - self.epoch_start
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        start = self._skip_batches(done)
        for batch_idx, data_batch in enumerate(self.dataloader, start):
            if batch_idx >= done:
                self.run_iter(batch_idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self.epoch_start = self._iter

    def _skip_batches(self, count: int) -> int:
        """Let the sampler skip batches where it can tell their samples; returns how many it will skip."""
        sampler: Any = getattr(self.dataloader.batch_sampler, 'sampler', None)
        if count and type(self.dataloader.batch_sampler) is BatchSampler and hasattr(sampler, 'skip'):
            sampler.skip(count * self.dataloader.batch_sampler.batch_size)
            return count
        return 0


_HOW_TO_RESUME = (
    'resume with the batch size, number of processes and dataset that it was trained with, or start a new '
    'run from it with load_from'
)


def data_position(loop: BaseLoop) -> dict[str, int]:
    """Where in its data a training stands, for a checkpoint.

    Args:
        loop: The training loop.

    Returns:
        ``epoch`` under way; ``epoch_start``, the iteration at which it began; ``samples_per_iteration`` of
        all processes; ``dataset_size``.
    """
    batch = getattr(loop.dataloader.batch_sampler, 'batch_size', None) or loop.dataloader.batch_size or 0
    return dict(
        epoch=loop._epoch,
        epoch_start=getattr(loop, 'epoch_start', 0),
        samples_per_iteration=batch * get_world_size(),
        dataset_size=len(loop.dataloader.dataset),
    )


def resume_position(loop: BaseLoop, meta: dict[str, Any], source: str) -> None:
    """Let a loop go on where a checkpoint's training stood in its data.

    Between two epochs another batch size, number of processes or dataset changes nothing that was done. In
    the middle of an epoch, or of a training by iterations, samples would be skipped or repeated: an error.

    Args:
        loop: The training loop, whose epoch and iteration are the checkpoint's already.
        meta: The checkpoint's ``meta``, with the ``data_position`` of its training.
        source: What error messages call the checkpoint.

    Raises:
        ValueError: Samples would be skipped or repeated; the message names both trainings.
    """
    now, then = data_position(loop), meta.get('data_position')
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    length = len(loop.dataloader)
    if then is None:  # not written by StrictRunner: only the end of an epoch of this length can be told
        if by_epoch and loop._iter != loop._epoch * length:
            raise ValueError(
                f'{source} was saved at iteration {loop._iter} of epoch {loop._epoch}, does not say where in '
                f'its data, and an epoch has {length} iterations now: {_HOW_TO_RESUME}'
            )
        epoch_start = loop._iter
    else:
        # a checkpoint at the end of an epoch counts that epoch already
        epoch_start = loop._iter if meta['epoch'] != then['epoch'] else then['epoch_start']
        changed = [key for key in ('samples_per_iteration', 'dataset_size') if now[key] != then[key]]
        if changed and not (by_epoch and epoch_start == loop._iter):
            texts = [f'{key} was {then[key]} and is {now[key]}' for key in changed]
            raise ValueError(
                f'{source} was saved at iteration {loop._iter}, in the middle of its data, but '
                f'{" and ".join(texts)}: samples would be skipped or repeated; {_HOW_TO_RESUME}'
            )
    if isinstance(loop, ResumableEpochTrainLoop):
        loop.epoch_start = epoch_start
        loop._max_iters = epoch_start + (loop._max_epochs - loop._epoch) * length
