"""Configs that checkpoints carry: read as data, where mmengine's own reader runs them as a program."""

import ast
import copy
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from .config_types import check_config_types, check_imports


def without_layout(cfg: Config) -> Config:
    """A copy of a config whose text (``pretty_text``) has one item a line as it is, not laid out by yapf.

    yapf takes a second or so for a detector, and a run asks for the text several times when it starts and at
    every checkpoint. ``Config.fromfile(format_python_code=False)`` forgets what it was asked for.
    """
    plain = copy.copy(cfg)
    object.__setattr__(plain, '_format_python_code', False)  # past Config's own, which sets a value
    return plain


def parse_config_text(text: str, source: str = 'config', trusted_packages: Sequence[str] = ()) -> Config:
    """Read the text that mmengine writes of a config (``Config.pretty_text``) without executing it.

    What it would build must be registered by mmav, by the packages that mmav stands on, or by
    ``trusted_packages``, whose modules alone ``custom_imports`` may name, too.

    Raises:
        ValueError: The text, which the message calls ``source``, holds anything but assignments of names to
            literals and ``dict(key=value)``, or names what is not registered; see
            :func:`mmav.utils.config_types.check_config_types`.
    """
    try:
        values = dict(map(_assignment, ast.parse(text).body))
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:  # of nested brackets
        raise ValueError(f'{source} is no config of plain values: {error!r}') from error
    check_imports(values, source, trusted_packages)
    if values.get('custom_imports'):
        import_modules_from_strings(**values['custom_imports'])
    check_config_types(values, source, trusted_packages)
    return Config(values)


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    if (
        not isinstance(statement, ast.Assign)
        or len(statement.targets) != 1
        or not isinstance(statement.targets[0], ast.Name)
    ):
        raise ValueError(f'line {statement.lineno} is no assignment to a name')
    return statement.targets[0].id, _literal(statement.value)


def _literal(node: ast.expr) -> Any:
    """Value of a literal, which may hold ``dict(key=value)`` and ``dict({'a key': value})``."""
    if isinstance(node, ast.Call):
        names = [keyword.arg for keyword in node.keywords]
        plain = all(isinstance(argument, ast.Dict) for argument in node.args) and None not in names
        if not isinstance(node.func, ast.Name) or node.func.id != 'dict' or not plain:
            raise ValueError(f'line {node.lineno} calls something else than dict(key=value)')
        return dict(
            *map(_literal, node.args),
            **{keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg},
        )
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {ast.literal_eval(key): _literal(value) for key, value in zip(node.keys, node.values) if key}
    if isinstance(node, ast.List):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_literal(item) for item in node.elts)
    return ast.literal_eval(node)
