"""What the demos share: steps that are done once, and training and testing of a config."""

import argparse
import gc
import hashlib
import itertools
import json
import multiprocessing
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / 'tools' / 'dataset_converters'))

from tool_server import SERVED, start_server

start_server(serial=())

import mmav  # noqa: F401  (registers everything)

# isort: split
import torch
from mmengine.config import Config
from mmengine.fileio import dump, load
from mmengine.registry import RUNNERS, init_default_scope
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from mmav.utils.command_line import ToolParser
from mmav.utils.config_text import without_layout
from mmav.utils.errors import one_line_errors
from mmav.utils.fileio import write_json
from mmav.utils.locks import OutputInUseError, folder_lock
from mmav.utils.processes import multiprocessing_context


class Steps:
    """Named steps whose results are kept, so that a stopped demo carries on where it was.

    Args:
        work_dir: Folder of the demo; results lie in ``steps/<name>.json``.
        **settings: What the results of all steps depend on, ``seed`` among it.
    """

    def __init__(self, work_dir: Path, **settings: object) -> None:
        self.work_dir, self.settings = work_dir, settings
        self.folder = work_dir / 'steps'
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seconds: dict[str, float] = {}
        self.started: dict[str, float] = {}

    def run(self, name: str, title: str, function: Callable[[], object], **settings: object) -> object:
        """Do a step, or return its kept result if it was done with the same settings.

        Args:
            name: Name of the step, used as a file name.
            title: What the user reads.
            function: Does the step; returns something json can hold.
            **settings: What else its result depends on.

        Returns:
            What ``function`` returned.
        """
        content = json.dumps(self.settings | settings, sort_keys=True, default=str)
        key = hashlib.sha256(content.encode()).hexdigest()
        file = self.folder / f'{name}.json'
        kept = load(file) if file.exists() else {}
        done = kept.get('key') == key
        print(f'\n=== {title}{": done before" if done else ""}', flush=True)
        if not done:
            kept = dict(key=key, started=time.time(), result=function())
            kept['seconds'] = time.time() - kept['started']
            write_json(file, kept)
        self.seconds[name], self.started[name] = kept['seconds'], kept['started']
        return kept['result']

    def tool(self, name: str, title: str, tool: str, *arguments: object, threads: int | None = None) -> None:
        """Do a step by :func:`run_tool`."""
        self.run(name, title, lambda: run_tool(tool, *arguments, threads=threads))

    def train(self, key: str, title: str, config: str, options: dict, **slot: object) -> str:
        """Do a step by :func:`train`, in the folder ``key``; ``slot``: see :meth:`JobPool.submit`."""
        folder = self.work_dir / key
        return self.run(f'train_{key}', title, lambda: train(config, key, folder, options, **slot))

    def test(self, key: str, title: str, config: str, checkpoint: str, options: dict) -> dict[str, float]:
        """Do a step by :func:`test`, in the folder ``key``."""
        folder = self.work_dir / key
        return self.run(f'test_{key}', title, lambda: test(config, key, checkpoint, folder, options))

    def outcome(self, **more: object) -> dict:
        """What reports need to know of the run, beside ``more``: its seed, and the time that it took."""
        total, end = 0.0, 0.0  # where several steps ran at once, time counts once
        for name, start in sorted(self.started.items(), key=lambda item: item[1]):
            total += max(0.0, start + self.seconds[name] - max(start, end))
            end = max(end, start + self.seconds[name])
        return dict(seed=self.settings['seed'], seconds=self.seconds, total_seconds=total, **more)


class JobPool:
    """Jobs side by side: networks this small run no faster on more threads, so two of them train at a time.

    A context manager; jobs start in the order in which they are submitted.

    Args:
        count: Jobs at a time.
    """

    def __init__(self, count: int = 2) -> None:
        self.threads = max(1, (os.cpu_count() or count) // count)
        self._slot = threading.local()
        positions = itertools.count()
        self._pool = ThreadPoolExecutor(
            count, initializer=lambda: setattr(self._slot, 'position', next(positions))
        )

    def __enter__(self) -> 'JobPool':
        return self

    def __exit__(self, *error) -> None:
        self._pool.shutdown(cancel_futures=error[0] is not None)

    def submit(self, function: Callable[..., object], *args: object, **options: object) -> Future:
        """Submit a job with ``args``, ``options``, and ``threads`` and ``position`` of :func:`train`."""
        slot = self._slot
        return self._pool.submit(
            lambda: function(*args, **options, threads=self.threads, position=slot.position)
        )


def _run_as_tool(
    tool: Path, arguments: tuple[str, ...], threads: int | None, low_priority: bool, succeeded: Connection
) -> None:
    """Go on as the process of a tool, and say so through ``succeeded`` if it ends well."""
    gc.freeze()  # mmengine collects garbage for every data set; what was imported is none
    multiprocessing.set_start_method(None, force=True)  # that of any program, not the server's
    tqdm.monitor_interval = 0  # no thread that a fork would have to do without
    if low_priority and hasattr(os, 'setpriority'):
        os.setpriority(os.PRIO_PROCESS, 0, 10)
    if threads is not None:
        # The libraries are loaded and read no variable any more; processes to come do.
        os.environ['OMP_NUM_THREADS'] = str(threads)
        torch.set_num_threads(threads)
        threadpool_limits(threads)
    sys.argv = [str(tool), *arguments]
    sys.path.insert(0, str(tool.parent))
    try:
        runpy.run_path(str(tool), run_name='__main__')
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    succeeded.send(True)


def run_tool(tool: str, *arguments: object, threads: int | None = None, low_priority: bool = False) -> None:
    """Run one of ``tools/`` in a process of its own, its output on the terminal.

    Args:
        tool: Path below ``tools/``.
        *arguments: Command line.
        threads: Threads of its arithmetic; as many as there are cores by default.
        low_priority: Whether it leaves the processor to others where there is too little of it.

    Raises:
        SystemExit: The tool failed; its own message is on the terminal.
    """
    path, texts = ROOT / 'tools' / tool, tuple(map(str, arguments))
    # to import the package takes longer than many a step
    context = multiprocessing_context(SERVED)
    # A pipe tells the outcome: the start of a process polls all others of the program, so that their exit
    # codes are lost (255) where one of them ends while another thread waits for it.
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_as_tool, args=(path, texts, threads, low_priority, sender))
    process.start()
    sender.close()
    try:
        receiver.recv()
    except EOFError:
        succeeded = False
    else:
        succeeded = True
    process.join()
    if not succeeded:
        command = ' '.join([sys.executable, str(path), *texts])
        raise SystemExit(f'this step failed (its message is above, exit code {process.exitcode}): {command}')


