"""The server whose forks are the worker processes of a tool; it imports the package while the tool does.

To import the package takes seconds, so a tool calls :func:`start_server` before its other imports.
"""

import argparse
import os
import sys
from collections.abc import Container
from multiprocessing import forkserver

SERVED = ('mmav', 'mmav.simulation')
"""What the processes have imported when they begin."""


def start_server(serial: Container[int | None] = (0,), threads: int | None = None) -> None:
    """Start the server, unless the command line needs none.

    On Linux alone: elsewhere processes are fresh interpreters (``mmav.utils.processes``).

    Args:
        serial: Values of ``--workers``, None where it is not given, with which the tool starts no process.
        threads: Threads of the arithmetic of each process; to be set before NumPy is imported. Defaults to
            the libraries' own.
    """
    if threads is not None:
        for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
            os.environ[name] = str(threads)
    if sys.platform != 'linux' or forkserver.get_inherited_fds() is not None:
        return  # the server's own forks import the tool's module again
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument('-h', '--help', action='store_true')
    parser.add_argument('--workers', type=int)
    try:
        options, _ = parser.parse_known_args()
    except argparse.ArgumentError:  # the tool says so
        return
    if not options.help and options.workers not in serial:
        forkserver.set_forkserver_preload(list(SERVED))
        forkserver.ensure_running()
