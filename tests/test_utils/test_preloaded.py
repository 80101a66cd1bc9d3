import os
import sys
from concurrent.futures import ProcessPoolExecutor

import torch

from mmav.utils.preloaded import preloaded_processes


def busy(_: int) -> tuple[int, bool, float]:
    # several threads: what hangs in a fork of a process whose threads have begun to work
    torch.set_num_threads(2)
    value = float(torch.ones(400, 400).matmul(torch.ones(400, 400)).mean())
    return os.getppid(), 'mmav' in sys.modules, value


def test_children_of_a_threaded_process_work():
    torch.ones(400, 400).matmul(torch.ones(400, 400))
    with ProcessPoolExecutor(2, preloaded_processes()) as pool:
        results = list(pool.map(busy, range(4)))
    assert {result[1:] for result in results} == {(True, 400.0)}
    # their parent is the process that imported, where there is one
    assert {parent != os.getpid() for parent, *_ in results} == {sys.platform == 'linux'}
