import sys

import pytest

from mmav.apis.command_line import make_segment_parser, parse_segment_args

ALWAYS = ['tool.py', 'config.py', 'weights.pth', '--out-dir', 'out']


def parse(monkeypatch, *options):
    monkeypatch.setattr(sys, 'argv', [*ALWAYS, *options])
    return parse_segment_args(make_segment_parser('About.', 'audio=FILE', 'vggish'))


def test_files_become_dicts(monkeypatch):
    options = ('--features', 'audio=a=1.npy', 'visual=v.npy', '--features', 'visual=w.npy')
    args = parse(monkeypatch, *options, '--feature-weights', 'vggish=x.pth')
    assert args.features == [
        dict(audio='a=1.npy', visual='v.npy', name='a=1.npy'),
        dict(visual='w.npy', name='features'),
    ]
    assert args.feature_weights == dict(vggish='x.pth') and args.videos == []


@pytest.mark.parametrize(
    'options, message',
    [
        ([], 'give --videos or --features'),
        (['--features', 'a.npy'], "'a.npy' is no NAME=FILE"),
        (['--videos', 'a.mp4', '--feature-weights', 'x.pth'], "'x.pth' is no NAME=FILE"),
    ],
)
def test_what_cannot_be_is_told(monkeypatch, capsys, options, message):
    with pytest.raises(SystemExit):
        parse(monkeypatch, *options)
    assert message in capsys.readouterr().err
