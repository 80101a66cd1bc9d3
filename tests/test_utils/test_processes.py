import os
import sys
from concurrent.futures import ProcessPoolExecutor

import cv2
import pytest
import torch

from mmav.utils.processes import preloaded_processes, run_in_processes


def square(number):
    if number == 13:
        raise ValueError('thirteen')
    return number**2, os.getpid(), cv2.getNumThreads()


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_all_jobs_are_done_once(workers):
    threads = cv2.getNumThreads()
    results = list(run_in_processes(square, list(range(8)), workers))
    assert sorted(result for result, _, _ in results) == [number**2 for number in range(8)]
    assert {used for _, _, used in results} == {1} and cv2.getNumThreads() == threads
    assert (os.getpid() in {process for _, process, _ in results}) == (workers == 0)


@pytest.mark.parametrize('workers', [0, 2])
def test_fault_of_a_job_is_raised(workers):
    with pytest.raises(ValueError, match='thirteen'):
        list(run_in_processes(square, [1, 13, 2], workers))
    assert list(run_in_processes(square, [], workers)) == []


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
