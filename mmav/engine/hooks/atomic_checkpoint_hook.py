"""Checkpoints that survive being killed at any moment."""

import hashlib
import io
import os.path as osp
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from string import Formatter
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import is_main_process, master_only
from mmengine.fileio import BaseStorageBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.locks import holds_lock

from ...utils.checkpoint import read_checkpoint


class _DeferredRemoval:
    """A file backend that notes what to remove instead of removing it; it knows own checkpoints only."""

    def __init__(self, backend: BaseStorageBackend, is_own: Callable[[str], bool]) -> None:
        self._backend = backend
        self._is_own = is_own
        self.paths: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def isfile(self, path: str) -> bool:
        return self._is_own(path) and self._backend.isfile(path)

    def isdir(self, path: str) -> bool:
        return self._is_own(path) and self._backend.isdir(path)

    def remove(self, path: str) -> None:
        self.paths.append(path)

    rmtree = remove


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that writes atomically and removes old checkpoints only after the new one is whole.

    A checkpoint and the file ``last_checkpoint`` are written to a temporary file, flushed and renamed
    (:class:`mmav.engine.AtomicLocalBackend`); other storage than local folders writes as its backend does.
    Expired checkpoints that a killed run left are removed at the next start, and so are temporary files where
    the folder is held (:func:`mmav.utils.locks.folder_lock`), as ``StrictRunner`` does. Validation
    without training saves nothing instead of failing. Whatever a checkpoint that is resumed says, nothing is
    removed but files named by ``filename_tmpl`` in this run's own folder. Arguments are those of
    ``CheckpointHook``.
    """

    # of the base class
    backend_args: dict | None
    file_backend: Any

    def before_train(self, runner: Runner) -> None:
        """Choose the atomic backend for local folders, and clean up after a killed run."""
        out_dir = self.out_dir or runner.work_dir
        if self.backend_args is None and self.file_client_args is None:
            if type(get_file_backend(out_dir)).__name__ == 'LocalBackend':
                self.backend_args = dict(backend='atomic_local')
        hub = runner.message_hub
        kept = hub.get_info('keep_ckpt_ids') if 'keep_ckpt_ids' in hub.runtime_info else []
        steps = [step for step in kept if type(step) is int]
        if kept:
            hub.update_info('keep_ckpt_ids', steps[-self.max_keep_ckpts :] if self.max_keep_ckpts > 0 else [])
        super().before_train(runner)
        if not is_main_process():
            return
        local = isinstance(self.file_backend, AtomicLocalBackend)
        for folder in filter(holds_lock, sorted({runner.work_dir, self.out_dir}) if local else ()):
            names = AtomicLocalBackend.remove_leftovers(folder)
            if names:
                runner.logger.info(f'Removed unfinished files of a killed run from {folder}: {names}')
        # the checkpoint says what its writer was about to remove when it was killed
        if 'expired_ckpts' in hub.runtime_info:
            self._remove([path for path in hub.get_info('expired_ckpts') if isinstance(path, str)])
        if self.max_keep_ckpts > 0:
            self._remove([self._path_of(step) for step in steps[: -self.max_keep_ckpts]])

    def local_folder(self, runner: Runner) -> str | None:
        """Folder of the checkpoints of a training that has not begun; None if it is not on a local disk."""
        if self.out_dir is None:
            return runner.work_dir
        if type(get_file_backend(self.out_dir)).__name__ != 'LocalBackend':
            return None
        return osp.join(self.out_dir, osp.basename(runner.work_dir.rstrip(osp.sep)))

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint, in training only."""
        if hasattr(self, 'file_backend'):  # set by before_train
            super().after_val_epoch(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save the checkpoint, then ``last_checkpoint``, then remove what ``max_keep_ckpts`` lets go."""
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        expired = []
        if self.max_keep_ckpts > 0:
            if step not in self.keep_ckpt_ids:
                if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                    expired = [self._path_of(self.keep_ckpt_ids[0])]
                self.keep_ckpt_ids.append(step)  # of bounded length: lets the oldest go
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
            runner.message_hub.update_info('expired_ckpts', expired)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)

        runner.save_checkpoint(
            self.out_dir,
            filename,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            AtomicLocalBackend().put_text(self.last_ckpt, osp.join(runner.work_dir, 'last_checkpoint'))
            self._remove(expired)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint; the previous best one is removed after it."""
        with self._removal_at_the_end() as deferred:
            super()._save_best_checkpoint(runner, metrics)
            kept = {getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()}
            deferred.paths = [path for path in deferred.paths if path not in kept]

    @contextmanager
    def _removal_at_the_end(self) -> Iterator[_DeferredRemoval]:
        backend = self.file_backend
        self.file_backend = deferred = _DeferredRemoval(backend, self._is_own)
        try:
            yield deferred
        finally:
            self.file_backend = backend
        self._remove(deferred.paths)

    def _path_of(self, step: int) -> str:
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))

    def _is_own(self, path: str) -> bool:
        """Whether this hook may have written a checkpoint: by its name, in this run's folder."""
        folder, name = osp.split(path)
        pattern = ''.join(
            re.escape(text) + ('' if field is None else r'\d+')
            for text, field, *_ in Formatter().parse(self.filename_tmpl)
        )
        in_folder = osp.abspath(folder) == osp.abspath(self.out_dir)
        return in_folder and re.fullmatch(f'(best_.+_)?{pattern}', name) is not None

    def _remove(self, paths: list[str]) -> None:
        for path in filter(self._is_own, paths):
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):  # sharded checkpoints are folders
                self.file_backend.rmtree(path)

    @master_only
    def _publish_model(self, runner: Runner, ckpt_path: str) -> None:
        """Write a copy that holds ``published_keys`` only, with a hash in its name."""
        checkpoint = read_checkpoint(ckpt_path)
        published = {key: value for key, value in checkpoint.items() if key in self.published_keys}
        with io.BytesIO() as buffer:
            torch.save(published, buffer)
            data = buffer.getvalue()
        path = f'{osp.splitext(ckpt_path)[0]}-{hashlib.sha256(data).hexdigest()[:8]}.pth'
        self.file_backend.put(data, path)
        runner.logger.info(f'Published {ckpt_path} with the keys {sorted(published)} as {path}.')
