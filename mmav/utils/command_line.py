"""What the command lines of tools share."""

import argparse
import os
import os.path as osp
from typing import Any

from mmengine.config import Config, DictAction

CFG_OPTIONS = 'override settings of the config: key=value, nested keys as a.b=value, lists as key="[a,b]"'


class ToolParser(argparse.ArgumentParser):
    """A parser whose help begins with a tool's documentation as it is; ``kwargs`` of ``ArgumentParser``."""

    def __init__(self, description: str, **kwargs: Any) -> None:
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def add_config(self, checkpoint: bool = True, help: str = 'config file') -> None:
        """Add the arguments of :func:`read_config`, and the checkpoint's; ``help`` is on the config."""
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
    cfg = Config.fromfile(args.config)
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
