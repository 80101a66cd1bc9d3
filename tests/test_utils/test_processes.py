import os

import cv2
import pytest

from mmav.utils.processes import run_in_processes


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
