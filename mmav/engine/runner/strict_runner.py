"""The runner of mmav's configs."""

import os.path as osp
import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import reduce
from typing import Any

from mmdet.registry import LOOPS
from mmdet.utils import ConfigType
from mmengine.config import Config
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import RUNNERS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner, find_latest_checkpoint
from torch import nn
from torch.utils.data import DataLoader

from ...compat import describe_operators
from ...utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from ...utils.config_parts import class_of
from ...utils.config_text import plain_config, without_layout
from ...utils.joined_datasets import join_metainfo
from ...utils.locks import folder_lock
from ..hooks import AtomicCheckpointHook, ExactResumeHook, RigCheckHook
from .counted_data import count_samples
from .gradients import accumulated_gradients, restore_gradients
from .loops import ResumableEpochTrainLoop, data_position, resume_position
from .optimizer_state import check_optimizer_state


@RUNNERS.register_module()
class StrictRunner(Runner):
    """``Runner`` that loads checkpoints safely and whole, and resumes exactly:
    ``runner_type='StrictRunner'``.

    - Checkpoints are read by ``torch.load(weights_only=True)``; nothing ever falls back to unpickling.
    - Parameters that the model has and the checkpoint lacks, or the other way round, are an error that lists
      them, but for those that the config allows: ``load_cfg=dict(allow_missing=[...],
      allow_unexpected=[...])``, starts of parameters' names (e.g. ``'visual_streams.'``), in which ``*``
      stands for anything. ``allow_other_shape`` of it names those that a training which starts from
      ``load_from`` may leave out, with a line in the log, because their shapes differ: the last layers, for
      another number of classes.
    - A resumed run sees the data, augmentation, dropout and losses of the uninterrupted one, whatever the
      number of the loader's workers; see :class:`mmav.engine.ExactResumeHook`,
      :mod:`mmav.engine.runner.counted_data` and :class:`mmav.engine.runner.ResumableEpochTrainLoop`.
    - A work folder belongs to one training at a time (:mod:`mmav.utils.locks`).
    - The config is written and logged as it is, without laying it out as code, which takes seconds a start.

    Arguments are those of ``Runner``.
    """

    # of the base class
    _train_dataloader: DataLoader | dict | None
    _randomness_cfg: dict[str, Any]

    @classmethod
    def from_cfg(cls, cfg: ConfigType) -> 'StrictRunner':
        """Build a runner, and log which operators of mmcv it runs on; see ``Runner.from_cfg``."""
        runner = super().from_cfg(without_layout(plain_config(cfg)) if isinstance(cfg, Config) else cfg)
        runner.logger.info(describe_operators())
        return runner

    def train(self) -> nn.Module:
        """Train; see ``Runner.train``.

        Raises:
            OutputInUseError: Another run writes the work folder, or that of the checkpoints.
        """
        folders = {hook.local_folder(self) for hook in self.hooks if isinstance(hook, AtomicCheckpointHook)}
        with ExitStack() as stack:
            for folder in sorted({self.work_dir, *folders} - {None}):
                stack.enter_context(folder_lock(folder, 'training', joint=True))
            if self._resume:
                self._adopt_seed()
            try:
                return super().train()
            finally:
                self._end_workers()

    def val(self) -> dict:
        """Validate; see ``Runner.val``."""
        try:
            return super().val()
        finally:
            self._end_workers()

    def test(self) -> dict:
        """Test; see ``Runner.test``."""
        try:
            return super().test()
        finally:
            self._end_workers()

    @staticmethod
    def build_dataloader(*args: Any, **kwargs: Any) -> DataLoader:
        """Build a loader; of several data sets it tells what they have in common.

        Args:
            *args: See ``Runner.build_dataloader``.
            **kwargs: See ``Runner.build_dataloader``.

        Raises:
            ValueError: Its data sets cannot be joined; see :func:`mmav.datasets.joined.join_metainfo`.
        """
        loader = Runner.build_dataloader(*args, **kwargs)
        join_metainfo(loader.dataset)
        return loader

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the training loop around numbered data."""
        if isinstance(loop, dict):
            if isinstance(self._train_dataloader, dict):
                self._train_dataloader = count_samples(self._train_dataloader, self.seed)
            loop = dict(loop)
            by_epoch = loop.get('by_epoch', False)
            if by_epoch or class_of(loop, LOOPS) is EpochBasedTrainLoop:
                loop.pop('by_epoch', None)
                loop['type'] = ResumableEpochTrainLoop
        return super().build_train_loop(loop)

    def register_hooks(self, default_hooks: dict | None = None, custom_hooks: list | None = None) -> None:
        """Register the config's hooks, :class:`ExactResumeHook` and :class:`RigCheckHook`."""
        super().register_hooks(default_hooks, custom_hooks)
        self.register_hook(ExactResumeHook())
        if not any(isinstance(hook, RigCheckHook) for hook in self.hooks):
            self.register_hook(RigCheckHook())

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable = 'default',
    ) -> None:
        """Resume a training run; see ``Runner.resume``.

        Raises:
            ValueError: The checkpoint lacks the state of a training run, holds a config as a program, or the
                state of an optimizer of other parameters (:func:`check_optimizer_state`); or
                samples would be skipped or repeated, see :func:`mmav.engine.runner.loops.resume_position`.
        """
        self._required_keys = ['meta', 'message_hub']
        if resume_optimizer:
            self._required_keys.append('optimizer')
        if resume_param_scheduler and self.param_schedulers is not None:
            self._required_keys.append('param_schedulers')
        try:
            super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
            resume_position(self.train_loop, self._resumed_meta, filename)
            restore_gradients(self._plain_model, self._resumed_meta.get('accumulated_gradients') or {})
        finally:
            del self._required_keys

    def save_checkpoint(
        self, *args: Any, save_optimizer: bool = True, meta: dict | None = None, **kwargs: Any
    ) -> None:
        """Save a checkpoint that says where in its data, and between which steps, the training stands.

        Args:
            *args: See ``Runner.save_checkpoint``.
            save_optimizer: See ``Runner.save_checkpoint``.
            meta: See ``Runner.save_checkpoint``.
            **kwargs: See ``Runner.save_checkpoint``.
        """
        meta = dict(meta or {}, data_position=data_position(self.train_loop))
        if save_optimizer:
            gradients = accumulated_gradients(self._plain_model, self.optim_wrapper)
            if gradients:
                meta['accumulated_gradients'] = gradients
        super().save_checkpoint(*args, save_optimizer=save_optimizer, meta=meta, **kwargs)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: list = [(r'^module\.', '')],  # noqa: B006 (the base class's signature)
    ) -> dict:
        """Load the model's parameters; see ``Runner.load_checkpoint``. What ``load_cfg`` allows need not fit.

        Raises:
            RuntimeError: Parameters are missing, unexpected or of another shape; the message lists them.
            ValueError: The file is no checkpoint, or holds what is not admitted.
        """
        checkpoint = read_checkpoint(filename, map_location=map_location)
        missing = [key for key in getattr(self, '_required_keys', ()) if key not in checkpoint]
        if missing:
            raise ValueError(
                f'{filename} cannot be resumed: it lacks {missing}. It holds weights only; start a new run '
                'from it with load_from, or resume a checkpoint that training saved'
            )
        # Runner.resume would run this text as a program; training writes its config to meta['cfg'] instead
        if hasattr(self, '_required_keys') and 'config' in checkpoint['meta']:
            raise ValueError(
                f"{filename} cannot be resumed: its meta holds 'config', which mmengine would run as Python "
                'code and no training here writes; start a new run from it with load_from'
            )
        if hasattr(self, '_required_keys'):
            self._resumed_meta = checkpoint['meta']
        if 'optimizer' in getattr(self, '_required_keys', ()):
            self._check_optimizers(checkpoint['optimizer'], filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        model = self._plain_model
        if isinstance(model, BaseTTAModel):
            model = model.module
        state_dict = {
            reduce(lambda text, rule: re.sub(rule[0], rule[1], text), revise_keys, name): value
            for name, value in select_state_dict(checkpoint, source=filename).items()
        }
        allow = self._load_options() if strict else dict(allow_missing=[''], allow_unexpected=[''])
        load_strict(model, state_dict, source=filename, **allow)
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint

    def _check_optimizers(self, state: dict, filename: str) -> None:
        if isinstance(self.optim_wrapper, OptimWrapper):
            check_optimizer_state(state, self.optim_wrapper.optimizer, self._plain_model, filename)
        elif isinstance(self.optim_wrapper, OptimWrapperDict):
            for name, wrapper in self.optim_wrapper.items():
                check_optimizer_state(state.get(name, {}), wrapper.optimizer, self._plain_model, filename)

    def _load_options(self) -> dict[str, Any]:
        options = dict(self.cfg.get('load_cfg') or {})
        unknown = set(options) - {'allow_missing', 'allow_unexpected', 'allow_other_shape'}
        if unknown:
            raise ValueError(f'load_cfg has no option {sorted(unknown)}: see StrictRunner')
        # only what is trained from here on may begin untrained
        if isinstance(self._train_loop, BaseLoop) and not hasattr(self, '_required_keys'):
            options['remedy'] = (
                '  to train these anew, from their initial values, name them in the config: '
                "load_cfg=dict(allow_other_shape=['<start of the name>', ...])"
            )
        else:
            options.pop('allow_other_shape', None)
        return options

    @property
    def _plain_model(self) -> nn.Module:
        return self.model.module if is_model_wrapper(self.model) else self.model

    def _end_workers(self) -> None:
        """End the processes of the loaders that keep them.

        A runner and its loaders are a cycle of references. Left to the garbage collector, the loaders' queues
        are closed before the message that ends their processes is sent, and each loader waits 5 seconds.
        """
        for loop in (self._train_loop, self._val_loop, self._test_loop):
            for name in ('dataloader', 'dataloader_iterator'):
                holder: Any = getattr(loop, name, None)
                iterator: Any = getattr(holder, '_iterator', None)
                if hasattr(iterator, '_shutdown_workers'):
                    iterator._shutdown_workers()
                    holder._iterator = None

    def _adopt_seed(self) -> None:
        """Take over the seed of the run to be resumed before the loaders are built with another one."""
        path = self._load_from or find_latest_checkpoint(self.work_dir)
        if path is None:
            return
        seed = read_checkpoint(path).get('meta', {}).get('seed')
        if seed is None or seed == self.seed:
            return
        if self._randomness_cfg.get('seed') is not None:
            self.logger.warning(
                f'The checkpoint {osp.basename(path)} was made with seed {seed}; the resumed run keeps it '
                f'instead of the seed {self._randomness_cfg["seed"]} of the config.'
            )
        self._randomness_cfg = dict(self._randomness_cfg, seed=seed)
        self.set_randomness(**self._randomness_cfg)
