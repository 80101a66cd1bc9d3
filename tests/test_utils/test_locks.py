"""Locks between real processes."""

import errno
import fcntl
import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from mmav.utils import locks
from mmav.utils.locks import LOCK_FILE, OutputInUseError, file_lock, folder_lock, holds_lock
from mmav.utils.processes import multiprocessing_context


def hold(folder: Path, pipe) -> None:
    with folder_lock(folder, 'holding'):
        pipe.send('held')
        pipe.recv()


def try_to_hold(folder: Path, pipe) -> None:
    try:
        with folder_lock(folder, 'trying'):
            pipe.send(None)
            pipe.recv()
    except OutputInUseError as error:
        pipe.send(str(error))


def start(function, folder: Path):
    ours, theirs = multiprocessing_context().Pipe()
    process = multiprocessing_context().Process(target=function, args=(folder, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


@pytest.fixture
def holder(tmp_path):
    process, pipe = start(hold, tmp_path / 'out')
    assert pipe.recv() == 'held'
    yield process, pipe
    process.kill()
    process.join()


def test_the_second_is_told_who_holds_it(tmp_path, holder):
    process, pipe = holder
    with pytest.raises(OutputInUseError) as caught, folder_lock(str(tmp_path / 'out'), 'test'):
        raise AssertionError('two processes in one folder')
    pattern = (
        rf'{tmp_path}/out is in use by process {process.pid} on {re.escape(socket.gethostname())} since '
        r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S+ \(holding: .+\): wait until it ends, or choose another output'
    )
    assert re.fullmatch(pattern, str(caught.value)) and isinstance(caught.value, OSError)
    pipe.send('end')
    process.join()
    with folder_lock(tmp_path / 'out', 'test'):
        pass
    assert os.listdir(tmp_path / 'out') == []


def test_a_killed_holder_blocks_nobody(tmp_path, holder):
    process, _ = holder
    process.kill()
    process.join()
    assert os.listdir(tmp_path / 'out') == [LOCK_FILE]
    with folder_lock(tmp_path / 'out', 'test'):
        assert json.loads((tmp_path / 'out' / LOCK_FILE).read_text())['pid'] == os.getpid()
    assert os.listdir(tmp_path / 'out') == []


def test_one_of_many_at_once_gets_it(tmp_path):
    started = [start(try_to_hold, tmp_path / 'new' / 'out') for _ in range(6)]
    answers = [pipe.recv() for _, pipe in started]
    winner = next(process.pid for (process, _), answer in zip(started, answers) if answer is None)
    refused = [answer for answer in answers if answer is not None]
    assert len(refused) == 5 and all(f'process {winner} ' in answer for answer in refused)
    for process, pipe in started:
        pipe.close()
        process.join()


def count_up(folder: Path, pipe) -> None:
    for _ in range(20):
        while True:
            try:
                with folder_lock(folder, 'counting'):
                    value = int((folder / 'count').read_text())
                    (folder / 'count').write_text('')
                    (folder / 'count').write_text(str(value + 1))
                break
            except OutputInUseError:
                time.sleep(0.001)
    pipe.send('done')


def test_a_lock_file_that_is_removed_lets_no_two_in(tmp_path):
    (tmp_path / 'count').write_text('0')
    started = [start(count_up, tmp_path) for _ in range(4)]
    assert [pipe.recv() for _, pipe in started] == ['done'] * 4
    assert (tmp_path / 'count').read_text() == '80' and os.listdir(tmp_path) == ['count']


def fork_and_hold(folder: Path, pipe) -> None:
    with folder_lock(folder, 'holding'):
        child = os.fork()
        if child == 0:  # as the loaders of a training
            time.sleep(60)
            os._exit(0)
        pipe.send(child)
        pipe.recv()


def test_what_a_killed_holder_forked_holds_nothing(tmp_path):
    process, pipe = start(fork_and_hold, tmp_path)
    child = pipe.recv()
    try:
        process.kill()
        process.join()
        with folder_lock(tmp_path, 'test'):
            os.kill(child, 0)  # it still lives
    finally:
        os.kill(child, signal.SIGKILL)


def test_who_holds_it_may_take_it_again(tmp_path):
    with folder_lock(tmp_path, 'outer'):
        with folder_lock(tmp_path / 'below' / '..', 'inner'):
            assert holds_lock(tmp_path) and holds_lock(tmp_path / 'below' / 'file')
        assert holds_lock(tmp_path) and not holds_lock(tmp_path.parent)
        assert (tmp_path / LOCK_FILE).exists()
    assert not holds_lock(tmp_path) and os.listdir(tmp_path) == []


def test_a_fork_of_the_holder_is_not_the_holder(tmp_path):
    with folder_lock(tmp_path, 'test'):
        child = os.fork()
        if child == 0:
            os._exit(1 if holds_lock(tmp_path) else 0)
        assert os.waitpid(child, 0)[1] == 0


def test_files_in_one_folder_have_locks_of_their_own(tmp_path):
    with file_lock(tmp_path / 'new' / 'a.json', 'test'), file_lock(tmp_path / 'new' / 'b.json', 'test'):
        assert holds_lock(tmp_path / 'new' / 'a.json') and not holds_lock(tmp_path / 'new')
    assert os.listdir(tmp_path / 'new') == []


def test_a_holder_that_does_not_say_who_it_is(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, '_PATIENCE', 0)
    for content in ('', '{"pid"', '[1]', '{"pid": 1}', '{"pid": "x"}', '\xff'):
        (tmp_path / 'out' / LOCK_FILE).write_text(content, encoding='latin-1')
        with pytest.raises(OutputInUseError, match='in use by another process: wait'):
            with folder_lock(tmp_path / 'out', 'test'):
                pass


def test_without_locks_of_the_file_system_a_warning_says_so(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    told = []
    monkeypatch.setattr(fcntl, 'flock', fail)
    monkeypatch.setattr(locks, 'print_log', lambda message, *_: told.append(message))
    with folder_lock(tmp_path, 'test'):
        assert holds_lock(tmp_path)
    assert told == [
        f'{tmp_path}: its file system has no locks (No locks available): let no other process write it'
    ]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match=rf'{tmp_path}/file'), folder_lock(tmp_path / 'file' / 'out', 'test'):
        pass
