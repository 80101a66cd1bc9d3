"""Files of folders are found whatever the case of their suffixes; what a system leaves there is none."""

import numpy as np
import pytest
import soundfile

from mmav.apis import collect_clips
from mmav.datasets.transforms import BackgroundMix
from mmav.media.image_folder import list_images
from mmav.media.suffixes import VIDEO_SUFFIXES, files_with

OTHERS = ('._x.wav', '._x.jpg', '.DS_Store', '.x.wav.12.mmav-tmp.wav', 'notes.txt', '._x.mp4')


@pytest.fixture
def folder(tmp_path):
    for name in OTHERS:
        (tmp_path / name).write_bytes(b'\0\5\26\7')
    (tmp_path / 'deep.wav').mkdir()
    for name in ('x.JPG', 'y.Png', 'x.MP4'):
        (tmp_path / name).write_bytes(b'-')
    for number, name in enumerate(('x.WAV', 'y.wav')):
        soundfile.write(tmp_path / name, np.full((50, 2), 0.25 * number), 8000)
    return tmp_path


def names(paths) -> list[str]:
    return [path.name for path in paths]


def test_files_of_a_folder(folder):
    assert names(files_with(folder, VIDEO_SUFFIXES)) == ['x.MP4']
    assert names(list_images(folder)) == ['x.JPG', 'y.Png']
    assert [clip.name for clip in collect_clips(folder, 2)] == ['x.WAV', 'y.wav']
    assert sorted(BackgroundMix(folder=str(folder)).files) == [str(folder / 'x.WAV'), str(folder / 'y.wav')]
