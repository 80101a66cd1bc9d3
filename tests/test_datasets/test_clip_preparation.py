import json

import cv2
import numpy as np
import pytest
import soundfile

from mmav.datasets import SampleError, VGGSoundDataset
from mmav.datasets.clip_preparation import ClipSettings, prepare_clips
from mmav.media.video_writer import write_video

RATE = 16000


def write_clip(path, seconds=2.0, silent=False):
    """Gray that grows with time, and a tone of 500 Hz in the middle second, of 300 Hz else."""
    frames = [np.full((48, 64, 3), 40 * k, np.uint8) for k in range(round(3 * seconds))]
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.where(abs(time - seconds / 2) < 0.5, 500, 300)
    sound = None if silent else 0.4 * np.sin(2 * np.pi * tone * time)
    write_video(path, frames, 3, sound, RATE)


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / 'videos'
    write_clip(folder / 'one_000000.mp4')
    write_clip(folder / 'two_000010.mkv')
    write_clip(folder / 'short.mp4', seconds=0.34)
    write_clip(folder / 'silent.mp4', silent=True)
    (folder / 'truncated.mp4').write_bytes((folder / 'one_000000.mp4').read_bytes()[:3000])
    (folder / 'notes.txt').write_text('no video')
    return folder


SETTINGS = ClipSettings(duration=0.8, sample_rate=8000)


def times(root):
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.glob('*/*')}


def test_middle_image_and_middle_sound(videos, tmp_path):
    root = tmp_path / 'out'
    failed = prepare_clips(videos, root, SETTINGS, workers=2, progress=False)
    assert sorted(failed) == ['silent.mp4', 'truncated.mp4'] and failed['silent.mp4'] == 'has no sound'
    lines = (root / 'failed.txt').read_text().splitlines()
    assert lines[0] == 'silent.mp4\thas no sound'
    assert lines[1].startswith('truncated.mp4\tnot a readable video')
    for stem in ('one_000000', 'two_000010'):
        image = cv2.imread(str(root / 'frames' / f'{stem}.jpg'))
        assert image.shape == (48, 64, 3)
        np.testing.assert_allclose(image, 120, atol=6)  # of second 1
        sound, rate = soundfile.read(root / 'audio' / f'{stem}.wav')
        assert sound.shape == (6400,) and rate == 8000
        assert np.abs(np.fft.rfft(sound)).argmax() / 0.8 == pytest.approx(500, abs=2)
    assert len(soundfile.read(root / 'audio' / 'short.wav')[0]) < 6400  # all there is; loading repeats it
    names = sorted(path.name for path in root.glob('*/*'))
    assert names == sorted(f'{s}.{e}' for s in ('one_000000', 'short', 'two_000010') for e in ('jpg', 'wav'))
    assert len(VGGSoundDataset(data_root=str(root), on_missing='raise', verify=True, pipeline=[])) == 3


def test_goes_on_where_it_stopped(videos, tmp_path, monkeypatch):
    root = tmp_path / 'out'
    (videos / 'truncated.mp4').unlink()
    original, done = prepare_clips.__globals__['prepare_clip'], []

    def interrupted(video, *args):
        if done:
            raise KeyboardInterrupt
        done.append(video.stem)
        original(video, *args)

    monkeypatch.setattr('mmav.datasets.clip_preparation.prepare_clip', interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_clips(videos, root, SETTINGS, workers=0, progress=False)
    (root / 'audio' / '.two_000010.wav.1.mmav-tmp').write_bytes(b'half')  # as a kill leaves it
    before = times(root)
    monkeypatch.setattr('mmav.datasets.clip_preparation.prepare_clip', original)
    assert sorted(prepare_clips(videos, root, SETTINGS, workers=0, progress=False)) == ['silent.mp4']
    after = times(root)
    assert len(after) == 6 and not any('tmp' in name for name in after)
    assert {name: after[name] for name in before if 'tmp' not in name} == {
        name: time for name, time in before.items() if 'tmp' not in name
    }
    assert len([name for name in before if 'tmp' not in name]) == 2
    # the missing video is mended: it alone is made
    write_clip(videos / 'silent.mp4')
    assert prepare_clips(videos, root, SETTINGS, workers=0, progress=False) == {}
    assert (root / 'failed.txt').read_text() == '' and times(root).items() > after.items()


def test_size_and_format(videos, tmp_path):
    settings = SETTINGS._replace(short_side=24, audio_ext='flac')
    prepare_clips(videos, tmp_path / 'out', settings, workers=0, progress=False)
    assert cv2.imread(str(tmp_path / 'out' / 'frames' / 'short.jpg')).shape == (24, 32, 3)
    assert (tmp_path / 'out' / 'audio' / 'short.flac').is_file()


def test_other_settings_and_foreign_folders_are_refused(videos, tmp_path):
    root = tmp_path / 'out'
    root.mkdir()
    (root / 'prepare_clips.json').write_text(json.dumps(SETTINGS._asdict()))
    with pytest.raises(FileExistsError, match='sample_rate: 8000 there, 16000 now'):
        prepare_clips(videos, root, SETTINGS._replace(sample_rate=16000), progress=False)
    foreign = tmp_path / 'foreign'
    (foreign / 'frames').mkdir(parents=True)
    (foreign / 'frames' / 'one_000000.jpg').write_bytes(b'precious')
    with pytest.raises(FileExistsError, match=r'holds frames or audio but no prepare_clips\.json'):
        prepare_clips(videos, foreign, SETTINGS, progress=False)


def test_bad_folders_of_videos(videos, tmp_path):
    (videos / 'short.webm').write_bytes(b'')
    with pytest.raises(SampleError, match=r'/short\.webm: .* that of \S+/short\.mp4: '):
        prepare_clips(videos, tmp_path / 'out', SETTINGS, progress=False)
    with pytest.raises(SampleError, match='holds no videos'):
        prepare_clips(tmp_path / 'nowhere', tmp_path / 'out', SETTINGS, progress=False)
    assert not (tmp_path / 'out').exists()
