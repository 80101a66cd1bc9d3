"""From sound to tracks: files, images, figures."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import motmetrics
import numpy as np
import pytest
import soundfile
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from toy_training import ROOT

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_mavd import CROP, SAMPLE_RATE, SIZE, TinyMAVD

from mmav.apis import AudioDetInferencer
from mmav.visualization import track_color

FRAMES = 5


@pytest.fixture
def data(tmp_path) -> TinyMAVD:
    """Two drives of five frames, in turns; a vehicle that moves, and one that stands."""
    tiny = TinyMAVD(tmp_path / 'mavd', modalities=('rgb',))
    for number in range(FRAMES):
        tiny.add_frame('drive_1', boxes=[(10.0 + 2 * number, 20.0, 40.0, 30.0)], time_of_day='day')
        tiny.add_frame('drive_0', boxes=[(70.0, 10.0, 60.0, 40.0)], time_of_day='night')
    tiny.finish('test')
    return tiny


@pytest.fixture
def files(tmp_path, toy_config, build_detector) -> list[str]:
    """A config and a checkpoint of random weights."""
    cfg = toy_config('mm_distillnet/track_r18_sim.py', {'model.data_preprocessor.audio_size': (96, 96)})
    cfg.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=build_detector(cfg).state_dict()), tmp_path / 'model.pth')
    return [str(tmp_path / 'config.py'), str(tmp_path / 'model.pth')]


@pytest.fixture
def track(files, tmp_path, monkeypatch, capsys):
    """Runs the program; returns what it printed."""
    settings = [
        f'test_dataloader.dataset.data_root={tmp_path / "mavd"}',
        f'test_dataloader.dataset.crop={CROP}'.replace(' ', ''),
    ]

    def run(*arguments) -> str:
        words = [
            *files,
            '--out-dir',
            tmp_path / 'out',
            '--device',
            'cpu',
            *arguments,
            '--cfg-options',
            *settings,
        ]
        monkeypatch.setattr(sys, 'argv', ['track.py', *map(str, words)])
        runpy.run_path(str(ROOT / 'tools' / 'track.py'), run_name='__main__')
        return capsys.readouterr().out

    return run


@pytest.fixture
def finds_the_truth(data, monkeypatch) -> None:
    """Puts the true boxes in the place of the detector, with a score that starts tracks."""

    def replaced(self, batch):
        assert [wave.shape for wave in batch['inputs']['audio']] == [(8, SAMPLE_RATE)] * len(
            batch['data_samples']
        )
        for sample in batch['data_samples']:
            x, y, w, h = data.annotations[sample.img_id - 1]['bbox']
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([[x, y, x + w, y + h]]),
                scores=torch.tensor([0.9]),
                labels=torch.tensor([0]),
            )
        return batch['data_samples']

    monkeypatch.setattr(AudioDetInferencer, 'forward', replaced)


def read_video(path: Path) -> tuple[list[np.ndarray], float]:
    video = cv2.VideoCapture(str(path))
    fps, images = video.get(cv2.CAP_PROP_FPS), []
    while True:
        found, image = video.read()
        if not found:
            return images, fps
        images.append(image)


def test_perfect_ears_give_perfect_tracks(data, finds_the_truth, track, tmp_path):
    output = track('--truth', '--batch-size', '3')
    assert 'drive_0: 1 tracks in 5 frames' in output and 'drive_1: 1 tracks in 5 frames' in output
    metrics = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    for row in ('', 'day/', 'night/'):
        assert metrics[f'tracking/{row}MOTA'] == metrics[f'tracking/{row}HOTA'] == pytest.approx(100)
    assert metrics['tracking/objects'] == 10 and metrics['tracking/tracks'] == 2
    # motmetrics reads the format and takes the pixels' 1 away again
    table = motmetrics.io.loadtxt(tmp_path / 'out' / 'drive_1.txt').reset_index()
    assert table.FrameId.tolist() == [1, 2, 3, 4, 5] and set(table.Id) == {1}
    expected = [[10 + 2 * number, 20, 40, 30] for number in range(FRAMES)]
    np.testing.assert_allclose(table[['X', 'Y', 'Width', 'Height']], expected)
    line = (tmp_path / 'out' / 'drive_1.txt').read_text().splitlines()[1]
    assert line == '2,1,13.00,21.00,40.00,30.00,0.9000,-1,-1,-1'


def test_drives_of_several_data_sets(data, finds_the_truth, track, files, tmp_path):
    """The drives of one data set as two, by the time of day, are tracked alike."""
    track('--truth')
    expected = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    cfg = Config.fromfile(files[0])
    dataset = dict(cfg.test_dataloader.dataset.to_dict(), data_root=str(data.root), crop=CROP)
    parts = [dict(dataset, time_of_day=time) for time in ('night', 'day')]
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=parts)
    cfg.dump(tmp_path / 'joined.py')
    files[0] = str(tmp_path / 'joined.py')
    output = track('--truth', '--force', '--no-video')
    assert 'drive_0: 1 tracks in 5 frames' in output and 'drive_1: 1 tracks in 5 frames' in output
    assert json.loads((tmp_path / 'out' / 'metrics.json').read_text()) == expected
    cfg.test_dataloader.dataset.datasets[0].time_of_day = 'day'
    cfg.dump(tmp_path / 'joined.py')
    with pytest.raises(SystemExit):  # whose drive is it
        track('--force')


def test_video_shows_boxes_over_the_camera_image(data, finds_the_truth, track, tmp_path):
    track('--drives', 'drive_1')
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['drive_1.mp4', 'drive_1.txt']
    images, fps = read_video(tmp_path / 'out' / 'drive_1.mp4')
    assert len(images) == FRAMES and images[0].shape == (SIZE[1] + 1, SIZE[0], 3)  # height made even
    assert fps == pytest.approx(0.5, rel=1e-3)  # every second frame is of this drive, a second apart
    stem = data.frames[0][1]
    image = cv2.imread(str(data.root / 'drive_1' / 'fl_rgb' / f'fl_rgb_{stem}.jpg'))[:, CROP[0] : CROP[2]]
    away = np.s_[5:60, 80:150]
    assert np.abs(images[0][away].astype(int) - image[away]).mean() < 6
    edge = images[0][30:45, 10].astype(int).mean(axis=0)
    assert np.abs(edge - track_color(1)).max() < 90
    assert np.abs(edge - image[30:45, 10].mean(axis=0)).max() > 60


def test_black_canvas_without_images(data, finds_the_truth, track, tmp_path):
    for path in data.root.glob('*/fl_rgb/*.jpg'):
        path.unlink()
    track('--drives', 'drive_0', '--fps', '5')
    images, fps = read_video(tmp_path / 'out' / 'drive_0.mp4')
    assert fps == pytest.approx(5) and images[2][5:60, 5:50].max() < 12
    assert images[2][25:45, 70].max() > 100


def test_existing_files_are_kept_without_force(data, finds_the_truth, track, tmp_path):
    track('--no-video', '--drives', 'drive_0')
    path = tmp_path / 'out' / 'drive_0.txt'
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    path.write_text('mine')
    with pytest.raises(SystemExit, match=r'drive_0\.txt exist; --force'):
        track('--no-video')
    assert path.read_text() == 'mine'
    track('--no-video', '--force', '--init-score-thr', '0.95')  # nothing is sure enough
    assert path.read_text() == ''


def test_recording_is_cut_into_overlapping_seconds(track, tmp_path):
    rng = np.random.default_rng(0)
    for name in ('street', 'yard'):
        sound = (rng.standard_normal((round(1.5 * SAMPLE_RATE), 8)) * 3000).astype(np.int16)
        soundfile.write(tmp_path / f'{name}.wav', sound, SAMPLE_RATE)
    recordings = ['--recordings', tmp_path / 'street.wav', tmp_path / 'yard.wav', '--stride', '0.25']
    output = track(*recordings, '--init-score-thr', '0.1', '--score-thr', '0.1')
    assert 'tracks in 3 frames' in output
    for name in ('street', 'yard'):
        table = motmetrics.io.loadtxt(tmp_path / 'out' / f'{name}.txt').reset_index()
        assert set(table.FrameId) == {1, 2, 3} and table.Id.min() == 1
        assert (table.Confidence > 0.1).all()
        images, fps = read_video(tmp_path / 'out' / f'{name}.mp4')
        assert len(images) == 3 and fps == pytest.approx(4)


def test_recording_over_a_camera_image(track, tmp_path):
    soundfile.write(tmp_path / 'a.wav', np.zeros((SAMPLE_RATE, 8), np.int16), SAMPLE_RATE)
    cv2.imwrite(str(tmp_path / 'camera.png'), np.full((CROP[3], 192, 3), 130, np.uint8))
    track('--recordings', tmp_path / 'a.wav', '--images', tmp_path / 'camera.png', '--init-score-thr', '1')
    images, _ = read_video(tmp_path / 'out' / 'a.mp4')
    assert len(images) == 1 and np.abs(images[0][:60].astype(int) - 130).max() < 6
    assert (tmp_path / 'out' / 'a.txt').read_text() == ''


def test_recordings_whose_files_would_have_one_name(track, tmp_path):
    for folder, suffix in (('x', 'wav'), ('y', 'flac')):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / f'a.{suffix}'
        soundfile.write(path, np.zeros((SAMPLE_RATE, 8), np.int16), SAMPLE_RATE)
    with pytest.raises(SystemExit, match=rf"{tmp_path}/y/a\.flac: .* that of {tmp_path}/x/a\.wav: 'a'"):
        track('--recordings', tmp_path / 'x' / 'a.wav', tmp_path / 'y' / 'a.flac')
    assert not (tmp_path / 'out').exists()


def test_truth_without_tracks_is_named(data, finds_the_truth, track):
    for annotation in data.annotations:
        annotation.pop('track_id')
    data.finish('test')
    with pytest.raises(SystemExit, match='annotation 2 of image 2: has no track_id'):
        track('--truth', '--no-video', '--drives', 'drive_0')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--drives', 'drive_9'], r"no drive drive_9 in test; there are \['drive_0', 'drive_1'\]"),
        (['--score-thr', '0.9'], 'score_thr <= init_score_thr'),
        (['--recordings', 'missing.wav'], 'missing.wav: no such file'),
    ],
)
def test_faults_are_named(data, track, arguments, message):
    with pytest.raises(SystemExit, match=message):
        track(*arguments)


@pytest.mark.parametrize(
    'arguments',
    [
        ['--images', 'a.jpg'],
        ['--recordings', 'a.wav', '--truth'],
        ['--single-vehicle-only'],
        ['--stride', '0'],
    ],
)
def test_options_that_do_not_go_together(track, arguments, capsys):
    with pytest.raises(SystemExit):
        track(*arguments)
    assert 'error: --' in capsys.readouterr().err