def _adapt_config(config: str, name: str, overrides: dict, position: int = 0) -> Config:
    cfg = without_layout(Config.fromfile(ROOT / 'configs' / config))
    bar = dict(type='ProgressBarHook', name=name, position=position)
    cfg.merge_from_dict(dict(overrides, log_level='WARNING', custom_hooks=[bar]))
    return cfg


def train(
    config: str,
    name: str,
    work_dir: Path,
    overrides: dict,
    threads: int | None = None,
    position: int = 0,
    low_priority: bool = False,
) -> str:
    """Train a config by ``tools/train.py``, where an earlier try stopped; return the last checkpoint.

    Args:
        config: Path below ``configs/``.
        name: Text before the progress bar.
        work_dir: Folder of the run.
        overrides: Dotted keys and values, as in ``--cfg-options``.
        threads: See :func:`run_tool`.
        position: Line of the progress bar, where several are shown.
        low_priority: See :func:`run_tool`.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    adapted = work_dir / 'config.py'
    _adapt_config(config, name, overrides, position).dump(adapted)
    options = dict(threads=threads, low_priority=low_priority)
    run_tool('train.py', adapted, '--work-dir', work_dir, '--resume', **options)
    return (work_dir / 'last_checkpoint').read_text().strip()


def test(config: str, name: str, checkpoint: str, work_dir: Path, overrides: dict) -> dict[str, float]:
    """Test a checkpoint with the stock runner; arguments as of :func:`train`. Return the metrics."""
    cfg = _adapt_config(config, name, dict(overrides, work_dir=str(work_dir), load_from=checkpoint))
    # Visualizers of one name are one object, which keeps the first run's folder.
    cfg.visualizer.name = f'{work_dir} {time.time()}'
    return {key: float(value) for key, value in RUNNERS.build(cfg).test().items()}


def epoch_options(
    data: Path, seed: int, epochs: int, splits: Sequence[str] = ('train', 'val', 'test'), loaders: int = 0
) -> dict:
    """Overrides for a demo's data and seed, and for a length of training without validation.

    ``splits`` are those that the config has, ``loaders`` processes load for each network; 0: it does that
    itself.
    """
    options = {
        'randomness.seed': seed,
        'train_cfg.max_epochs': epochs,
        'default_hooks.checkpoint.interval': epochs,
    }
    if 'val' in splits:
        options['train_cfg.val_interval'] = epochs + 1
    for split in splits:
        options |= {
            f'{split}_dataloader.dataset.data_root': str(data),
            f'{split}_dataloader.num_workers': loaders,
            f'{split}_dataloader.persistent_workers': loaders > 0,
        }
    return options


def run_from_command_line(
    description: str,
    work_dir: str,
    plans: dict[str, object],
    run: Callable[..., dict],
    report: Callable[[Path, dict], None],
    options: Mapping[str, Mapping] | None = None,
) -> None:
    """Run a demo as the command line says, keep its outcome and write its report.

    Args:
        description: Of the demo.
        work_dir: Its folder unless ``--work-dir`` names another.
        plans: Its sizes by preset.
        run: Takes folder, plan, seed and number of processes that simulate, and the options by keyword;
            returns what json can hold.
        report: Takes folder and outcome.
        options: Further ones of the command line, with what ``add_argument`` takes of each.
    """
    parser = ToolParser(description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_output('--work-dir', type=Path, default=Path(work_dir))
    parser.add_argument('--preset', choices=list(plans), default='demo')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2, help='processes that simulate')
    further = [parser.add_argument(name, **kwargs).dest for name, kwargs in (options or {}).items()]
    args = parser.parse_args()
    init_default_scope('mmdet')
    gc.freeze()  # as in _run_as_tool
    with one_line_errors((OutputInUseError,)), folder_lock(args.work_dir, 'demo'):
        values = {name: getattr(args, name) for name in further}
        outcome = run(args.work_dir, plans[args.preset], args.seed, args.workers, **values)
        dump(outcome, args.work_dir / 'results.json', indent=2)
        report(args.work_dir, outcome)
