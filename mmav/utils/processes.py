"""Processes: many independent jobs in several, and such that need not import the package again."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.context import BaseContext
from multiprocessing.forkserver import get_inherited_fds
from typing import TypeVar

import cv2

Job = TypeVar('Job')
Result = TypeVar('Result')


def run_in_processes(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int
) -> Iterator[Result]:
    """Do jobs side by side, each process with one thread of OpenCV.

    An exception of a job, or a keyboard interrupt, ends the jobs under way and is raised; workers end with
    the process that called.

    Args:
        function: What to do with a job; it can be pickled.
        jobs: Its arguments.
        workers: Number of processes; 0 works in the calling process.

    Yields:
        Results in order of completion.
    """
    if workers <= 0 or len(jobs) == 0:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield from map(function, jobs)
        finally:
            cv2.setNumThreads(threads)
        return
    # A fork starts at once; where there is none, a fresh interpreter imports the package again.
    method = 'fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn'
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context(method), initializer=_prepare_worker
    )
    try:
        pending = [pool.submit(function, job) for job in jobs]
        for future in as_completed(pending):
            yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _prepare_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches every process; the parent alone answers, workers finish their job.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    # An orphan would go on writing into the folder while the next run does.
    parent = multiprocessing.parent_process()
    assert parent is not None  # of a worker
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def preloaded_processes(modules: Sequence[str] = ('mmav',)) -> BaseContext:
    """Context of processes that are safe to start at any time and quick to be there.

    A fork of a process with threads (of torch, OpenCV) may hang, and to import the package takes several
    seconds. So its processes are forks of one that has imported it and does nothing else; where libraries do
    not bear a fork, each begins afresh. A process that is such a fork itself, and has no thread but its own,
    is forked again. Forks begin with the same state of all random generators.

    Args:
        modules: What to import beforehand. The first call of a program decides.

    Returns:
        As of ``multiprocessing.get_context``.
    """
    if sys.platform != 'linux':
        return multiprocessing.get_context('spawn')
    if get_inherited_fds() is not None and threading.active_count() == 1:
        return multiprocessing.get_context('fork')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(list(modules))
    return context
