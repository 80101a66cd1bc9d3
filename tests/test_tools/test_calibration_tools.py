"""The commands around rigs on a small data set whose sound pyroomacoustics made."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_array import tiny_rig, write_array_data

from mmav.calibration import position_errors
from mmav.simulation.drives.array_mismatch import perturb_rig
from mmav.structures import Rig

ROOT = Path(__file__).parents[2]
FOLDERS = {'calibration_study.py': ROOT / 'benchmarks'}


@pytest.fixture
def call(monkeypatch):
    def call(script, *arguments):
        monkeypatch.setattr(sys, 'argv', [script, *map(str, arguments)])
        runpy.run_path(str(FOLDERS.get(script, ROOT / 'tools' / 'analysis') / script), run_name='__main__')

    return call


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_array_data(tmp_path_factory.mktemp('array'), tiny_rig(), 16)


def write_rig(path, rig):
    path.write_text(json.dumps(rig.to_dict()))
    return path


def test_calibrate_array(call, data, tmp_path, capsys):
    truth = Rig.from_file(data / 'rig.json')
    rough = write_rig(tmp_path / 'rough.json', perturb_rig(truth, 0.03, seed=1))
    out = tmp_path / 'new.json'
    options = (data, '--rig', rough, '--out', out, '--position-std', 0.03, '--no-swapped')
    call('calibrate_array.py', *options)
    error = np.sqrt(np.square(position_errors(Rig.from_file(out), truth)).mean())
    assert error < 0.006
    report = json.loads((tmp_path / 'new_calibration.json').read_text())
    assert report['num_frames'] == 16 and np.shape(report['position_std']) == (8, 3)
    assert 'warning: 16 frames of 8 drives are too few' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call('calibrate_array.py', *options)
    assert 'new.json exists; --force overwrites it' in capsys.readouterr().err


def test_calibrate_array_refuses_swapped_channels(call, data, tmp_path):
    truth = Rig.from_file(data / 'rig.json')
    rough = write_rig(tmp_path / 'rough.json', perturb_rig(truth, swapped=(2, 5)))
    options = ('--rig', rough, '--out', tmp_path / 'new.json', '--position-std', 0.01, '--max-frames', 12)
    with pytest.raises(SystemExit, match=r'no rig was written .*'):
        call('calibrate_array.py', data, *options)
    assert not (tmp_path / 'new.json').exists()
    assert json.loads((tmp_path / 'new_calibration.json').read_text())['swapped'] == [[2, 5]]
    call('calibrate_array.py', data, *options, '--exchange', '--force')
    assert np.abs(position_errors(Rig.from_file(tmp_path / 'new.json'), truth)).max() < 0.02


def test_check_rig(call, data, tmp_path, capsys):
    rough = write_rig(tmp_path / 'rough.json', perturb_rig(tiny_rig(), swapped=(2, 5)))
    options = ('--output-dir', tmp_path / 'out', '--data-root', data, '--number', 2, '--max-frames', 12)
    call('check_rig.py', rough, *options)
    text = capsys.readouterr().out
    assert '- channels 2 and 5 are swapped' in text and 'neighbors are 23 cm apart' in text
    assert len(json.loads((tmp_path / 'out/findings.json').read_text())['recordings']) == 1
    assert cv2.imread(str(tmp_path / 'out/rig.png')).std() > 5
    call('check_rig.py', data / 'rig.json', *options, '--force')
    assert 'recordings: nothing found' in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / 'out/heard_1.png')).shape == (65, 152, 3)
    with pytest.raises(SystemExit):
        call('check_rig.py', rough, *options)
    with pytest.raises(SystemExit, match='microphone_positions'):
        bad = dict(tiny_rig().to_dict(), microphone_positions=[[0, 0, 0]] * 8)
        (tmp_path / 'bad.json').write_text(json.dumps(bad))
        call('check_rig.py', tmp_path / 'bad.json', '--output-dir', tmp_path / 'other')


def test_calibration_study_goes_on_where_it_stopped(call, data, tmp_path, capsys):
    options = (data, '--out', tmp_path, '--seeds', 1, '--groups', 'offsets', '--frames', 8)
    call('calibration_study.py', *options)
    first = capsys.readouterr().out
    assert '| offsets | 10 cm | 1 |' in first and (tmp_path / 'study.md').read_text() in first
    made = sorted(path.name for path in (tmp_path / 'rigs').iterdir())
    assert made == [f'{kind}_{n}cm.json' for kind in ('calibrated', 'rough') for n in (10, 2, 5)]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'cases').iterdir()}
    (path, *_) = times
    path.unlink()
    call('calibration_study.py', *options)
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / 'cases').iterdir()}
    assert again.keys() == times.keys()
    assert [p for p in times if again[p] != times[p]] == [path]
    with pytest.raises(SystemExit, match='study of other data'):
        call('calibration_study.py', *options[:-1], 9)
