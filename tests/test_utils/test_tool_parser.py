import os

import pytest

from mmav.utils.command_line import ToolParser, read_config, read_run_config


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'small.py'
    path.write_text('model = dict(depth=18)\nlevels = [1, 2]\n')
    return str(path)


def test_options_change_the_config(config):
    parser = ToolParser('About.')
    parser.add_config()
    args = parser.parse_args([config, 'a.pth', '--cfg-options', 'model.depth=34', 'levels=[3]'])
    cfg = read_config(args)
    assert (cfg.model.depth, cfg.levels, args.checkpoint) == (34, [3], 'a.pth')
    assert read_config(parser.parse_args([config, 'a.pth'])).model.depth == 18


def test_runs_have_a_folder_and_a_launcher(config, tmp_path, monkeypatch):
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    parser = ToolParser('About.')
    parser.add_config(checkpoint=False)
    parser.add_argument('--work-dir')
    parser.add_launcher()
    cfg = read_run_config(parser.parse_args([config, '--launcher', 'pytorch', '--local-rank', '1']))
    assert (cfg.work_dir, cfg.launcher, os.environ['LOCAL_RANK']) == ('work_dirs/small', 'pytorch', '1')
    cfg = read_run_config(parser.parse_args([config, '--work-dir', str(tmp_path)]))
    assert (cfg.work_dir, cfg.launcher, os.environ['LOCAL_RANK']) == (str(tmp_path), 'none', '1')


def test_help_is_the_documentation_as_it_is(capsys):
    parser = ToolParser('About.\n\n    python tools/x.py')
    parser.add_config()
    with pytest.raises(SystemExit):
        parser.parse_args(['--help'])
    text = capsys.readouterr().out
    assert 'About.\n\n    python tools/x.py\n' in text and '--cfg-options' in text


@pytest.mark.parametrize('folder', [True, False])
def test_outputs_are_looked_at_first(tmp_path, capsys, folder):
    (tmp_path / 'file').write_text('')
    parser = ToolParser('About.')
    parser.add_output('--out', folder=folder)
    good = tmp_path / 'new' / 'deeper'
    assert parser.parse_args(['--out', str(good)]).out == str(good)
    assert parser.parse_args([]).out is None and not (tmp_path / 'new').exists()
    within = tmp_path / 'file' / 'within'
    for bad, message in (
        (tmp_path / 'file' if folder else tmp_path, 'this is a f'),
        (within, f'{tmp_path / "file"}: this is a file, a folder is wanted'),
        ('/proc/nothing/here', '/proc: nothing can be written to this folder'),
    ):
        with pytest.raises(SystemExit):
            parser.parse_args(['--out', str(bad)])
        assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ['file']
