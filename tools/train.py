"""Train a model."""

import argparse
from contextlib import nullcontext

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmav.engine import close_launcher, is_main_of, prepare_launcher
from mmav.utils.command_line import ToolParser, read_run_config
from mmav.utils.errors import one_line_errors
from mmav.utils.locks import folder_lock


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_config(checkpoint=False)
    parser.add_output('--work-dir', help='folder of logs and checkpoints; default: work_dirs/<config name>')
    parser.add_argument('--amp', action='store_true', help='train with automatic mixed precision')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate to the total batch size'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from the given checkpoint, or without a value from the newest one in the work folder',
    )
    parser.add_launcher()
    return parser.parse_args()


def build_config(args: argparse.Namespace) -> Config:
    """Merge the command line into the config; RuntimeError if it lacks an ``auto_scale_lr`` asked for."""
    cfg = read_run_config(args)
    if args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise RuntimeError(
                f'--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in {args.config}'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    return cfg


def main() -> None:
    """Train."""
    args = parse_args()
    setup_cache_size_limit_of_dynamo()
    cfg = build_config(args)
    # before the runner writes its log and config
    lock = folder_lock(cfg.work_dir, 'training') if is_main_of(cfg.launcher) else nullcontext()
    with lock:
        prepare_launcher(cfg)
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.train()
        del runner
        close_launcher()


if __name__ == '__main__':
    with one_line_errors():
        main()
