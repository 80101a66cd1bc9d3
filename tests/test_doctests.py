"""The examples in docstrings run, and what losses and metrics offer has one that shows a result."""

import doctest
import importlib
import inspect
import pkgutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

import mmav

PACKAGES = (
    'mmav.evaluation.functional',
    'mmav.evaluation.metrics',
    'mmav.models.layers',
    'mmav.models.losses',
)


def _examples() -> dict[str, int]:
    """Examples that the source of each module has, where it has any; only packages are imported for it."""
    modules = [module.name for module in pkgutil.walk_packages(mmav.__path__, 'mmav.')]
    numbers = {name: Path(find_spec(name).origin).read_text().count('>>> ') for name in modules}
    return {name: number for name, number in numbers.items() if number}


EXAMPLES = _examples()


def _failures(tests: list[doctest.DocTest]) -> str:
    runner, report = doctest.DocTestRunner(verbose=False), []
    for test in tests:
        runner.run(test, out=report.append)
    return ''.join(report)


@pytest.mark.parametrize('name', EXAMPLES)
def test_examples_run(name, tmp_path, monkeypatch):
    """With the names of their module, torch and np; in an empty folder."""
    monkeypatch.chdir(tmp_path)
    MMLogger.get_current_instance()  # made by an example it would write tables into that example's output
    tests = doctest.DocTestFinder().find(importlib.import_module(name), extraglobs=dict(torch=torch, np=np))
    assert sum(len(test.examples) for test in tests) == EXAMPLES[name]
    assert not _failures(tests)


@pytest.mark.parametrize('package', PACKAGES)
def test_what_is_offered_shows_a_result(package):
    package = importlib.import_module(package)
    offered = {name: getattr(package, name) for name in package.__all__}
    if package.__name__ == 'mmav.models.layers':  # of these the formulas
        offered = {name: value for name, value in offered.items() if inspect.isfunction(value)}
    parser = doctest.DocTestParser()
    examples = {name: parser.get_examples(value.__doc__) for name, value in offered.items()}
    assert examples
    assert not [name for name, found in examples.items() if not any(example.want for example in found)]


def test_a_wrong_example_is_found():
    test = doctest.DocTestParser().get_doctest('>>> 1 + 1\n3\n', {}, 'sum', None, 0)
    assert 'Expected:\n    3\nGot:\n    2' in _failures([test])
