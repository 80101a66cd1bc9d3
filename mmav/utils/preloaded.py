"""Processes that need not import the package again."""

import multiprocessing
import sys
from collections.abc import Sequence
from multiprocessing.context import BaseContext


def preloaded_processes(modules: Sequence[str] = ('mmav',)) -> BaseContext:
    """Context of processes that are safe to start at any time and quick to be there.

    A fork of a process with threads (of torch, OpenCV) may hang, and to import the package takes several
    seconds. So its processes are forks of one that has imported it and does nothing else; where libraries do
    not bear a fork, each begins afresh. Forks begin with the same state of all random generators.

    Args:
        modules: What to import beforehand. The first call of a program decides.

    Returns:
        BaseContext: As of ``multiprocessing.get_context``.
    """
    context = multiprocessing.get_context('forkserver' if sys.platform == 'linux' else 'spawn')
    context.set_forkserver_preload(list(modules))
    return context
