"""The rows of the docs' tables: a config and what ``--cfg-options`` changes in it, as they stand there."""

import argparse
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config, DictAction

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
OPTIONS = '`--cfg-options`'  # head of the column


@dataclass(frozen=True)
class ConfigRow:
    """A config with options.

    Args:
        config: Path below ``configs/``.
        options: Text behind ``--cfg-options``.
        label: First of the row's other cells.
    """

    config: str
    options: str = ''
    label: str = ''

    def __str__(self) -> str:
        return f'{self.config} {self.options}'.strip()

    @property
    def name(self) -> str:
        """The config's name, without folder and suffix."""
        return Path(self.config).stem

    def changes(self) -> dict:
        """The options, parsed as the tools parse them."""
        return parse_options(shlex.split(self.options))

    def load(self) -> Config:
        """The config with the options, as ``tools/train.py`` builds it."""
        cfg = Config.fromfile(CONFIGS / self.config)
        cfg.merge_from_dict(self.changes())
        return cfg


def parse_options(words: list[str]) -> dict:
    """Keys and values of ``--cfg-options``; none without words."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args(['--cfg-options', *words] if words else []).cfg_options


def table_rows(page: str) -> list[ConfigRow]:
    """Rows of those tables of a page that have a column for options; a row of two configs is two."""
    rows, head = [], None
    for line in (ROOT / 'docs' / f'{page}.md').read_text().splitlines():
        if not line.startswith('|'):
            head = None
            continue
        cells = [cell.strip() for cell in line.strip()[1:-1].split('|')]
        if head is None:
            head = cells
            continue
        if OPTIONS not in head or set(line) <= set('|-'):
            continue
        assert len(cells) == len(head), f'{page}.md: {line}'
        column = next(index for index, title in enumerate(head) if title.startswith('config in'))
        options = cells[head.index(OPTIONS)].strip('`')
        others = [cell for index, cell in enumerate(cells) if index not in (column, head.index(OPTIONS))]
        folder = re.search('`configs/(.*?)`', head[column]).group(1)
        for name in re.findall(r'`([\w/]+\.py)`', cells[column]):
            assert (CONFIGS / folder / name).is_file(), f'{page}.md: {folder}{name} is not there'
            rows.append(ConfigRow(folder + name, options, others[0]))
    assert any(row.options for row in rows), f'{page}.md has no row with options'
    return rows


def commands(page: str) -> list[list[str]]:
    """Words of those commands of a page that begin with ``python tools/`` or ``torchrun``."""
    text = (ROOT / 'docs' / f'{page}.md').read_text().replace('\\\n', ' ')
    lines = (line.strip() for line in text.splitlines())
    return [
        shlex.split(line, comments=True) for line in lines if line.startswith(('python tools/', 'torchrun'))
    ]
