"""README and docs: links resolve, Python blocks run, commands name files, targets and options that exist.

A Python block whose comments at the top say ``# needs: ...`` is compiled only; ``# file: ...`` names the
file that it becomes in a project beside ``configs``. CONTRIBUTING.md describes both.
"""

import ast
import re
import shlex
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import mmdet.registry
import pytest
from mmengine.config import Config
from mmengine.registry import Registry, init_default_scope

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('**/*.md')])
PAGES = [page for page in PAGES if not {'_build', 'api'} & set(page.relative_to(ROOT).parts)]
FENCE = re.compile(r'^```(\w*)[^\n]*\n(.*?)^```$', re.M | re.S)
REGISTRIES = [value for value in vars(mmdet.registry).values() if isinstance(value, Registry)]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _prose(page: Path) -> str:
    return FENCE.sub('', page.read_text())


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub and MyST give to headings."""
    seen, anchors = Counter(), set()
    for title in re.findall(r'^#{1,6} +(.+?) *$', _prose(page), re.M):
        title = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', title)
        slug = re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')
        anchors.add(f'{slug}-{seen[slug]}' if seen[slug] else slug)
        seen[slug] += 1
    return anchors


@pytest.mark.parametrize('page', PAGES, ids=_name)
def test_links_and_anchors_resolve(page):
    text = re.sub(r'`[^`\n]*`', '', _prose(page))
    broken = []
    for target in re.findall(r'\]\(([^)\s]+)[^)]*\)', text):
        if re.match(r'\w+:', target):
            continue
        path, _, anchor = target.partition('#')
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert not broken


def test_every_page_is_in_the_index():
    listed = re.findall(r'^[\w/]+$', (ROOT / 'docs/index.md').read_text(), re.M)
    folder = ROOT / 'docs'
    pages = {
        page.relative_to(folder).with_suffix('').as_posix()
        for page in folder.glob('**/*.md')
        if page in PAGES
    }
    assert pages - {'index'} == set(listed) - {'api/mmav/index'}


def _python_blocks(page: Path) -> list[tuple[int, str]]:
    """Line number and text of each Python block."""
    text = page.read_text()
    return [
        (text[: match.start()].count('\n') + 1, match[2])
        for match in FENCE.finditer(text)
        if match[1] == 'python'
    ]


def _mark(block: str, name: str) -> str:
    """What follows ``# <name>:`` in the comments that a block starts with."""
    head = re.match(r'(#[^\n]*\n)*', block)[0]
    found = re.search(rf'^# {name}: (.+)$', head, re.M)
    return found[1] if found else ''


def _unknown_types(value: object) -> list[str]:
    """Names in ``type`` entries of nested dicts that no registry has."""
    if isinstance(value, list | tuple):
        return [name for item in value for name in _unknown_types(item)]
    if not isinstance(value, dict):
        return []
    kind = value.get('type')
    unknown = (
        [kind] if isinstance(kind, str) and not any(registry.get(kind) for registry in REGISTRIES) else []
    )
    return unknown + [name for item in value.values() for name in _unknown_types(item)]


def _with_python() -> list[Path]:
    return [page for page in PAGES if _python_blocks(page)]


