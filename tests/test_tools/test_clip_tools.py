"""Commands that make clips, as a user calls them."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from mmav.media.video_writer import write_video

CONVERTERS = Path(__file__).parents[2] / 'tools' / 'dataset_converters'


def call(monkeypatch, script, *args):
    monkeypatch.setattr(sys, 'argv', [script, *map(str, args)])
    runpy.run_path(str(CONVERTERS / script), run_name='__main__')


def test_simulate_clips(tmp_path, monkeypatch):
    options = ('--preset', 'small', '--clips', 2, 1, 1, 1, '--workers', 0, '--offscreen-share', 0, '--quiet')
    call(monkeypatch, 'simulate_clips.py', tmp_path / 'clips', *options)
    assert len(list((tmp_path / 'clips' / 'frames').iterdir())) == 5
    assert len((tmp_path / 'clips' / 'train.txt').read_text().split()) == 2
    with pytest.raises(SystemExit, match='seed: 0 there, 1 now'):
        call(monkeypatch, 'simulate_clips.py', tmp_path / 'clips', *options, '--seed', 1)
    with pytest.raises(SystemExit, match='area'):
        call(monkeypatch, 'simulate_clips.py', tmp_path / 'other', '--area', 0.9, 0.1)


def test_prepare_clips(tmp_path, monkeypatch, capsys):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    write_video(tmp_path / 'videos' / 'a.mp4', [np.zeros((32, 32, 3), np.uint8)] * 5, 10, sound, 16000)
    (tmp_path / 'videos' / 'b.mp4').write_bytes(b'truncated')
    call(monkeypatch, 'prepare_clips.py', tmp_path / 'videos', tmp_path / 'out', '--workers', 0, '--quiet')
    assert sorted(p.name for p in (tmp_path / 'out').glob('*/*')) == ['a.jpg', 'a.wav']
    assert '1 videos could not be prepared' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'failed.txt').read_text().startswith('b.mp4\t')
    with pytest.raises(SystemExit, match='holds no videos'):
        call(monkeypatch, 'prepare_clips.py', tmp_path / 'out', tmp_path / 'more', '--quiet')
