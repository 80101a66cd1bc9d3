"""Training by epochs that can be resumed in the middle of one."""

from mmdet.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import BatchSampler


@LOOPS.register_module()
class ResumableEpochTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that goes on in the middle of an epoch when its checkpoint was saved there.

    The base class would start that epoch again and count its iterations twice.
    :class:`mmav.engine.StrictRunner` uses this loop wherever a config asks for ``EpochBasedTrainLoop``.
    """

    def run_epoch(self) -> None:
        """Iterate one epoch, or what is left of it."""
        done = self._iter - self._epoch * len(self.dataloader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        start = self._skip_batches(done)
        for batch_idx, data_batch in enumerate(self.dataloader, start):
            if batch_idx >= done:
                self.run_iter(batch_idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _skip_batches(self, count: int) -> int:
        """Let the sampler skip batches where it can tell their samples; returns how many it will skip."""
        sampler = getattr(self.dataloader.batch_sampler, 'sampler', None)
        if count and type(self.dataloader.batch_sampler) is BatchSampler and hasattr(sampler, 'skip'):
            sampler.skip(count * self.dataloader.batch_sampler.batch_size)
            return count
        return 0
