"""The server of worker processes starts early where a command line will need it, and not elsewhere."""

import multiprocessing.forkserver
import os
import sys

import pytest
import tool_server


@pytest.fixture
def started(monkeypatch) -> list:
    """Keeps the server from starting and notes when it would have."""
    calls: list = []
    monkeypatch.setattr(multiprocessing.forkserver, 'ensure_running', lambda: calls.append('started'))
    monkeypatch.setattr(multiprocessing.forkserver, 'set_forkserver_preload', calls.append)
    monkeypatch.setattr(multiprocessing.forkserver, 'get_inherited_fds', lambda: None)
    monkeypatch.setattr(sys, 'platform', 'linux')
    return calls


@pytest.mark.parametrize(
    ('arguments', 'options', 'expected'),
    [
        ('out', {}, True),
        ('out --preset demo --drives 1 1 1 --workers 2', {}, True),
        ('out --workers=1', {}, True),
        ('out --workers 0', {}, False),
        ('out --help', {}, False),
        ('-h', {}, False),
        ('out --workers many', {}, False),
        ('data out', dict(serial=(None, 0, 1)), False),
        ('data out --workers 1', dict(serial=(None, 0, 1)), False),
        ('data out --workers 2', dict(serial=(None, 0, 1)), True),
    ],
)
def test_starts_where_workers_are_needed(started, monkeypatch, arguments, options, expected):
    monkeypatch.setattr(sys, 'argv', ['tool.py', *arguments.split()])
    tool_server.start_server(**options)
    assert started == ([['mmav', 'mmav.simulation'], 'started'] if expected else [])


@pytest.mark.parametrize('change', ['platform', 'fork'])
def test_not_elsewhere_and_not_in_its_own_forks(started, monkeypatch, change):
    monkeypatch.setattr(sys, 'argv', ['tool.py', 'out'])
    if change == 'platform':
        monkeypatch.setattr(sys, 'platform', 'darwin')
    else:
        monkeypatch.setattr(multiprocessing.forkserver, 'get_inherited_fds', lambda: [3])
    tool_server.start_server()
    assert started == []


def test_threads(started, monkeypatch):
    names = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')
    for name in names:
        monkeypatch.setenv(name, '7')
    monkeypatch.setattr(sys, 'argv', ['tool.py', 'out'])
    tool_server.start_server()
    assert [os.environ[name] for name in names] == ['7'] * 3
    tool_server.start_server(threads=1)
    assert [os.environ[name] for name in names] == ['1'] * 3
