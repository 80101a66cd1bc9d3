"""mmcv's operators where they are not compiled.

``mmcv.ops`` imports its compiled half, ``mmcv._ext``, at once, and mmdet imports ``mmcv.ops``; so without a
compiler neither can be imported. :func:`provide_operators` offers a module of that name in memory, made of
:mod:`mmav.compat.operators`, to Python's import system, behind all other ways to find it: a compiled one,
where there is one, is what is imported.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from .packages import compile_command

NAME = 'mmcv._ext'


def _not_compiled(name: str) -> Callable:
    """An operator that raises when it is called."""

    def operator(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f"mmcv's operator {name!r} is not compiled, and it is none of those that mmav.compat.operators "
            f'provides. Compile it with: {compile_command()}'
        )

    operator.__name__ = operator.__qualname__ = name
    return operator


class _OperatorModule(ModuleType):
    """``mmcv._ext`` of torchvision's operators. Any other name is an operator that raises when called."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        return _not_compiled(name)


class _OperatorLoader(importlib.abc.Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _OperatorModule(spec.name, 'mmcv operators by torchvision; see mmav.compat.')

    def exec_module(self, module: ModuleType) -> None:
        import torch
        import torchvision

        from . import operators

        for name in operators.__all__:
            setattr(module, name, getattr(operators, name))
        # what mmcv's report of the environment asks for
        vars(module).update(
            get_compiler_version=lambda: f'none, operators of torchvision {torchvision.__version__}',
            get_compiling_cuda_version=lambda: torch.version.cuda or 'not available',
        )


class _OperatorFinder(importlib.abc.MetaPathFinder):
    """Finds ``mmcv._ext`` where no other finder did."""

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != NAME:
            return None
        return importlib.machinery.ModuleSpec(fullname, _OperatorLoader(), origin='mmav.compat')


def provide_operators() -> None:
    """Make ``import mmcv._ext`` work where mmcv was installed without its compiled operators.

    Nothing is written into mmcv's folder. May be called any number of times; has to be before ``mmcv.ops``
    (so before mmdet) is imported for the first time.

    Raises:
        ImportError: The compiled operators are there and do not fit the installed PyTorch.
    """
    if not any(isinstance(finder, _OperatorFinder) for finder in sys.meta_path):
        sys.meta_path.append(_OperatorFinder())
    torch = importlib.import_module('torch')  # the compiled operators link against its libraries
    try:
        importlib.import_module(NAME)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name != NAME:
            raise
        raise ImportError(
            f'the compiled operators of mmcv do not fit the installed torch {torch.__version__} ({error}). '
            f'Compile them again with: {compile_command()}'
        ) from error


def describe_operators() -> str:
    """Which operators ``mmcv.ops`` uses, in one line for logs.

    Example:
        >>> from mmav.compat import describe_operators
        >>> describe_operators().startswith('mmcv operators: ')
        True
    """
    module = importlib.import_module(NAME)
    if isinstance(module, _OperatorModule):
        return f'mmcv operators: not compiled, {module.get_compiler_version().split(", ")[1]} in their place'
    return f'mmcv operators: compiled ({getattr(module, "__file__", module)})'