@pytest.mark.parametrize('page', _with_python(), ids=_name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    """In order, in a folder with a link to configs. Of configs the model is built."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for registry in REGISTRIES:  # what blocks register is forgotten again, and no more than that
        registry.import_from_location()
        monkeypatch.setattr(registry, '_module_dict', dict(registry._module_dict))
    init_default_scope('mmdet')
    files = {}
    for line, block in _python_blocks(page):
        code = compile(block, f'{_name(page)}:{line}', 'exec')
        file = tmp_path / _mark(block, 'file')
        if file != tmp_path:
            file.parent.mkdir(exist_ok=True)
            (file.parent / '__init__.py').touch()
            file.write_text(block)
            files[file] = block
        elif not _mark(block, 'needs'):
            namespace = {}
            exec(code, namespace)
            assert not _unknown_types({k: v for k, v in namespace.items() if k != '__builtins__'}), line
    try:
        for file, block in files.items():
            if '_base_ = ' in block:
                model = Config.fromfile(file).model
                model.init_cfg = model.backbone.init_cfg = None  # nothing is downloaded
                mmdet.registry.MODELS.build(model)
            elif not _mark(block, 'needs') and 'register_module' not in block:  # those configs import
                exec(compile(block, str(file), 'exec'), {'__name__': '__main__'})
    finally:
        for name in [name for name in sys.modules if name.split('.')[0] == 'my_project']:
            del sys.modules[name]


def _commands(page: Path) -> list[str]:
    """Commands in blocks (fenced, or indented by four spaces) and in code in the text, a line each."""
    text = page.read_text()
    blocks = [match[2] for match in FENCE.finditer(text) if match[1] in ('', 'bash')]
    blocks += re.findall(r'(?:^ {4}.*\S.*\n)+', _prose(page), re.M)
    lines = [line for block in blocks for line in re.sub(r'\\\n', ' ', block).splitlines()]
    lines += [code.replace('\n', ' ') for code in re.findall(r'(?<!`)`([^`]+)`(?!`)', _prose(page))]
    return [re.sub(r'(^|\s)# .*', '', line) for line in lines]


@cache
def _options(tool: Path) -> set[str]:
    """Long options of a tool: what it and the modules that it imports directly pass to ``add_argument``."""
    tree = ast.parse(tool.read_text())
    sources = [tree]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split('.')
            for start in (ROOT, tool.parent):
                file = start.joinpath(*parts).with_suffix('.py')
                if file.exists():
                    sources.append(ast.parse(file.read_text()))
    calls = [node for source in sources for node in ast.walk(source) if isinstance(node, ast.Call)]
    calls = [call for call in calls if getattr(call.func, 'attr', '') == 'add_argument']
    names = [arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant)]
    # simulators have an option for each parameter
    nodes = [node for source in sources for node in ast.walk(source)]
    configs = [node for node in nodes if isinstance(node, ast.ClassDef) and node.name.endswith('Config')]
    parameters = [item for config in configs for item in config.body if isinstance(item, ast.AnnAssign)]
    names += [f'--{item.target.id.replace("_", "-")}' for item in parameters]
    names += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {'--help', *(name for name in names if name.startswith('--'))}


def _check_options(tool: str, arguments: str) -> list[str]:
    if not (ROOT / tool).exists():
        return [f'{tool} does not exist']
    given = re.findall(r'(?:^|\s)(--[a-z][\w-]*)', arguments)
    if tool.endswith('.sh') or not given:
        return []
    return [f'{tool} has no {option}' for option in given if option not in _options(ROOT / tool)]


@pytest.mark.parametrize('page', PAGES, ids=_name)
def test_commands_name_what_exists(page):
    makefile = (ROOT / 'Makefile').read_text()
    recipes = dict(re.findall(r'^([a-z-]+):[^\n]*\n((?:\t[^\n]*\n)*)', makefile, re.M))
    configs = re.findall(r'(?<![\w/.])configs/[\w/]+\.py\b', page.read_text())
    wrong = [f'{config} does not exist' for config in configs if not (ROOT / config).exists()]
    for line in _commands(page):
        made = re.match(r'(?:[A-Z_]+=\S+ )*make ([a-z-]+)(.*)', line)
        called = re.match(
            r'(?:.*?(?:python|torchrun|srun)\b.*?\s)?((?:tools|benchmarks)/[\w/]+\.(?:py|sh))(.*)', line
        )
        if made and made[1] not in recipes:
            wrong.append(f'make has no target {made[1]}')
        elif made:
            tool = re.search(r'tools/\S+\.py', recipes[made[1]])
            arguments = ' '.join(word.partition('=')[2] for word in shlex.split(made[2]) if '_ARGS=' in word)
            wrong += _check_options(tool[0], arguments) if tool else []
        elif called:
            wrong += _check_options(called[1], called[2])
    assert not wrong


def test_the_checks_find_mistakes(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(
        '# A title, *here*\n\n    python tools/train.py x \\\n        --amp --no-such\n\n`make nothing`\n'
    )
    assert _anchors(page) == {'a-title-here'}
    assert [line.split()[-1] for line in _commands(page)] == ['--no-such', 'nothing']
    assert _check_options('tools/train.py', ' x --amp --no-such') == ['tools/train.py has no --no-such']
    assert _unknown_types(dict(model=[dict(type='FasterRCNN', neck=dict(type='NoSuch'))])) == ['NoSuch']
