"""What the command lines of tools share."""

import argparse
import os
import os.path as osp
import sys
from typing import Any

from mmengine.config import Config, DictAction

from .config_text import read_config_file
from .fileio import check_writable

CFG_OPTIONS = 'override settings of the config: key=value, nested keys as a.b=value, lists as key="[a,b]"'


class ToolParser(argparse.ArgumentParser):
    """A parser whose help begins with a tool's documentation as it is; ``kwargs`` of ``ArgumentParser``."""

    def __init__(self, description: str, **kwargs: Any) -> None:
        kwargs.setdefault('formatter_class', argparse.RawDescriptionHelpFormatter)
        super().__init__(description=description, **kwargs)
        self._outputs: dict[str, bool] = {}  # whether they are folders, by their names among the arguments
        self._whole_models = ''  # suffix of files that stand for config and checkpoint

    def add_output(self, *names: str, folder: bool = True, **kwargs: Any) -> None:
        """Add an argument that names a folder, or a file, to write; an error before any work if none can be.

        Args:
            *names: Of ``add_argument``.
            folder: Whether it is a folder. Defaults to True.
            **kwargs: Of ``add_argument``.
        """
        self._outputs[self.add_argument(*names, **kwargs).dest] = folder

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and look whether the outputs can be written; see ``ArgumentParser``."""
        args = list(sys.argv[1:] if args is None else args)
        if self._whole_models:
            args = [text for arg in args for text in ([arg] * (2 if arg.endswith(self._whole_models) else 1))]
        found, rest = super().parse_known_args(args, namespace)
        for dest, folder in self._outputs.items():
            if getattr(found, dest, None) is not None:
                try:
                    check_writable(getattr(found, dest), folder)
                except OSError as error:
                    self.error(f'{error.filename}: {error.strerror}')
        return found, rest

    def add_config(self, checkpoint: bool = True, help: str = 'config file', whole_models: str = '') -> None:
        """Add the arguments of :func:`read_config`, and the checkpoint's.

        Args:
            checkpoint: Whether to add the checkpoint's. Defaults to True.
            help: Help on the config.
            whole_models: Suffix of files that may be given in the place of both: both arguments are then that
                file. Defaults to none.
        """
        self._whole_models = whole_models
        self.add_argument('config', help=help)
        if checkpoint:
            self.add_argument('checkpoint', help='checkpoint file')
        self.add_argument('--cfg-options', nargs='+', action=DictAction, help=CFG_OPTIONS)

    def add_launcher(self) -> None:
        """Add the arguments with which a launcher starts processes."""
        self.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
        # torch.distributed.launch passes --local-rank
        self.add_argument('--local_rank', '--local-rank', type=_local_rank, default='0')


def _local_rank(text: str) -> int:
    os.environ.setdefault('LOCAL_RANK', text)  # where libraries look for it
    return int(text)


def read_config(args: argparse.Namespace) -> Config:
    """Read the config of :meth:`ToolParser.add_config`, with what its options change."""
    cfg = read_config_file(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    return cfg


def read_run_config(args: argparse.Namespace) -> Config:
    """:func:`read_config`, with launcher and work folder; by default that is work_dirs/<config name>."""
    cfg = read_config(args)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])
    return cfg
