import hashlib
import json
import runpy
import sys
import time
import wave
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from mmav.simulation import make_config, simulate_dataset
from mmav.simulation.drives import dataset
from mmav.utils.fileio import TEMPORARY_SUFFIX
from mmav.utils.processes import multiprocessing_context


def digest(root):
    files = sorted(path for path in root.rglob('*') if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_wav(path):
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth()) == (44100, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), '<i2')
        return samples.reshape(-1, file.getnchannels()).T


@pytest.fixture(scope='module')
def config():
    return make_config('demo', drives=(2, 1, 1), frames_per_drive=2, frame_interval=(0.3, 0.4))


@pytest.fixture(scope='module')
def root(config, tmp_path_factory):
    return simulate_dataset(tmp_path_factory.mktemp('whole') / 'mavd', config, workers=0, progress=False)


def test_layout(root):
    lines = (root / 'train.txt').read_text().split()
    assert len(lines) == 4
    for line in lines:
        drive, frame_id = line.split('/')
        rgb = cv2.imread(str(root / drive / 'fl_rgb' / f'fl_rgb_{frame_id}.jpg'))
        depth = cv2.imread(str(root / drive / 'fl_rgb_depth' / f'fl_rgb_{frame_id}.jpg'))
        thermal = cv2.imread(
            str(root / drive / 'fl_ir_aligned' / f'fl_ir_aligned_{frame_id}.png'), cv2.IMREAD_UNCHANGED
        )
        assert rgb.shape == depth.shape == (650, 1920, 3)
        assert thermal.shape == (650, 1920) and thermal.dtype == np.uint16
        for microphone in range(8):
            assert read_wav(root / drive / 'audio' / f'audio_{microphone}_{frame_id}.wav').shape == (1, 44100)


def test_split_lists_are_parts_of_their_whole(root):
    for split in ('train', 'val', 'test'):
        whole = set((root / f'{split}.txt').read_text().split())
        for light in ('', '_day', '_night'):
            for motion in ('', '_all', '_static', '_drive'):
                assert set((root / f'{split}{light}{motion}.txt').read_text().split()) <= whole

        def read(suffix, split=split):
            return set((root / f'{split}{suffix}.txt').read_text().split())

        assert read('_day') | read('_night') == read('_static') | read('_drive') == read('_all') == whole
        assert not read('_day') & read('_night')


def test_no_drive_is_in_two_splits(root):
    drives = [
        {line.split('/')[0] for line in (root / f'{split}.txt').read_text().split()}
        for split in ('train', 'val', 'test')
    ]
    assert not drives[0] & drives[1] and not drives[0] & drives[2] and not drives[1] & drives[2]


def test_annotations_load_in_pycocotools(root):
    for split, count in (('train', 4), ('val', 2), ('test', 2)):
        coco = COCO(str(root / 'annotations' / f'{split}.json'))
        assert len(coco.imgs) == count
        assert coco.loadCats([1])[0]['name'] == 'vehicle'
        for image in coco.imgs.values():
            assert (image['width'], image['height']) == (1520, 650)
            assert (root / image['file_name']).is_file()
            assert {'drive', 'frame_id', 'timestamp', 'time_of_day', 'motion', 'condition'} <= image.keys()
        for label in coco.anns.values():
            x, y, w, h = label['bbox']
            assert x >= 0 and y >= 0 and x + w <= 1520 and y + h <= 650 and h >= 60
            assert label['area'] == pytest.approx(w * h, abs=0.01) and label['iscrowd'] == 0
            assert 0.5 <= label['visibility'] <= 1 and 5 <= label['distance'] <= 20
            assert abs(label['azimuth']) < 60 and label['audible'] is True
            assert label['kind'] in ('car', 'truck', 'motorcycle') and label['track_id'] >= 0


def test_manifest_tells_everything(root, config):
    manifest = json.loads((root / 'manifest.json').read_text())
    assert manifest['seed'] == 0
    assert manifest['parameters'] == json.loads(json.dumps(config.to_dict()))
    positions = np.array(manifest['microphone_positions'])
    np.testing.assert_allclose(positions[::-1], positions * [-1, 1, 1], atol=1e-9)


def test_same_bytes_whatever_the_number_of_processes(root, config, tmp_path):
    other = simulate_dataset(tmp_path / 'mavd', config, workers=2, progress=False)
    assert digest(other) == digest(root)


