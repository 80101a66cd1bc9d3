import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from forked_script import run_script

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_engine'))  # toy_training

DEMOS = Path(__file__).parents[2] / 'tools' / 'demos'


@pytest.fixture
def run_demo() -> Callable[[str, Path], str]:
    """Run a demo in miniature, in a process of its own; gives what it printed."""

    def run(script: str, work_dir: Path) -> str:
        command = [DEMOS / script, '--preset', 'tiny', '--workers', '1', '--work-dir', work_dir]
        return run_script(command, work_dir / 'printed.txt')

    return run
