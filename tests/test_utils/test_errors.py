import subprocess
import sys
from pathlib import Path

import pytest

from mmav.utils import errors

PROGRAM = """
import runpy
errors = runpy.run_path({file!r})
with errors['one_line_errors']():
    raise {error}
"""


def run(folder: Path, error: str) -> subprocess.CompletedProcess:
    tool = folder / 'some_tool.py'
    tool.write_text(PROGRAM.format(file=errors.__file__, error=error))
    return subprocess.run([sys.executable, tool], capture_output=True, text=True)


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        ("errors['SampleError']('dog.wav', 'is empty')", 'some_tool: dog.wav: is empty\n'),
        ("FileNotFoundError(2, 'No such file', 'x.pth')", "some_tool: [Errno 2] No such file: 'x.pth'\n"),
    ],
)
def test_bad_input_ends_a_command_in_one_line(tmp_path, error, line):
    ended = run(tmp_path, error)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, '', line)


def test_faults_of_the_program_keep_their_traceback(tmp_path):
    ended = run(tmp_path, "KeyError('bboxes')")
    assert ended.returncode == 1 and ended.stderr.startswith('Traceback')
