"""Paired timing: ours and a reference take turns, so that a busy machine slows both.

A quotient of two times taken one right after the other holds where the times themselves do not; its
median over many pairs, with the spread beside it, is what a benchmark reports.
"""

import os
import platform
import statistics
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import cv2
import torch
from threadpoolctl import threadpool_limits
from torch.utils import benchmark


@dataclass
class Comparison:
    """What one comparison measured.

    Attributes:
        benchmark: Name of the benchmark.
        case: Which of its cases.
        ours: What was measured, in words.
        reference: What it was measured against.
        kind: 'cost': ratios are ours / reference, the smaller the better; 'gain': reference / ours, the
            larger the better.
        target: What the ratio should be: at most ('cost') or at least ('gain') this; None: no target.
        unit: Of ``ours_values`` and ``reference_values``.
        ours_values: One value a pair.
        reference_values: One value a pair.
        settings: Sizes and threads.
        checked: What was found equal before the timing.
        notes: Lines to print below the figures.
        flops: Floating-point operations of one of ``ours_values``, in convolutions and matrix products.
        num_bytes: Bytes that one of ``ours_values`` cannot do without reading or writing.
    """

    benchmark: str
    case: str
    ours: str
    reference: str
    kind: str
    unit: str = 's'
    target: float | None = None
    ours_values: list[float] = field(default_factory=list)
    reference_values: list[float] = field(default_factory=list)
    settings: dict = field(default_factory=dict)
    checked: str = ''
    notes: list[str] = field(default_factory=list)
    flops: float | None = None
    num_bytes: float | None = None

    @property
    def ratios(self) -> list[float]:
        """The ratio of each pair."""
        pairs = zip(self.ours_values, self.reference_values)
        return [ours / ref if self.kind == 'cost' else ref / ours for ours, ref in pairs]

    @property
    def reached(self) -> bool | None:
        """Whether the median meets the target; None without one."""
        if self.target is None:
            return None
        median = statistics.median(self.ratios)
        return median <= self.target if self.kind == 'cost' else median >= self.target

    def summary(self) -> dict:
        """Everything as plain types, with medians and spread."""
        ratios = self.ratios
        return dict(
            asdict(self),
            ours_median=statistics.median(self.ours_values),
            reference_median=statistics.median(self.reference_values),
            ratio_median=statistics.median(ratios),
            ratio_min=min(ratios),
            ratio_max=max(ratios),
            pairs=len(ratios),
            reached=self.reached,
        )

    def __str__(self) -> str:
        values = self.summary()
        settings = ', '.join(f'{key} {value}' for key, value in self.settings.items())
        lines = [f'{self.benchmark}: {self.case} ({settings})']
        for name in ('ours', 'reference'):
            label = getattr(self, name)
            lines.append(f'  {name:9}  {_quantity(values[f"{name}_median"], self.unit):>12}  {label}')
        word = 'ours / reference' if self.kind == 'cost' else 'reference / ours'
        line = f'  {word}: {_number(values["ratio_median"])}'
        if values['pairs'] > 1:
            spread = f'{_number(values["ratio_min"])}..{_number(values["ratio_max"])}'
            line += f' (median of {values["pairs"]} pairs; {spread})'
        if self.target is not None:
            bound = '<=' if self.kind == 'cost' else '>='
            line += f'; target {bound} {self.target:g}: {"reached" if self.reached else "MISSED"}'
        lines.append(line)
        if self.checked:
            lines.append(f'  equal before timing: {self.checked}')
        return '\n'.join(lines + [f'  {note}' for note in self.notes])


def _number(value: float) -> str:
    return f'{value:.3f}' if value < 10 else f'{value:.1f}'


def _quantity(value: float, unit: str) -> str:
    if unit == 's':
        return f'{value:.3g} s' if value >= 1 else f'{value * 1e3:.3g} ms'
    if unit == 'bytes':
        return f'{value / 1e6:.3g} MB'
    return f'{value:.3g} {unit}'


def time_pairs(
    ours: Callable[[], object],
    reference: Callable[[], object],
    repeats: int,
    number: int = 1,
    warm_up: int = 1,
) -> tuple[list[float], list[float]]:
    """Time two functions in turns: ours, reference, ours, reference, ...

    The clock is ``torch.utils.benchmark``'s, which waits for a CUDA device before it is read; its ``Timer``
    takes one function at a time and runs it twice more at each measurement, so the turns are taken here.

    Args:
        ours: First of each pair.
        reference: Second of each pair.
        repeats: Pairs.
        number: Calls in each measurement.
        warm_up: Calls of each before the first pair.

    Returns:
        Seconds a call, for each pair, of ours and of the reference.
    """
    timers = [timeit.Timer(function, timer=benchmark.timer) for function in (ours, reference)]
    for timer in timers:
        timer.timeit(warm_up)
    times = [[timer.timeit(number) / number for timer in timers] for _ in range(repeats)]
    return [pair[0] for pair in times], [pair[1] for pair in times]


@contextmanager
def pinned_threads(threads: int) -> Iterator[None]:
    """Let torch, BLAS, OpenMP and OpenCV use this many threads."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def describe_machine() -> dict:
    """The machine that the figures hold for: processor, cores, load, versions."""
    return dict(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(),
        accelerator=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        load_before=round(os.getloadavg()[0], 2) if hasattr(os, 'getloadavg') else None,
        python=platform.python_version(),
        torch=torch.__version__,
        omp_wait_policy=os.environ.get('OMP_WAIT_POLICY'),
    )


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as file:
            names = [line.split(':', 1)[1].strip() for line in file if line.startswith('model name')]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
