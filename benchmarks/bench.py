"""Measure what the project promises about speed, as ratios to the usual way.

    python benchmarks/bench.py                                  all benchmarks, some ten minutes
    python benchmarks/bench.py --only log-mel loader            some of them
    python benchmarks/bench.py --only avd-step --size 256 --batch 2
    python benchmarks/bench.py --quick                          toy sizes: shows that it runs, no more

Ours and the reference take turns in one process, and the median of the pairs' ratios is reported with its
spread (least..greatest) and with the machine; before the timing both are checked to compute the same. What is
compared with what is said in docs/benchmarks.md.
"""

import argparse
import json
import os
import sys
from pathlib import Path

# Before torch and numpy load their threads: idle ones that spin take the cores from those that work.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')

import mmav  # noqa: F401  (registers everything)

# isort: split
from mmengine.config import DictAction
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from speed.acoustic_image import acoustic_image
from speed.avc_step import avc_step
from speed.ciou import ciou_metric
from speed.detectors import avd_step, inference
from speed.distillation import distill_step
from speed.event_localization import agta, dfa, dmin_step
from speed.live import SMALL, live, onnx, soak
from speed.loader import bytes_per_sample, loader
from speed.loader_http import loader_http
from speed.log_mel import log_mel
from speed.log_spectrogram import log_spectrogram
from speed.metrics import metrics
from speed.pairs import Comparison, describe_machine
from speed.start_up import start_up
from speed.tracking import tracker
from speed.vggish import vggish_log_mel
from speed.video_parsing import llp_metric

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
PAPER_CONFIG = str(CONFIGS / 'avd' / 'faster_rcnn_r50_fpn_mavd.py')
SMALL_CONFIG = str(CONFIGS / 'avd' / 'av_faster_rcnn_r18_sim.py')
DISTILL_CONFIG = str(CONFIGS / 'mm_distillnet' / 'distillnet_effdet_d2_mavd.py')
AVC_TEACHERS = str(CONFIGS / '_base_' / 'models' / 'avc_teachers.py')
SMALL_DISTILL_CONFIG = str(CONFIGS / 'mm_distillnet' / 'distillnet_r18_sim.py')


def parse_args(args: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--only', nargs='+', choices=list(BENCHMARKS), help='these benchmarks')
    parser.add_argument('--repeats', type=int, help='pairs; default: as many as each benchmark needs')
    parser.add_argument('--threads', type=int, default=1, help='of the detectors; default: 1')
    parser.add_argument('--size', type=int, help="side of the network's input; default: 576, loaders 768")
    parser.add_argument('--batch', type=int, help='samples; default: 1 of detectors, 32 of DMIN, 4 of AVC')
    parser.add_argument('--config', help=f'of the detector; default: {Path(PAPER_CONFIG).name}')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override the config for both detectors: key=value, e.g. model.train_cfg.rcnn.sampler.num=256',
    )
    parser.add_argument('--device', default='cpu', help='of the detectors: cpu (default) or cuda')
    parser.add_argument('--json', type=Path, help='also write everything measured to this file')
    parser.add_argument('--quick', action='store_true', help='toy sizes, to see that it runs')
    return parser.parse_args(args)


def _given(**options: object) -> dict:
    return {name: value for name, value in options.items() if value is not None}


def _detector_options(args: argparse.Namespace, paper: str = PAPER_CONFIG, small: str = SMALL_CONFIG) -> dict:
    return dict(
        config=args.config or (small if args.quick else paper),
        batch=args.batch or 1,
        threads=args.threads,
        device=args.device,
        options=args.cfg_options,
        **_given(size=args.size or (96 if args.quick else None), repeats=args.repeats),
    )


def _loader_options(args: argparse.Namespace) -> dict:
    return _given(
        size=args.size or (96 if args.quick else None),
        frames=2 if args.quick else None,
        repeats=args.repeats,
    )


def _frames_options(args: argparse.Namespace) -> dict:
    return dict(
        threads=args.threads,
        **_given(frames=400 if args.quick else None, repeats=args.repeats),
    )


