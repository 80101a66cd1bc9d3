"""Check the project on a CUDA device and measure it there, within minutes and without a network.

    python benchmarks/gpu.py                            everything, at most 8 minutes
    python benchmarks/gpu.py --minutes 4 --json gpu.json
    python benchmarks/gpu.py --only training            some of: tests training ratios
    python benchmarks/gpu.py --quick                    toy sizes, also on a CPU: shows that it runs

Tests come first, then iterations of the papers' configs at full size on random data, then the ratios of
docs/benchmarks.md in several precisions. What fails is a row with its reason; what does not fit into the
minutes is left out and said so. The exit status is 1 if a test or a training failed.
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
import torch
from gpu_checks.ceilings import TOY as TOY_SIZES
from gpu_checks.ceilings import Sizes, measure_ceilings
from gpu_checks.ratios import TOY, Measurement, Scale, figures_of, measure, measurements
from gpu_checks.session import Row, Session
from gpu_checks.suite import run_tests
from gpu_checks.training import train
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from speed.pairs import describe_machine
from speed.variants import FP32, VARIANTS, Variant

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
TRAININGS = {
    'AVD, R-50': 'avd/faster_rcnn_r50_fpn_mavd.py',
    'distillation, EfficientDet-D2': 'mm_distillnet/distillnet_effdet_d2_mavd.py',
}
SMALL_TRAININGS = {
    'AVD, R-18': 'avd/av_faster_rcnn_r18_sim.py',
    'distillation, R-18': 'mm_distillnet/distillnet_r18_sim.py',
}
SMALL_OPTIONS = {'model.data_preprocessor.audio_size': (64, 64), 'train_dataloader.batch_size': 1}
QUICK_TESTS = 'AVDLoss or LogMelSpectrogram or suppression'
PARTS = ('tests', 'training', 'ratios')


def parse_args(args: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--minutes', type=float, default=8.0, help='budget; default: 8')
    parser.add_argument('--only', nargs='+', choices=PARTS, default=list(PARTS), help='these parts')
    parser.add_argument('--device', choices=('cuda', 'cpu'), help='default: cuda; with --quick what there is')
    parser.add_argument('--quick', action='store_true', help='toy sizes, to see that it runs')
    parser.add_argument('--iterations', type=int, help='of each training; default: 20, with --quick 2')
    parser.add_argument('--threads', type=int, default=1, help="of the CPU's part of the ratios; default: 1")
    parser.add_argument('--json', type=Path, help='also write everything measured to this file')
    parsed = parser.parse_args(args)
    if parsed.minutes <= 0:
        parser.error('--minutes must be above 0')
    if parsed.device is None:
        parsed.device = 'cpu' if parsed.quick and not torch.cuda.is_available() else 'cuda'
    if parsed.device == 'cuda' and not torch.cuda.is_available():
        parser.error('there is no CUDA device; --quick shows at toy sizes that this runs')
    if parsed.device == 'cpu' and not parsed.quick:
        parser.error('--device cpu is for --quick: full sizes would take hours')
    return parsed


def describe_device(device: str) -> dict:
    """The machine, and of a GPU its memory, capability and libraries."""
    machine = dict(describe_machine(), device=device, tf32='off in fp32')
    if device == 'cuda':
        properties = torch.cuda.get_device_properties(0)
        machine.update(
            memory_gb=round(properties.total_memory / 1e9, 1),
            capability=f'{properties.major}.{properties.minor}',
            multiprocessors=properties.multi_processor_count,
            cuda=torch.version.cuda,
            cudnn=torch.backends.cudnn.version(),
        )
    return machine


def check_tests(session: Session, args: argparse.Namespace) -> None:
    """The tests marked ``gpu``."""
    needed = 0.0 if args.quick else 60.0
    limit = min(session.left, 240.0)
    session.attempt(
        'tests',
        'tests marked gpu',
        'fp32, bf16, fp16',
        max(needed, limit / 3),
        lambda: run_tests(args.device, limit - 1, QUICK_TESTS if args.quick else ''),
    )


def check_training(session: Session, args: argparse.Namespace) -> None:
    """Iterations of the papers' configs."""
    trainings, options = (SMALL_TRAININGS, SMALL_OPTIONS) if args.quick else (TRAININGS, None)
    iterations = args.iterations or (2 if args.quick else 20)
    # mmengine has mixed precision on accelerators alone
    precisions = {'fp32': None}
    if args.device == 'cuda':
        precisions |= {'bf16 AMP': 'bfloat16', 'fp16 AMP': 'float16'}
    for name, config in trainings.items():
        for label, amp in precisions.items():
            session.attempt(
                'training',
                f'{name}, {iterations} iterations',
                label,
                30.0,
                lambda config=config, amp=amp: train(
                    str(CONFIGS / config), args.device, amp, iterations, options
                ),
            )


