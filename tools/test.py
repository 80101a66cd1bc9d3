"""Test a trained model."""

import argparse

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmcv.transforms import LoadAnnotations
from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.evaluation import DumpDetResults
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config, ConfigDict
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmav.engine import close_launcher, prepare_launcher
from mmav.models.detectors import VISUAL_PREFIXES
from mmav.utils.command_line import ToolParser, read_run_config
from mmav.utils.config_parts import builds, dataset_of, pipeline_nodes
from mmav.utils.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_config()
    parser.add_output('--work-dir', help='folder of logs; default: work_dirs/<config name>')
    parser.add_output('--out', folder=False, help='dump the predictions to this pickle file')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument(
        '--show-dir', help='draw the predictions into this folder under <work dir>/<time stamp>'
    )
    parser.add_argument('--wait-time', type=float, default=2, help='seconds an image is shown')
    parser.add_launcher()
    parser.add_argument('--tta', action='store_true', help='average over each sample and its mirror image')
    parser.add_argument(
        '--stripped',
        action='store_true',
        help='the checkpoint holds the audio path alone (tools/model_converters/strip_visual.py) while the '
        'config also names the visual one',
    )
    args = parser.parse_args()
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out must name a .pkl file, got {args.out}')
    return args


def use_tta(cfg: Config) -> None:
    """Wrap model and test pipeline of a config for test-time augmentation, in place.

    ``tta_model`` and ``tta_pipeline`` of the config are used; without them boxes of the sample and its mirror
    image are merged by NMS.
    """
    tta_model = cfg.get('tta_model') or dict(
        type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)
    )
    for dataset in pipeline_nodes(dataset_of(cfg)):
        pipeline = cfg.get('tta_pipeline')
        if pipeline is None:
            steps = list(dataset.pipeline)
            # the true boxes are not flipped: the merged predictions are those of the sample as it is
            end = next((at for at, step in enumerate(steps) if builds(step, LoadAnnotations)), len(steps) - 1)
            flips = [dict(type='MirrorFlip', prob=0.0), dict(type='MirrorFlip', prob=1.0)]
            augmented = dict(type='TestTimeAug', transforms=[flips, *([step] for step in steps[end:])])
            pipeline = [*steps[:end], augmented]
        dataset.pipeline = pipeline
    cfg.model = ConfigDict(**tta_model, module=cfg.model)


def build_config(args: argparse.Namespace) -> Config:
    """Merge the command line into the config."""
    cfg = read_run_config(args)
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.stripped:
        allowed = cfg.get('load_cfg') or {}
        cfg.load_cfg = dict(allowed, allow_missing=[*allowed.get('allow_missing', ()), *VISUAL_PREFIXES])
    if args.show or args.show_dir:
        cfg = trigger_visualization_hook(cfg, args)
    if args.tta:
        use_tta(cfg)
    return cfg


def main() -> None:
    """Test."""
    args = parse_args()
    setup_cache_size_limit_of_dynamo()
    cfg = build_config(args)
    prepare_launcher(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
    runner.test()
    del runner
    close_launcher()


if __name__ == '__main__':
    with one_line_errors():
        main()
