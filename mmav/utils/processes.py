"""Processes: how they are started, and many independent jobs in several of them."""

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
import torch

Job = TypeVar('Job')
Result = TypeVar('Result')


def run_in_processes(
    function: Callable[[Job], Result], jobs: Sequence[Job], workers: int
) -> Iterator[Result]:
    """Do independent jobs in several processes, each with one thread of OpenCV and of PyTorch.

    An exception of a job, or a keyboard interrupt, cancels the jobs that have not begun and is raised;
    workers end with the process that called, also where it is killed. Processes are those of
    :func:`multiprocessing_context`: a program that calls this needs the usual ``if __name__ == '__main__'``,
    and a job that draws random numbers seeds its generator itself.

    Args:
        function: Does a job. It can be pickled, as can each job and its result.
        jobs: Arguments of the function.
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
    pool = ProcessPoolExecutor(min(workers, len(jobs)), multiprocessing_context(), _prepare_worker)
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
    torch.set_num_threads(1)
    # Ctrl-C reaches every process; the parent alone answers, workers finish their job.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # An orphan would go on writing into the folder while the next run does.
    parent = multiprocessing.parent_process()
    assert parent is not None  # of a worker
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def multiprocessing_context(preload: Sequence[str] = ('mmav',)) -> BaseContext:
    """How this package starts processes: safe at any time, and without importing the package in each.

    A fork of a process with threads (of PyTorch, OpenCV) may hang, and to import the package takes several
    seconds. On Linux processes are therefore forks of a server that has imported it and does nothing else
    (``forkserver``), elsewhere fresh interpreters (``spawn``). A process that is such a fork itself, and has
    one thread only, is forked directly. All forks begin with the same state of the random generators.

    Args:
        preload: Modules that the server imports. The first call of a program decides.

    Returns:
        Context as of ``multiprocessing.get_context``.
    """
    if sys.platform != 'linux':
        return multiprocessing.get_context('spawn')
    if get_inherited_fds() is not None and threading.active_count() == 1:
        return multiprocessing.get_context('fork')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(list(preload))
    return context
