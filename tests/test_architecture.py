"""Packages import downwards only, and no two of them each other."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmav'

# From the lowest to the highest: a module imports from its own package and from those before it.
ORDER = (
    'version',
    'compat',
    'utils',
    'structures',
    'media',
    'engine',
    'pseudo_labels',
    'models',
    'export',
    'datasets',
    'evaluation',
    'features',
    'visualization',
    'calibration',
    'simulation',
    'apis',
    'live',
)
MODELS_ORDER = (
    'utils',
    'layers',
    'losses',
    'data_preprocessors',
    'backbones',
    'necks',
    'dense_heads',
    'roi_heads',
    'trackers',
    'classifiers',
    'detectors',
    'localizers',
    'segment_models',
    'event_localizers',
    'parsers',
)


def imports_of(file: Path) -> list[str]:
    """Dotted names of the project's modules that a file imports, wherever in it."""
    package = ['mmav', *file.relative_to(PACKAGE).parts[:-1]]
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = '.'.join([*base, *([node.module] if node.module else [])])
            # `from mmav import models` names a module, `from mmav.models import x` need not
            names += [f'{module}.{alias.name}' for alias in node.names]
    return [name for name in names if name.startswith('mmav.')]


def upward_imports(folder: Path, order: tuple[str, ...]) -> list[str]:
    """Imports between the parts of a package that run upwards, as 'file -> module'."""
    depth = len(folder.relative_to(PACKAGE.parent).parts)
    prefix = '.'.join(folder.relative_to(PACKAGE.parent).parts) + '.'
    found = []
    for file in sorted(folder.rglob('*.py')):
        part = file.relative_to(folder).parts[0].removesuffix('.py')
        if part == '__init__':
            continue
        for name in imports_of(file):
            target = name.split('.')[depth] if name.startswith(prefix) else part
            if order.index(target) > order.index(part):
                found.append(f'{file.relative_to(PACKAGE.parent)} -> {name}')
    return found


@pytest.mark.parametrize(
    ('folder', 'order'), [(PACKAGE, ORDER), (PACKAGE / 'models', MODELS_ORDER)], ids=['mmav', 'models']
)
def test_imports_point_down(folder, order):
    parts = {path.relative_to(folder).parts[0].removesuffix('.py') for path in folder.rglob('*.py')}
    assert parts - {'__init__'} == set(order)
    assert upward_imports(folder, order) == []


def test_an_upward_import_is_found(tmp_path, monkeypatch):
    package = tmp_path / 'mmav'
    for name, text in dict(
        low='from mmav.high import x', high='from .low import y\nfrom mmav import low', other='import os'
    ).items():
        (package / name).mkdir(parents=True)
        (package / name / '__init__.py').write_text('')
        (package / name / 'module.py').write_text(text.replace('from .low', 'from ..low'))
    monkeypatch.setattr('test_architecture.PACKAGE', package)
    assert upward_imports(package, ('low', 'other', 'high')) == ['mmav/low/module.py -> mmav.high.x']
    assert upward_imports(package, ('high', 'low', 'other')) == [
        'mmav/high/module.py -> mmav.low.y',
        'mmav/high/module.py -> mmav.low',
    ]


def modules() -> dict[str, Path]:
    return {
        '.'.join(file.relative_to(PACKAGE.parent).with_suffix('').parts).removesuffix('.__init__'): file
        for file in PACKAGE.rglob('*.py')
    }


def test_no_modules_import_each_other_in_a_circle():
    files = modules()
    edges = {}
    for name, file in files.items():
        if file.name == '__init__.py':  # a package's face gathers what lies below it
            continue
        targets = {
            next((t for t in (target, target.rpartition('.')[0]) if t in files), None)
            for target in imports_of(file)
        }
        edges[name] = {t for t in targets if t and files[t].name != '__init__.py' and t != name}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, ' -> '.join((*path[path.index(name) :], name))
        if name in done:
            return
        for target in edges.get(name, ()):
            visit(target, (*path, name))
        done.add(name)

    for name in edges:
        visit(name, ())
    assert len(done) > 200


def test_data_is_read_through_the_file_backends_in_one_place():
    """Not by mmengine's functions, whose errors name no file: by ``mmav.utils.storage`` and ``readers``."""
    direct = {'get', 'get_text', 'exists', 'isfile', 'isdir', 'list_dir_or_file', 'get_local_path', 'load'}
    found = []
    for folder in ('structures', 'media', 'datasets', 'evaluation'):
        for file in sorted((PACKAGE / folder).rglob('*.py')):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module in ('mmengine', 'mmengine.fileio'):
                    names = direct & {alias.name for alias in node.names}
                    found += [f'{file.relative_to(PACKAGE)}: {name}' for name in names]
    assert found == []
