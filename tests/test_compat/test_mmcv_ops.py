"""``mmcv._ext`` where there is none: how it is found, what it says, and that a compiled one wins."""

import subprocess
import sys
from importlib.machinery import PathFinder

import pytest

from mmav.compat import describe_operators, provide_operators
from mmav.compat.mmcv_ops import NAME, _OperatorFinder, _OperatorModule

pytestmark = pytest.mark.stack

HIDE = """
import importlib.machinery
find = importlib.machinery.PathFinder.find_spec
def hidden(name, path=None, target=None):
    return None if name == 'mmcv._ext' else find(name, path, target)
importlib.machinery.PathFinder.find_spec = staticmethod(hidden)
"""


def run(program: str) -> str:
    """Run a program in an interpreter of its own; return what it prints."""
    result = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_found_last_and_only_once():
    provide_operators()
    provide_operators()
    assert [isinstance(finder, _OperatorFinder) for finder in sys.meta_path].count(True) == 1
    ours = next(i for i, finder in enumerate(sys.meta_path) if isinstance(finder, _OperatorFinder))
    assert sys.meta_path.index(PathFinder) < ours


def test_without_a_compiled_module_mmdet_is_imported_on_ours():
    printed = run(
        HIDE
        + 'import mmav, mmcv.ops, mmcv._ext, importlib.util\n'
        + 'print(mmcv._ext.__spec__.origin)\n'
        + 'print(importlib.util.find_spec("mmcv._ext") is not None)\n'
        + 'print(mmav.compat.describe_operators())\n'
        + 'print(mmcv.ops.get_compiler_version())\n'
    )
    lines = printed.splitlines()[-4:]
    assert lines[:2] == ['mmav.compat', 'True']
    assert lines[2].startswith('mmcv operators: not compiled, operators of torchvision')
    assert lines[3].startswith('none, operators of torchvision')


def test_a_compiled_module_wins(tmp_path):
    """The module lies in mmcv's folder, as a compiled one does."""
    (tmp_path / '_ext.py').write_text(
        'def __getattr__(name):\n'
        '    if name.startswith("__"):\n'
        '        raise AttributeError(name)\n'
        '    return lambda *args, **kwargs: f"compiled {name}"\n'
    )
    printed = run(
        f'import mmcv\nmmcv.__path__.insert(0, {str(tmp_path)!r})\n'
        'import mmav, mmcv._ext\n'
        'print(mmav.compat.describe_operators())\n'
        'print(mmcv._ext.nms())\n'
    )
    assert printed.splitlines()[-2:] == [
        f'mmcv operators: compiled ({tmp_path / "_ext.py"})',
        'compiled nms',
    ]


@pytest.mark.parametrize('name', ['carafe_forward', 'nms_rotated', 'no_such_operator'])
def test_another_operator_raises_when_it_is_called(name):
    operator = getattr(_OperatorModule(NAME), name)
    with pytest.raises(
        RuntimeError, match=rf"operator '{name}' is not compiled.*MMCV_WITH_OPS=1 pip install"
    ):
        operator(1, key=2)


def test_special_names_are_no_operators():
    with pytest.raises(AttributeError, match='__path__'):
        _OperatorModule(NAME).__path__  # noqa: B018


def test_compiled_for_another_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, NAME, raising=False)

    class WrongExtension:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == NAME:
                raise ImportError('undefined symbol: _ZN3c10')

    monkeypatch.setattr(sys, 'meta_path', [WrongExtension, *sys.meta_path])
    with pytest.raises(
        ImportError, match=r'do not fit the installed torch .*undefined symbol.*MMCV_WITH_OPS=1'
    ):
        provide_operators()


def test_described_in_one_line():
    assert '\n' not in describe_operators() and describe_operators().startswith('mmcv operators: ')
