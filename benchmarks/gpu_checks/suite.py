"""The tests marked ``gpu``, in a process of their own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]


class FailedTestsError(Exception):
    """Tests failed, or could not run."""


def run_tests(device: str, seconds: float, chosen: str = '', told: Sequence[str] = ()) -> dict[str, Any]:
    """Run the tests marked ``gpu`` on a device.

    Args:
        device: 'cuda' or 'cpu'.
        seconds: Time limit.
        chosen: Which tests, as pytest's ``-k``; '' is all.
        told: More options of pytest.

    Returns:
        How many passed.

    Raises:
        FailedTestsError: With the first messages, if any failed, none ran, or the time was up.
    """
    with tempfile.TemporaryDirectory(prefix='mmav_gpu_') as folder:
        report = Path(folder) / 'report.xml'
        command = [sys.executable, '-m', 'pytest', 'tests/test_gpu', '-m', 'gpu', '--device', device]
        # the project's options are for two processes, of a package that need not be there
        command += ['-q', '-o', 'addopts=', '-p', 'no:cacheprovider', '--tb=short', f'--junitxml={report}']
        command += ['-k', chosen] if chosen else []
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get('PYTHONPATH'))))
        try:
            finished = subprocess.run(
                [*command, *told],
                cwd=ROOT,
                env=dict(os.environ, PYTHONPATH=path),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            output = error.stdout or b''
            text = output.decode(errors='replace') if isinstance(output, bytes) else output
            raise FailedTestsError(f'stopped after {seconds:.0f} s, at: {text[-200:]}') from error
        if not report.exists():
            raise FailedTestsError(f'pytest did not run: {finished.stdout[-300:]}')
        return _count(report)


def _count(report: Path) -> dict[str, Any]:
    """Numbers from a JUnit report; FailedTestsError if a test failed or none ran."""
    cases = list(ElementTree.parse(report).getroot().iter('testcase'))
    failures = []
    for case in cases:
        for kind in ('failure', 'error'):
            if (found := case.find(kind)) is not None:
                failures.append(f'{case.get("name")}: {(found.get("message") or kind).splitlines()[0][:150]}')
    if failures:
        shown = '; '.join(failures[:10])
        raise FailedTestsError(f'{len(failures)} of {len(cases)} tests failed: {shown}')
    if not cases:
        raise FailedTestsError('no test was chosen')
    return dict(tests=len(cases))