def check_ratios(session: Session, args: argparse.Namespace) -> None:
    """Ceilings and ratios, the first variant of everything before the second."""
    sizes = TOY_SIZES if args.quick else Sizes()
    measured = measurements(TOY if args.quick else Scale(), args.device, args.threads)
    for variant in VARIANTS[: 2 if args.quick else None]:
        limits: dict[str, float] = {}

        def ceilings(variant: Variant = variant, limits: dict = limits) -> dict:
            limits.update(measure_ceilings(args.device, variant, sizes))
            return {
                'convolution, TFLOP/s': limits['convolution'] / 1e12,
                'matrix product, TFLOP/s': limits['product'] / 1e12,
                'copy, GB/s': limits['copy'] / 1e9,
            }

        session.attempt('ceilings', 'convolution, matrix product, copy', variant.name, 5.0, ceilings)
        for name, measurement in measured.items():
            if variant not in measurement.variants or (args.quick and variant != FP32 and name != 'avd-step'):
                continue

            def ratio(measurement: Measurement = measurement, variant: Variant = variant) -> dict:
                return measure(measurement, variant, args.device)

            needed = measurement.seconds * (3 if variant.compiled else 1)
            row = session.attempt('ratios', name, variant.name, needed, ratio)
            for comparison in row.comparisons:
                print(f'{"":10}{comparison.case}; {comparison.ours} against {comparison.reference}:')
                figures = figures_of(comparison, limits)
                print(f'{"":12}{", ".join(f"{key} {value}" for key, value in figures.items())}', flush=True)


def table_line(row: Row) -> str:
    """A line of the table on the terminal."""
    figures = ', '.join(
        f'{name} {value:.4g}' if isinstance(value, float) else f'{name} {value}'
        for name, value in row.figures.items()
    )
    told = f': {row.reason or figures}' if row.reason or figures else ''
    return f'{row.part:9} {row.variant:20} {row.status:8} {row.seconds:6.1f} s  {row.name}{told}'


def main(argv: list[str] | None = None) -> int:
    """Check, measure, print, and write the file if one is asked for."""
    args = parse_args(argv)
    init_default_scope('mmdet')
    MMLogger.get_instance('gpu', log_level='ERROR')  # initialization reports every parameter
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    machine = describe_device(args.device)
    print(', '.join(f'{key} {value}' for key, value in machine.items() if value is not None), flush=True)
    session = Session(args.minutes, args.device, lambda row: print(table_line(row), flush=True))
    if 'tests' in args.only:
        check_tests(session, args)
    if 'training' in args.only:
        check_training(session, args)
    if 'ratios' in args.only:
        check_ratios(session, args)

    failed = [row for row in session.rows if row.status == 'failed']
    left_out = [f'{row.name} ({row.variant})' for row in session.rows if row.status == 'left out']
    print(
        f'\n{60 * args.minutes - session.left:.0f} s; {len(failed)} failed; left out: {left_out or "nothing"}'
    )
    if args.json:
        rows = [
            dict(vars(row), comparisons=[comparison.summary() for comparison in row.comparisons])
            for row in session.rows
        ]
        content = dict(machine=machine, quick=args.quick, minutes=args.minutes, left_out=left_out, rows=rows)
        args.json.write_text(json.dumps(content, indent=1) + '\n')
    return int(any(row.part in ('tests', 'training') for row in failed))


if __name__ == '__main__':
    sys.exit(main())
