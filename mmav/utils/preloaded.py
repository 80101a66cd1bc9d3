"""Processes that need not import the package again."""

import multiprocessing
import sys
import threading
from collections.abc import Sequence
from multiprocessing.context import BaseContext
from multiprocessing.forkserver import get_inherited_fds


def preloaded_processes(modules: Sequence[str] = ('mmav',)) -> BaseContext:
    """Context of processes that are safe to start at any time and quick to be there.

    A fork of a process with threads (of torch, OpenCV) may hang, and to import the package takes several
    seconds. So its processes are forks of one that has imported it and does nothing else; where libraries do
    not bear a fork, each begins afresh. A process that is such a fork itself, and has no thread but its own,
    is forked again. Forks begin with the same state of all random generators.

    Args:
        modules: What to import beforehand. The first call of a program decides.

    Returns:
        BaseContext: As of ``multiprocessing.get_context``.
    """
    if sys.platform != 'linux':
        return multiprocessing.get_context('spawn')
    if get_inherited_fds() is not None and threading.active_count() == 1:
        return multiprocessing.get_context('fork')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(list(modules))
    return context
