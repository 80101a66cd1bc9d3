import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_engine'))  # toy_training

DEMOS = Path(__file__).parents[2] / 'tools' / 'demos'


@pytest.fixture
def run_demo() -> Callable[[str, Path], str]:
    """Run a demo in miniature, in a process of its own; gives what it printed."""

    def run(script: str, work_dir: Path) -> str:
        command = [sys.executable, str(DEMOS / script), '--preset', 'tiny', '--workers', '1']
        environment = dict(os.environ, OMP_NUM_THREADS='1')
        result = subprocess.run(
            [*command, '--work-dir', str(work_dir)], capture_output=True, text=True, env=environment
        )
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout

    return run
