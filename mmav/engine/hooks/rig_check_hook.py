"""The array and camera of the data are those that the model knows."""

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmav.structures.rig_comparison import check_same_rig, rig_of_metainfo, rig_of_model
from mmav.utils.config_parts import dataset_name
from mmav.utils.joined_datasets import built_datasets

from ...structures import Rig

_REMEDY = (
    "Give the model the data's rig and train it anew, or allow it: "
    "custom_hooks=[dict(type='RigCheckHook', allow_other_rig=True)]"
)


@HOOKS.register_module()
class RigCheckHook(Hook):
    """Refuses data of another rig than that of the model or of its training.

    Three rigs are compared where they are known: that of the data set (its ``rig.json``, in the metainfo),
    that of the model's :class:`AcousticImage`, and at a test that of the data that the checkpoint was trained
    with. A checkpoint may be fine-tuned on another rig's data. :class:`mmav.engine.StrictRunner` registers
    this hook by itself.

    Args:
        allow_other_rig: Whether to go on with a warning: ``custom_hooks=[dict(type='RigCheckHook',
            allow_other_rig=True)]``. Defaults to False.

    Raises:
        ValueError: In use, with the fields that differ.
    """

    def __init__(self, allow_other_rig: bool = False) -> None:
        self.allow_other_rig = allow_other_rig
        self._trained_with: Rig | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the rig of the training."""
        self._trained_with = rig_of_metainfo(checkpoint.get('meta', {}).get('dataset_meta'))

    def before_train(self, runner: Runner) -> None:
        """Compare the training data's rig with the model's."""
        self._compare(runner, runner.train_dataloader)

    def before_val(self, runner: Runner) -> None:
        """Compare the validation data's rig with the model's."""
        self._compare(runner, runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Compare the test data's rig with the model's and with that of the training."""
        self._compare(runner, runner.test_dataloader, self._trained_with)

    def _compare(self, runner: Runner, loader: DataLoader, trained_with: Rig | None = None) -> None:
        parts = built_datasets(loader.dataset)
        known = {'model': rig_of_model(runner.model), "checkpoint's training data": trained_with}
        warn = runner.logger.warning if self.allow_other_rig else None
        first = None
        for part in parts:
            found = rig_of_metainfo(getattr(part, 'metainfo', None))
            owner = 'data' if len(parts) == 1 else f'data {dataset_name(part)}'
            if first is not None and any(known.values()):  # none knows of rigs: each sample has its own
                check_same_rig(found, first, owner, _REMEDY, warn)
            check_same_rig(found, known, owner, _REMEDY, warn)
            first = first or (None if found is None else {owner: found})
