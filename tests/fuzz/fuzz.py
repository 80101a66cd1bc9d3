"""Mutate files of every format that users bring, read them, and count what came of it.

    python tests/fuzz/fuzz.py --inputs 100000            # what `make fuzz` runs
    python tests/fuzz/fuzz.py --seed 3 --only 1234       # input 1234 of the seed 3 again, with its traceback

Right are an error that names the file, and the right value. Faults are errors that do not, other values,
crashes, inputs that take more than a minute or 2 GiB, and code that a file made run; exit status 1.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

# isort: split
import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
import torch
from formats import FORMATS, MARKER, Format
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from mmav.media import h5_examination

SECONDS = 60.0  # that an input may take; on one core of many others' work
MEMORY = 2 << 30  # bytes that an input may take
NAMED, RIGHT, FAULT = 'named errors', 'right values', 'faults'


@dataclass(frozen=True)
class Outcome:
    """What came of an input: its number, format, mutation, NAMED, RIGHT or FAULT, and what happened."""

    number: int
    format: str
    mutation: str
    kind: str
    detail: str = ''


class Files:
    """A whole file of a format in a folder of its own, and its content."""

    def __init__(self, format: Format, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.path = format.make(folder)
        self.whole = self.path.read_bytes()
        try:
            self.value = format.read(self.path)
        except Exception:
            if 'hostile' not in format.name:
                raise
            self.value = None


def is_named(error: BaseException, path: Path) -> bool:
    """Whether an error of a reader says which file is at fault, or which folder, of a store or a run."""
    names = [path.name, *(['format_'] if path.name in ('index.json', 'audio.npy', 'extraction.json') else [])]
    kinds = (ValueError, OSError, KeyError, RuntimeError)
    return isinstance(error, kinds) and any(name in str(error) for name in names)


def run(number: int, seed: int, files: dict[str, Files], root: Path, show: bool = False) -> Outcome:
    """Mutate, read and judge one input."""
    format = FORMATS[number % len(FORMATS)]
    rng = np.random.default_rng([seed, number])
    if format.name not in files:
        files[format.name] = Files(format, root / f'format_{number % len(FORMATS):02d}')
    whole, mutated = files[format.name], files[format.name].whole
    names = []
    for _ in range(1 if rng.random() < 0.8 else 2):
        mutation = format.mutations[rng.integers(len(format.mutations))]
        if not mutated or (names and 'json' in mutation.__name__):
            break
        mutated = mutation(mutated, rng)
        names.append(mutation.__name__)
    whole.path.write_bytes(mutated)
    kind, detail = FAULT, ''
    try:
        value = format.read(whole.path)
        detail = (
            'right'
            if mutated == whole.whole
            else format.check(value, whole.value, mutated, whole.whole) or ''
        )
        kind = RIGHT if detail in ('', 'right') else FAULT
    except Exception as error:
        kind = NAMED if is_named(error, whole.path) else FAULT
        detail = f'{type(error).__name__}: {error}'[:300]
        if show:
            traceback.print_exc()
    if Path(MARKER).exists():
        os.rmdir(MARKER)
        kind, detail = FAULT, 'the file made code run'
    whole.path.write_bytes(whole.whole)
    return Outcome(number, format.name, '+'.join(names), kind, detail)


def limit_memory() -> None:
    """Let this process take ``MEMORY`` more than it has."""
    pages = int(Path('/proc/self/statm').read_text().split()[0]) if sys.platform == 'linux' else 0
    if pages:
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def work(connection: Connection, numbers: list[int], seed: int, root: Path) -> None:
    """Run inputs in this process, which may die of them."""
    root.mkdir(parents=True)
    os.chdir(root)
    prepare()
    limit_memory()
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)  # libraries complain of damaged files there
    files: dict[str, Files] = {}
    for number in numbers:
        connection.send(run(number, seed, files, root / 'files'))
    connection.send(None)


def prepare() -> None:
    """Settings of a process that reads mutated files."""
    torch.set_num_threads(1)
    init_default_scope('mmdet')
    MMLogger.get_instance('fuzz', log_level='ERROR')
    h5_examination.SECONDS = 5.0


def fuzz(
    inputs: int, seed: int, processes: int = 2, report: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """Run inputs 0, 1, ... of a seed; ``report`` each and return what came of them."""
    context = multiprocessing.get_context('fork')
    root = Path(tempfile.mkdtemp(prefix='mmav_fuzz_'))
    outcomes: list[Outcome] = []
    running: dict[Connection, list] = {}
    started = 0

    def start(numbers: list[int]) -> None:
        nonlocal started
        receiver, sender = context.Pipe(duplex=False)
        started += 1
        process = context.Process(target=work, args=(sender, numbers, seed, root / str(started)))
        process.start()
        sender.close()
        running[receiver] = [process, numbers, time.monotonic()]

    for part in range(processes):
        start(list(range(part, inputs, processes)))
    while running:
        ready = set(wait(list(running), timeout=1.0))
        for connection, (process, numbers, since) in list(running.items()):
            ended = None
            if connection in ready:
                try:
                    outcome = connection.recv()
                except EOFError:
                    process.join()
                    ended = f'the process died ({process.exitcode})'
                else:
                    running[connection][2] = time.monotonic()
                    if outcome is None:
                        del running[connection]
                        process.join()
                    else:
                        outcomes.append(outcome)
                        report(outcome)
                        numbers.pop(0)
            elif time.monotonic() - since > SECONDS + (0 if outcomes else 60):
                process.kill()
                ended = f'no end within {SECONDS:g} s'
            if ended is not None:
                del running[connection]
                number = numbers.pop(0)
                outcomes.append(Outcome(number, FORMATS[number % len(FORMATS)].name, '?', FAULT, ended))
                report(outcomes[-1])
                if numbers:
                    start(numbers)
    shutil.rmtree(root, ignore_errors=True)
    return sorted(outcomes, key=lambda outcome: outcome.number)


def table(outcomes: list[Outcome]) -> str:
    """Counts by format, as Markdown."""
    counts = Counter((outcome.format, outcome.kind) for outcome in outcomes)
    lines = ['| format | inputs | named errors | right values | faults |', '|---|---|---|---|---|']
    for name in (*dict.fromkeys(format.name for format in FORMATS), 'all'):
        row = [
            sum(n for (f, k), n in counts.items() if name in (f, 'all') and k == kind)
            for kind in (NAMED, RIGHT, FAULT)
        ]
        lines.append(f'| {name} | {sum(row)} | {row[0]} | {row[1]} | {row[2]} |')
    return '\n'.join(lines)


def describe(outcome: Outcome, seed: int) -> str:
    """A fault, and how to repeat it."""
    repeat = f'python tests/fuzz/fuzz.py --seed {seed} --only {outcome.number}'
    return f'{outcome.format}, {outcome.mutation}: {outcome.detail}\n    {repeat}'


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--inputs', type=int, default=2000, help='how many; default 2000')
    parser.add_argument('--seed', type=int, default=0, help='of the mutations; default 0')
    parser.add_argument('--processes', type=int, default=2, help='default 2')
    parser.add_argument('--only', type=int, help='one input, with the traceback of its error')
    args = parser.parse_args()
    if args.only is not None:
        with tempfile.TemporaryDirectory() as folder:
            prepare()
            outcome = run(args.only, args.seed, {}, Path(folder) / 'files', show=True)
            print(outcome.kind, describe(outcome, args.seed))
            return int(outcome.kind == FAULT)

    def report(outcome: Outcome) -> None:
        if outcome.kind == FAULT:
            print(describe(outcome, args.seed), flush=True)

    outcomes = fuzz(args.inputs, args.seed, args.processes, report)
    print(f'\nseed {args.seed}\n\n{table(outcomes)}')
    return int(any(outcome.kind == FAULT for outcome in outcomes))


if __name__ == '__main__':
    sys.exit(main())
