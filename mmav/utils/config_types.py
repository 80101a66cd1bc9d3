"""What a config out of a checkpoint may build: registered classes of mmav and of the packages it stands on.

A registry that does not know a name imports it: ``type='os.system'`` would run a command. So every name is
looked up here before anything is built, and what is not registered is refused.
"""

import dis
import inspect
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import CodeType
from typing import Any

import mmengine.registry
from mmengine.registry import Registry

STACK = ('mmav', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'torch', 'torchvision')
"""Packages whose registered classes a config out of a checkpoint may build."""

_NAMES = ('type', 'constructor', 'runner_type', '_scope_', 'default_scope')
_SCOPES = ('_scope_', 'default_scope')
# what may stand in a model or in a pipeline; whatever else is registered is built in training only
_KINDS = {
    'model': ('model', 'task util', 'weight initializer', 'transform'),
    'pipeline': ('transform', 'model', 'task util'),
}
# What MMDetection and MMCV look up elsewhere (nms: by eval), by the key of the dict that names it.
_OPERATORS = {'nms': ('nms', 'soft_nms', 'nms_match'), 'roi_layer': ('RoIAlign', 'RoIPool')}
# A constructor that calls one of these reads files or addresses that the config names, by unpickling or as
# programs, or evaluates text of the config.
_READERS = frozenset(
    'load_checkpoint _load_checkpoint load_state_dict_from_url from_pretrained fromfile create_model '
    'init_detector import_module _str_to_torch_dtype'.split()
)
_READING_BUILTINS = frozenset(('eval', 'exec', 'compile', '__import__', 'open'))


def check_config_types(config: Mapping[str, Any], source: str, packages: Sequence[str] = ()) -> None:
    """Everything that a config names is registered by the packages that are trusted, at every depth.

    Refused are dotted names of anything that is not registered, names that no registry knows, scopes of other
    packages, and, in models and pipelines, classes of other packages than mmav whose constructor reads
    checkpoints or configs from where the config says, or evaluates its text.

    Args:
        config: The config, of plain values.
        source: What error messages call it.
        packages: Top-level packages that are trusted beside :data:`STACK`; their modules may be imported.

    Raises:
        ValueError: Something else is named; the message says what, and where.
    """
    trusted = (*STACK, *packages)
    for place, key, name in _named(config):
        parents = place.split('.')[:-1]
        if key in _SCOPES:
            registered = name in trusted
        elif parents and parents[-1] in _OPERATORS:
            registered = name in _OPERATORS[parents[-1]]
        else:
            registered = _is_registered(name, _kinds_at(place), trusted, packages)
        if not registered:
            raise ValueError(_refusal(source, place, name, trusted))


def _refusal(source: str, place: str, name: object, trusted: Sequence[str]) -> str:
    return (
        f'{source} names {name!r} ({place}), which is not registered by {", ".join(trusted)}, or reads '
        'further files when it is built: if you trust the package that holds it, name it in '
        'trusted_packages, or give the config file as model'
    )


def check_imports(config: Mapping[str, Any], source: str, packages: Sequence[str] = ()) -> None:
    """The modules of ``custom_imports`` belong to packages that are trusted.

    Args:
        config: The config, of plain values.
        source: What error messages call it.
        packages: Top-level packages that are trusted beside :data:`STACK`.

    Raises:
        ValueError: A module belongs to another package, or ``custom_imports`` is not as mmengine takes it.
    """
    trusted = (*STACK, *packages)
    imports = config.get('custom_imports') or {}
    names = imports.get('imports') or [] if isinstance(imports, Mapping) else [imports]
    for name in [names] if isinstance(names, str) else names:
        if not isinstance(name, str) or name.partition('.')[0] not in trusted:
            raise ValueError(_refusal(source, 'custom_imports', name, trusted))


def _named(value: object, place: str = '') -> Iterator[tuple[str, str, object]]:
    """Place, key and value of all that names something to build, at every depth."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            below = f'{place}.{key}' if place else str(key)
            if key in _NAMES and not (key == '_scope_' and item is None):
                yield below, key, item
            yield from _named(item, below)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for number, item in enumerate(value):
            yield from _named(item, f'{place}.{number}')


def _kinds_at(place: str) -> Sequence[str] | None:
    keys = place.split('.')
    if keys[0] == 'model':
        return _KINDS['model']
    return _KINDS['pipeline'] if any(key.endswith('pipeline') for key in keys) else None


def _registries(kinds: Sequence[str] | None) -> Iterator[Registry]:
    """Registries of some kinds (None: of all), of all packages that are imported."""
    for root in vars(mmengine.registry).values():
        if isinstance(root, Registry) and (kinds is None or root.name in kinds):
            yield from _with_children(root)


def _with_children(registry: Registry) -> Iterator[Registry]:
    registry.import_from_location()
    yield registry
    for child in list(registry.children.values()):
        yield from _with_children(child)


def _is_registered(
    name: object, kinds: Sequence[str] | None, trusted: Sequence[str], packages: Sequence[str]
) -> bool:
    if not isinstance(name, str):
        return False
    scope, _, rest = name.rpartition('.')
    package = name.partition('.')[0]
    if scope and package not in trusted:
        return False
    if scope == 'mmpretrain':
        import_module('mmpretrain.registry')
    registries = list(_registries(kinds))
    if scope in {registry.scope for registry in registries} or not scope:
        found = [
            registry.module_dict[rest]
            for registry in registries
            if rest in registry.module_dict and scope in ('', registry.scope)
        ]
    else:  # a path, as lazy configs write it: of a registered class, too
        try:
            target = getattr(import_module(scope), rest)
        except (ImportError, AttributeError):
            return False
        found = [target] if any(target in registry.module_dict.values() for registry in registries) else []
    checked = kinds is not None
    return bool(found) and all(
        _package(item) in trusted and not (checked and _reads_files(item, packages)) for item in found
    )


def _package(item: Any) -> str:
    return getattr(item, '__module__', '').partition('.')[0]


def _reads_files(item: Any, packages: Sequence[str]) -> bool:
    """Whether a constructor, with the methods that it calls, reads what the config names."""
    if not inspect.isclass(item) or _package(item) in ('mmav', *packages):
        return False
    pending, seen = ['__init__'], set()
    while pending:
        method = pending.pop()
        if method in seen:
            continue
        seen.add(method)
        for owner in item.__mro__:
            function = inspect.unwrap(vars(owner)[method]) if method in vars(owner) else None
            code = getattr(getattr(function, '__func__', function), '__code__', None)
            if code is None or _package(owner) in ('torch', 'mmav'):
                continue
            names: set[str] = set()
            builtins: set[str] = set()
            for instruction in _instructions(code):
                is_global = instruction.opname in ('LOAD_GLOBAL', 'LOAD_NAME')
                (builtins if is_global else names).add(instruction.argval)
            if (names | builtins) & _READERS or builtins & _READING_BUILTINS:
                return True
            pending += names
    return False


def _instructions(code: CodeType) -> Iterator[dis.Instruction]:
    """Instructions that look names up, in nested functions, too."""
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith('LOAD_') and isinstance(instruction.argval, str):
            yield instruction
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)
