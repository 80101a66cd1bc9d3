"""Sphinx: ``make docs`` builds the site, and the API reference from the source, which is not imported."""

import ast
import re
from functools import cache
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]

project = 'mmav'
author = 'The mmav maintainers'
release = re.search(r"__version__ = '(.*)'", (ROOT / 'mmav/version.py').read_text())[1]
extensions = ['myst_parser', 'autoapi.extension', 'sphinx.ext.napoleon', 'sphinx_copybutton']
source_suffix = {'.md': 'markdown', '.rst': 'restructuredtext'}
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = f'mmav {release}'
html_show_sourcelink = False

myst_heading_anchors = 5  # as GitHub makes them

napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

autoapi_dirs = [str(ROOT / 'mmav')]
autoapi_ignore = ['*/mmav/.mim/*']
autoapi_root = 'api'
autoapi_add_toctree_entry = False
autoapi_keep_files = False
autoapi_member_order = 'groupwise'
autoapi_options = ['members', 'imported-members', 'show-inheritance', 'show-module-summary']
autoapi_own_page_level = 'module'
autoapi_python_class_content = 'class'

# Files of the root that pages in docs/ show, and their pages.
INCLUDED = {'README.md': 'index.md', 'CONTRIBUTING.md': 'contributing.md', 'CHANGELOG.md': 'changelog.md'}


def _include(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put a file of the root in the place of the comment that names it; its links then start in docs/."""

    def text_of(match: re.Match) -> str:
        return re.sub(r'(?<=\]\()(?!\w+:|#)([^)#]+)', target_of, (ROOT / match[1]).read_text())

    def target_of(match: re.Match) -> str:
        target = match[1]
        return (
            target.removeprefix('docs/')
            if target.startswith('docs/')
            else INCLUDED.get(target, f'../{target}')
        )

    content[0] = re.sub(r'^<!-- (\w+\.md) -->$', text_of, content[0], flags=re.M)


# The reference has a page for each package, with what its __all__ offers. These packages export little: their
# modules have pages, too.
WITH_MODULES = {'mmav.utils'}
OFFERED_ELSEWHERE = {'mmav.utils.errors'}  # SampleError: mmav.datasets has it


def _is_package(name: str) -> bool:
    return ROOT.joinpath(*name.split('.'), '__init__.py').exists()


@cache
def _offered_modules(package: str) -> set[str]:
    """Modules that a package offers as a whole (``from . import x``) or loads lazily (lazy_loader.attach)."""
    names = set()
    for node in ast.walk(ast.parse(ROOT.joinpath(*package.split('.'), '__init__.py').read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module is None:
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.keyword) and node.arg == 'submod_attrs':
            names.update(ast.literal_eval(node.value))
    return names


def _skip(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: list[str]) -> bool | None:
    """Leave out modules behind their package's page, and names on it that an inner package offers."""
    package, _, last = name.rpartition('.')
    if what == 'package':
        return name.startswith('mmav.compat')  # most packages have no docstring, and a page all the same
    if what == 'module':
        if name in OFFERED_ELSEWHERE:
            return True
        return package not in WITH_MODULES and last not in _offered_modules(package)
    origin = obj.obj.get('original_path', '')
    if what == 'class' and obj.constructor:  # Sphinx cannot read a comprehension as a default
        arguments = obj.constructor.obj['args']
        arguments[:] = [
            (*rest, '...' if ' for ' in (default or '') else default) for *rest, default in arguments
        ]
    if origin.startswith('mmav.compat.'):
        return True
    if origin.startswith(f'{package}.'):
        inner = origin.removeprefix(f'{package}.').split('.')[0]
        return _is_package(f'{package}.{inner}') or None
    return None


def _escape_bars(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let ``|x|`` in a docstring be an absolute value, which reStructuredText takes for a substitution."""
    parts = '\n'.join(lines).split('``')
    parts[::2] = [part.replace('|', r'\|') for part in parts[::2]]
    lines[:] = '``'.join(parts).split('\n')


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect('autodoc-process-docstring', _escape_bars)
    app.connect('source-read', _include)
    app.connect('autoapi-skip-member', _skip)
