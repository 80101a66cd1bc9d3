"""The tables and commands of the methods' pages: configs are there, options are read, the tools have them."""

import pytest
from config_rows import CONFIGS, ConfigRow, commands, parse_options, table_rows
from mmengine.config import Config

PAGES = ('avc', 'avd', 'avvp', 'dmin', 'mm_distillnet')


def test_options_are_read_as_the_command_line_reads_them():
    row = ConfigRow('dmin/dmin_ave.py', 'model.unimodal_weight=0.02 model.use_agta=False model.agta=None')
    assert row.changes() == {'model.unimodal_weight': 0.02, 'model.use_agta': False, 'model.agta': None}
    model = row.load().model
    assert (model.unimodal_weight, model.use_agta, model.agta) == (0.02, False, None)
    assert ConfigRow('dmin/dmin_ave.py').changes() == {}


@pytest.mark.parametrize('page', PAGES)
def test_each_row_with_options_is_another_config(page):
    rows = {str(row): row for row in table_rows(page)}
    for row in rows.values():
        if row.options:
            assert row.load() != Config.fromfile(CONFIGS / row.config), row


@pytest.mark.parametrize('page', PAGES)
def test_commands_name_configs_that_are_there_and_options_that_merge(page):
    found = 0
    for words in commands(page):
        configs = [word.removeprefix('configs/') for word in words if word.startswith('configs/')]
        assert all((CONFIGS / config).is_file() for config in configs), words
        if configs and '--cfg-options' in words:
            first = words.index('--cfg-options') + 1
            options = [word for word in words[first:] if '=' in word]
            cfg = Config.fromfile(CONFIGS / configs[0])
            cfg.merge_from_dict(parse_options([word for word in options if '...' not in word]))
            found += 1
    assert found