def test_goes_on_after_an_interruption(root, config, tmp_path, monkeypatch):
    original, done = dataset.write_drive, []

    def interrupted(where, scene, config):
        if done:
            half = where / f'.{scene.name}{TEMPORARY_SUFFIX}'
            half.mkdir()
            (half / 'left_over').write_text('half a drive')
            raise KeyboardInterrupt
        done.append(scene.name)
        return original(where, scene, config)

    monkeypatch.setattr(dataset, 'write_drive', interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate_dataset(tmp_path / 'mavd', config, workers=0, progress=False)
    assert not (tmp_path / 'mavd' / 'train.txt').exists()
    made = []

    def counted(where, scene, config):
        made.append(scene.name)
        return original(where, scene, config)

    monkeypatch.setattr(dataset, 'write_drive', counted)
    simulate_dataset(tmp_path / 'mavd', config, workers=0, progress=False)
    assert done == ['train_0000'] and made == ['train_0001', 'val_0000', 'test_0000']
    assert digest(tmp_path / 'mavd') == digest(root)


def test_goes_on_after_a_kill(root, config, tmp_path):
    target = tmp_path / 'mavd'
    process = multiprocessing_context().Process(target=simulate_dataset, args=(target, config, 2, False))
    process.start()
    while not list(target.glob('train_*')):
        assert process.is_alive()
        time.sleep(0.005)
    process.kill()
    process.join()
    # Workers follow their parent; a drive that one was about to rename may still appear.
    time.sleep(0.5)
    assert not (target / 'train.txt').exists()
    simulate_dataset(target, config, workers=0, progress=False)
    assert digest(target) == digest(root)


def test_other_parameters_into_the_same_folder_are_refused(root, config):
    before = digest(root)
    with pytest.raises(FileExistsError, match='ground_reflection'):
        simulate_dataset(root, replace(config, ground_reflection=0.0), workers=0, progress=False)
    assert digest(root) == before


def test_foreign_folder_is_refused(tmp_path, config):
    (tmp_path / 'thesis.txt').write_text('precious')
    with pytest.raises(FileExistsError, match='not empty'):
        simulate_dataset(tmp_path, config, workers=0, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.txt']


def test_recording_of_a_drive_holds_the_same_sound(root, config, tmp_path):
    config = replace(config, audio_layout='drive', modalities=('rgb',), drives=(1, 0, 0))
    other = simulate_dataset(tmp_path / 'mavd', config, workers=0, progress=False)
    recording = read_wav(other / 'train_0000' / 'audio' / 'drive.wav')
    assert recording.shape[0] == 8
    header, *rows = (other / 'train_0000' / 'audio' / 'timestamps.csv').read_text().split()
    assert header == 'frame_id,seconds'
    for row in rows:
        frame_id, seconds = row.split(',')
        first = round((float(seconds) - 0.5) * 44100)
        assert first >= 0 and first + 44100 <= recording.shape[1]
        for microphone in range(8):
            path = root / 'train_0000' / 'audio' / f'audio_{microphone}_{frame_id}.wav'
            np.testing.assert_array_equal(read_wav(path)[0], recording[microphone, first : first + 44100])


def test_command(tmp_path, monkeypatch):
    tool = Path(__file__).parents[3] / 'tools' / 'dataset_converters' / 'simulate_mavd.py'
    arguments = [str(tmp_path / 'mavd'), '--preset', 'demo', '--seed', '3', '--workers', '1', '--quiet']
    arguments += ['--drives-per-split', '1', '0', '0', '--frames', '1', '--modalities', 'rgb']
    arguments += ['--microphones', 'omni', '--ground-reflection', '0']
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.setenv(name, '1')
    monkeypatch.setattr(sys, 'argv', [str(tool), *arguments])
    runpy.run_path(str(tool), run_name='__main__')
    parameters = json.loads((tmp_path / 'mavd' / 'manifest.json').read_text())['parameters']
    assert (parameters['seed'], parameters['microphones'], parameters['ground_reflection']) == (
        3,
        'omni',
        0.0,
    )
    assert len((tmp_path / 'mavd' / 'train.txt').read_text().split()) == 1
    assert not (tmp_path / 'mavd' / 'train_0000' / 'fl_ir_aligned').exists()
    monkeypatch.setattr(sys, 'argv', [str(tool), *arguments, '--array-radius', '0.2'])
    with pytest.raises(SystemExit, match=r'array_radius: 0\.3 there, 0.2 now'):
        runpy.run_path(str(tool), run_name='__main__')
