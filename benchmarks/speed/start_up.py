"""Benchmark of importing the package against importing what it stands on."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import mmav

from .pairs import Comparison

# what a program creates next: collections of garbage that an import put off are counted with it
PROGRAM = 'kept = [[] for _ in range(10_000)]; print(time.process_time())'
OURS = f'import time, mmav; {PROGRAM}'
REFERENCE = f"""
import sys, time, types
mmav = types.ModuleType('mmav')
mmav.__path__ = [{str(Path(mmav.__file__).parent)!r}]  # its subpackage compat without the package
sys.modules['mmav'] = mmav
from mmav.compat import provide_operators, quiet_imports
provide_operators()
with quiet_imports():
    import torch, mmdet.datasets, mmdet.evaluation, mmdet.models, mmdet.visualization
{PROGRAM}
"""


def _seconds(program: str, threads: int) -> float:
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    result = subprocess.run(
        [sys.executable, '-c', program], env=environment, capture_output=True, text=True, check=True
    )
    return float(result.stdout.splitlines()[-1])


def start_up(repeats: int = 7, threads: int = 1) -> list[Comparison]:
    """``import mmav`` against the import of torch and of the parts of mmdet that it stands on.

    Processor time of interpreters of their own, taking turns.

    Args:
        repeats: Pairs.
        threads: Of torch.

    Returns:
        One.
    """
    for program in (OURS, REFERENCE):
        _seconds(program, threads)  # files come into the system's cache
    pairs = []
    for turn in range(repeats):
        programs = (OURS, REFERENCE) if turn % 2 == 0 else (REFERENCE, OURS)
        seconds = {program: _seconds(program, threads) for program in programs}
        pairs.append((seconds[OURS], seconds[REFERENCE]))
    added = [ours - reference for ours, reference in pairs]
    return [
        Comparison(
            'start-up',
            'import',
            'import mmav',
            'import torch, mmdet.models, mmdet.datasets, mmdet.evaluation, mmdet.visualization',
            'cost',
            target=1.05,
            ours_values=[ours for ours, _ in pairs],
            reference_values=[reference for _, reference in pairs],
            settings=dict(threads=threads, clock='processor time'),
            notes=[f'adds {statistics.median(added):.2f} s ({min(added):.2f}..{max(added):.2f})'],
        )
    ]
