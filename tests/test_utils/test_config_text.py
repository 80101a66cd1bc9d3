"""Configs of checkpoints against mmengine's reader, and that nothing of them runs."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmav.utils.config_text import parse_config_text

CONFIGS = sorted((Path(__file__).parents[2] / 'configs').glob('avd/*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_equals_mmengines_reader(path):
    cfg = Config.fromfile(path)
    assert parse_config_text(cfg.pretty_text).to_dict() == Config.fromstring(cfg.pretty_text, '.py').to_dict()


def test_names_and_nesting():
    text = "a = dict(b=[1, -2.5, None], c=(dict(d='x'),))\ne = dict({'*.backbone': '', 'f': dict()})"
    expected = dict(a=dict(b=[1, -2.5, None], c=(dict(d='x'),)), e={'*.backbone': '', 'f': {}})
    assert parse_config_text(text).to_dict() == expected


@pytest.mark.parametrize(
    'text',
    [
        'open({path!r}, "w")',
        'a = open({path!r}, "w")',
        'a = dict(b=[dict(c=open({path!r}, "w"))])',
        'a = dict(**dict(b=open({path!r}, "w")))',
        'a = {{**dict(b=open({path!r}, "w"))}}',
        'a = dict([("b", open({path!r}, "w"))])',
        'a = dict({{"b": open({path!r}, "w")}})',
        'a = dict({{open({path!r}, "w"): 1}})',
        'a = b = open({path!r}, "w")',
        'import os',
        'a = (',
    ],
)
def test_runs_nothing(tmp_path, text):
    victim = tmp_path / 'victim'
    with pytest.raises(ValueError, match=r'x\.pth'):
        parse_config_text(text.format(path=str(victim)), 'x.pth')
    assert not victim.exists()
