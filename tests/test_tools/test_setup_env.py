"""The set-up of the environment, before it installs anything."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / 'tools' / 'setup_env.sh'


def test_a_full_disk_is_named_before_anything_is_installed(tmp_path):
    (tmp_path / 'bin').mkdir()
    df = tmp_path / 'bin/df'
    lines = ('Filesystem 1024-blocks Used Available Capacity Mounted', f'disk 9999999 9 {7 * 1048576} 1% /')
    df.write_text('#!/bin/sh\n' + '\n'.join(f'echo {line}' for line in lines))
    df.chmod(0o755)
    environment = dict(
        os.environ,
        PATH=f'{df.parent}{os.pathsep}{os.environ["PATH"]}',
        VENV=str(tmp_path / 'venv'),
        PYTHON=sys.executable,
    )
    result = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert f'{tmp_path}/venv needs 8 GB, its disk has 7 GB left' in result.stderr
    assert not (tmp_path / 'venv/bin').exists()
