"""Configs of checkpoints against mmengine's reader, and that nothing of them runs."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmav.utils.config_text import parse_config_text

CONFIGS = Path(__file__).parents[2] / 'configs'
ONE_OF_EACH = (
    'avd/av_faster_rcnn_r18_sim_acoustic.py',
    'avd/faster_rcnn_r50_fpn_mavd_mta.py',
    'mm_distillnet/distillnet_effdet_d2_mavd.py',
    'avc/og_avc_r18_sim.py',
    'dmin/dmin_ave.py',
    'avvp/han_llp.py',
)


@pytest.mark.parametrize('path', ONE_OF_EACH)
def test_equals_mmengines_reader(path):
    text = Config.fromfile(CONFIGS / path).pretty_text
    assert parse_config_text(text).to_dict() == Config.fromstring(text, '.py').to_dict()


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
