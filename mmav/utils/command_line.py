"""What the command lines of tools share."""

import argparse
import os
import os.path as osp
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config, DictAction

CFG_OPTIONS = 'override settings of the config: key=value, nested keys as a.b=value, lists as key="[a,b]"'


class ToolParser(argparse.ArgumentParser):
    """A parser whose help begins with a tool's documentation as it is; ``kwargs`` of ``ArgumentParser``."""

    def __init__(self, description: str, **kwargs: Any) -> None:
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def add_config(self, checkpoint: bool = True) -> None:
        """Add the arguments of :func:`read_config`, and the checkpoint's."""
        self.add_argument('config', help='config file')
        if checkpoint:
            self.add_argument('checkpoint', help='checkpoint file')
        self.add_argument('--cfg-options', nargs='+', action=DictAction, help=CFG_OPTIONS)

    def add_launcher(self) -> None:
        """Add the arguments with which a launcher starts processes."""
        self.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
        # torch.distributed.launch passes --local-rank
        self.add_argument('--local_rank', '--local-rank', type=int, default=0)

    def add_detector(self) -> None:
        """Add the options of ``AudioDetInferencer``."""
        self.add_argument('--device', help='cpu, cuda:0, ...; default: the GPU where there is one')
        self.add_argument(
            '--stripped', action='store_true', help='the checkpoint lacks the visual branch of the config'
        )
        self.add_argument('--rig', help='rig.json of what is heard; default: the rig of the model')
        self.add_argument(
            '--allow-other-rig',
            action='store_true',
            help='warn where rigs differ, and make acoustic images with --rig',
        )

    def parse_args(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse; the launcher's rank goes to the environment, where libraries look for it."""
        args = super().parse_args(argv)
        if hasattr(args, 'local_rank'):
            os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
        return args


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
