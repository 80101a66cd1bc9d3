"""What the demos share: their steps run as processes, several at a time."""

import importlib
import multiprocessing.forkserver
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / 'tools' / 'demos'))
    return importlib.import_module('common')


def test_tools_that_end_while_others_start_have_succeeded(common, tmp_path, monkeypatch):
    # Python's own exit code of such a process is 255: two threads read it, of which one finds nothing
    read_signed, reading = multiprocessing.forkserver.read_signed, set()

    def let_others_overtake(file):
        if file not in reading:
            reading.add(file)
            time.sleep(0.2)
            reading.remove(file)
        return read_signed(file)

    monkeypatch.setattr(multiprocessing.forkserver, 'read_signed', let_others_overtake)
    tools = [tmp_path / f'tool_{number}.py' for number in range(4)]
    for number, tool in enumerate(tools):  # each ends while the exit code of the one before is read
        lines = ('import pathlib, sys, time', f'time.sleep({0.1 * number})')
        tool.write_text('\n'.join([*lines, f'pathlib.Path(sys.argv[1]).write_text("{tool.name}")']))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda tool: common.run_tool(str(tool), tool.with_suffix('.txt')), tools))
    assert [tool.with_suffix('.txt').read_text() for tool in tools] == [tool.name for tool in tools]


@pytest.mark.parametrize('end', ['raise SystemExit', 'raise SystemExit(0)', 'pass'])
def test_a_tool_that_ends_well(common, tmp_path, end):
    (tmp_path / 'tool.py').write_text(end)
    common.run_tool(str(tmp_path / 'tool.py'))


@pytest.mark.parametrize(
    'end', ['raise SystemExit(3)', 'raise SystemExit("bad")', '1 / 0', 'import os; os.kill(os.getpid(), 9)']
)
def test_a_tool_that_fails_is_named(common, tmp_path, end):
    (tmp_path / 'tool.py').write_text(end)
    with pytest.raises(SystemExit, match=r'this step failed .*tool\.py first second'):
        common.run_tool(str(tmp_path / 'tool.py'), 'first', 'second')