def _event_options(args: argparse.Namespace) -> dict:
    return dict(
        batch=args.batch or (2 if args.quick else 32),
        threads=args.threads,
        device=args.device,
        **_given(repeats=args.repeats),
    )


def _localization_options(args: argparse.Namespace) -> dict:
    return dict(
        config=args.config or AVC_TEACHERS,
        threads=args.threads,
        device=args.device,
        options=args.cfg_options,
        **_given(
            size=args.size or (64 if args.quick else None),
            batch=args.batch or (2 if args.quick else None),
            repeats=args.repeats,
        ),
    )


BENCHMARKS = {
    'avd-step': lambda args: avd_step(**_detector_options(args)),
    'distill-step': lambda args: distill_step(
        **_detector_options(args, DISTILL_CONFIG, SMALL_DISTILL_CONFIG)
    ),
    'inference': lambda args: inference(**_detector_options(args)),
    'acoustic-image': lambda args: acoustic_image(
        batch=args.batch or (2 if args.quick else 8), **_given(repeats=args.repeats)
    ),
    'log-mel': lambda args: log_mel(**_given(repeats=args.repeats)),
    'vggish-log-mel': lambda args: vggish_log_mel(
        device=args.device,
        threads=args.threads,
        **_given(clips=1 if args.quick else None, repeats=args.repeats),
    ),
    'loader': lambda args: loader(**_loader_options(args)),
    'loader-http': lambda args: loader_http(**_loader_options(args)),
    'bytes': lambda args: bytes_per_sample(**_given(size=args.size)),
    'tracker': lambda args: tracker(**_frames_options(args)),
    'metrics': lambda args: metrics(**_frames_options(args)),
    'ciou': lambda args: ciou_metric(
        **_given(maps=50 if args.quick else None, repeats=args.repeats),
        threads=args.threads,
    ),
    'log-spectrogram': lambda args: log_spectrogram(
        **_given(clips=2 if args.quick else None, repeats=args.repeats),
        threads=args.threads,
        device=args.device,
    ),
    'avc-step': lambda args: avc_step(**_localization_options(args)),
    'llp-metric': lambda args: llp_metric(
        threads=args.threads,
        **_given(videos=20 if args.quick else None, repeats=args.repeats),
    ),
    'dfa': lambda args: dfa(**_event_options(args)),
    'agta': lambda args: agta(**_event_options(args)),
    'dmin-step': lambda args: dmin_step(**_event_options(args)),
    'onnx': lambda args: onnx(
        threads=args.threads, **_given(cases=SMALL if args.quick else None, repeats=args.repeats)
    ),
    'live': lambda args: live(
        **_given(seconds=1.0 if args.quick else None, cases=SMALL if args.quick else None)
    ),
    'soak': lambda args: soak(**_given(hours=0.01 if args.quick else None)),
    'start-up': lambda args: start_up(threads=args.threads, **_given(repeats=args.repeats)),
}


def run(args: argparse.Namespace) -> list[Comparison]:
    """Run the chosen benchmarks and print each as it ends."""
    if args.quick and args.repeats is None:
        args.repeats = 1
    results = []
    for name in args.only or BENCHMARKS:
        for comparison in BENCHMARKS[name](args):
            if args.quick:
                comparison.target = None  # toy sizes have none
            print(f'{comparison}\n', flush=True)
            results.append(comparison)
    return results


def main(argv: list[str] | None = None) -> int:
    """Run, print, and write the file if one is asked for."""
    args = parse_args(argv)
    init_default_scope('mmdet')
    MMLogger.get_instance('bench', log_level='ERROR')  # initialization reports every parameter
    machine = describe_machine()
    print(
        ', '.join(f'{key} {value}' for key, value in machine.items() if value is not None) + '\n', flush=True
    )
    results = run(args)
    if args.json:
        content = dict(machine=machine, results=[comparison.summary() for comparison in results])
        args.json.write_text(json.dumps(content, indent=1) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
