import os
import signal
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import cv2
import pytest
import torch

from mmav.utils.processes import multiprocessing_context, run_in_processes


def square(number):
    if number == 13:
        raise ValueError('thirteen')
    return number**2, os.getpid(), cv2.getNumThreads()


def write_until_told(folder, job):
    with (folder / f'begun_{job:02}').open('a') as file:
        while not (folder / 'enough').exists():
            file.write('.')
            file.flush()
            time.sleep(0.02)
    (folder / f'done_{job:02}').touch()


def work_in_two(folder, threaded):
    os.setsid()  # a process group of its own, as of a command at a terminal
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which tests in the background ignore
    if threaded:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    list(run_in_processes(partial(write_until_told, folder), range(20), 2))


def names(folder, what):
    return {path.name[-2:] for path in folder.glob(f'{what}_*')}


def begin_work(folder, threaded):
    process = multiprocessing_context().Process(target=work_in_two, args=(folder, threaded))
    process.start()
    deadline = time.time() + 120
    while len(names(folder, 'begun')) < 2:
        assert process.is_alive() and time.time() < deadline
        time.sleep(0.02)
    return process


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


# a caller with one thread is forked, one with several starts a server
@pytest.mark.parametrize('threaded', [False, True])
def test_workers_end_with_a_killed_caller(tmp_path, threaded):
    caller = begin_work(tmp_path, threaded)
    caller.kill()
    caller.join()

    def sizes():
        return [path.stat().st_size for path in sorted(tmp_path.glob('begun_*'))]

    before, deadline = sizes(), time.time() + 60
    while True:
        time.sleep(1)
        if sizes() == before:
            break
        assert time.time() < deadline
        before = sizes()
    (tmp_path / 'enough').touch()
    time.sleep(0.5)
    assert len(names(tmp_path, 'begun')) == 2 and not names(tmp_path, 'done')


@pytest.mark.parametrize('threaded', [False, True])
def test_interrupt_leaves_no_job_half_done(tmp_path, threaded):
    caller = begin_work(tmp_path, threaded)
    os.killpg(caller.pid, signal.SIGINT)
    time.sleep(0.5)
    assert caller.is_alive() and not names(tmp_path, 'done')
    (tmp_path / 'enough').touch()
    caller.join(60)
    assert caller.exitcode == 1
    # the jobs under way and those handed to the workers end, the others do not begin
    assert names(tmp_path, 'begun') == names(tmp_path, 'done')
    assert 2 <= len(names(tmp_path, 'done')) < 20


def busy(_: int) -> tuple[int, bool, float]:
    # several threads: what hangs in a fork of a process whose threads have begun to work
    torch.set_num_threads(2)
    value = float(torch.ones(400, 400).matmul(torch.ones(400, 400)).mean())
    return os.getppid(), 'mmav' in sys.modules, value


def test_children_of_a_threaded_process_work():
    torch.ones(400, 400).matmul(torch.ones(400, 400))
    with ProcessPoolExecutor(2, multiprocessing_context()) as pool:
        results = list(pool.map(busy, range(4)))
    assert {result[1:] for result in results} == {(True, 400.0)}
    # their parent is the process that imported, where there is one
    assert {parent != os.getpid() for parent, *_ in results} == {sys.platform == 'linux'}
