"""Scripts in processes of their own, forked from one that has imported the package, which takes seconds."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch

from mmav.utils.processes import multiprocessing_context


def _be_script(command: list[str], environment: dict[str, str], output: str) -> None:
    with open(output, 'w') as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.clear()
    os.environ.update(environment)
    multiprocessing.set_start_method(None, force=True)  # that of any program, not the server's
    torch.set_num_threads(1)
    np.random.seed(None)  # forks share its state
    sys.path[:0] = [str(Path(command[0]).parent), *environment.get('PYTHONPATH', '').split(os.pathsep)]
    sys.argv = command
    runpy.run_path(command[0], run_name='__main__')


def start_script(
    command: Sequence[object], output: Path, environment: Mapping[str, str] | None = None
) -> BaseProcess:
    """Start a script.

    Args:
        command: Its file, and its arguments.
        output: File that gets what it prints.
        environment: Variables of its environment. Defaults to those of this process.
    """
    arguments = (
        list(map(str, command)),
        dict(os.environ if environment is None else environment),
        str(output),
    )
    process = multiprocessing_context().Process(target=_be_script, args=arguments)
    process.start()
    return process


def finish(process: BaseProcess, timeout: float = 120) -> int:
    """Wait for a process; returns its exit code, negative for a signal."""
    process.join(timeout)
    if process.is_alive():
        process.kill()
        raise TimeoutError('the process did not end')
    return process.exitcode


def run_script(command: Sequence[object], output: Path) -> str:
    """Run a script, which must end well; returns what it printed."""
    code = finish(start_script(command, output), timeout=1200)
    printed = output.read_text()
    assert code == 0, printed[-3000:]
    return printed
