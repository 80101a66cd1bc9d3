"""Configs that checkpoints carry: read as data, where mmengine's own reader runs them as a program."""

import ast
import copy
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.lazy import LazyAttr, LazyObject
from mmengine.utils import get_object_from_string, import_modules_from_strings

from .config_types import check_config_types, check_imports


def without_layout(cfg: Config) -> Config:
    """A copy of a config whose text (``pretty_text``) has one item a line as it is, not laid out by yapf.

    yapf takes a second or so for a detector, and a run asks for the text several times when it starts and at
    every checkpoint. ``Config.fromfile(format_python_code=False)`` forgets what it was asked for.
    """
    plain = copy.copy(cfg)
    object.__setattr__(plain, '_format_python_code', False)  # past Config's own, which sets a value
    return plain


def read_config_file(path: str | Path) -> Config:
    """Read a config file of either style, as :func:`plain_config` writes it.

    Args:
        path: The file, which is run, as mmengine does it.
    """
    return plain_config(Config.fromfile(path))


def plain_config(cfg: Config) -> Config:
    """A config of mmengine's new style (pure Python) with names in the place of what it imports.

    Classes and functions become paths, by which registries find them; other imported values stand for
    themselves, so that the config can be written and read back. Configs of the other style stay as they are,
    but for paths of types that registries do not find (:func:`_path_of`).

    Args:
        cfg: The config.
    """
    imported = vars(cfg).get('_imported_names', ())
    values = {key: value for key, value in dict.items(cfg._cfg_dict) if key not in imported}
    if not imported and not _holds_imports(values):
        return cfg
    plain = _plain(values)
    settings = dict(filename=cfg.filename, env_variables=cfg.env_variables)
    return Config(plain, format_python_code=vars(cfg).get('_format_python_code', True), **settings)


def _holds_imports(value: Any) -> bool:
    if isinstance(value, dict):
        values = dict.values(value)
        return _hidden(value.get('type')) is not None or any(map(_holds_imports, values))
    if isinstance(value, (list, tuple)):
        return any(map(_holds_imports, value))
    return isinstance(value, (LazyAttr, LazyObject)) or inspect.isclass(value) or inspect.isroutine(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (LazyAttr, LazyObject)):
        value = value.build()
    if isinstance(value, Mapping):
        items = dict.items(value) if isinstance(value, ConfigDict) else value.items()
        plain = {key: _plain(item) for key, item in items}
        if (hidden := _hidden(plain.get('type'))) is not None:
            plain['type'] = _path_of(hidden)
        return plain
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    return _path_of(value) if inspect.isclass(value) or inspect.isroutine(value) else value


def _path_of(item: Any) -> Any:
    """Path by which registries find a class or function; itself if there is none.

    A package that exports a function by the name of its module (``mmdet.models.losses.smooth_l1_loss``) hides
    what else is in that: then the path through the package does.
    """
    module = item.__module__
    while module:
        path = f'{module}.{item.__qualname__}'
        if get_object_from_string(path) is item:
            return path
        module = module.rpartition('.')[0]
    return item


def _hidden(kind: Any) -> Any:
    """What a path, as mmengine writes it, means that registries do not find (:func:`_path_of`); else None."""
    if not isinstance(kind, str) or kind.count('.') < 2 or get_object_from_string(kind) is not None:
        return None
    module, _, name = kind.rpartition('.')
    return getattr(sys.modules.get(module), name, None)


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
    return Config(_plain(values))


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
