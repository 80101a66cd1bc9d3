"""The commands around data, called as a user calls them, in this process."""

import json
import pickle
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from rigs import make_rig
from tiny_mavd import CROP, FULL_SIZE, SIZE, TinyMAVD

from mmav.datasets.stores.prepared_store import PreparedStore
from mmav.visualization import draw_stored_acoustic_image

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def call(monkeypatch):
    def call(script, *arguments):
        monkeypatch.setattr(sys, 'argv', [script, *map(str, arguments)])
        runpy.run_path(str(TOOLS / script), run_name='__main__')

    return call


@pytest.fixture
def data(tmp_path):
    (tmp_path / 'data').mkdir()
    data = TinyMAVD(tmp_path / 'data')
    for _ in range(3):
        data.add_frame()
    data.finish()
    return data


def test_prepare_mavd(call, data, tmp_path, capsys):
    store = tmp_path / 'store'
    options = [
        '--splits',
        'train',
        '--scale',
        48,
        32,
        '--shard-size',
        2,
        '--verify',
        '--dataset',
        f'crop={CROP}',
    ]
    call('dataset_converters/prepare_mavd.py', data.root, store, *options)
    assert '3 frames' in capsys.readouterr().out
    assert len(PreparedStore(str(store))) == 3
    assert np.load(store / 'shard_00000' / 'rgb.npy', mmap_mode='r').shape == (2, 32, 48, 3)
    with pytest.raises(SystemExit, match='other settings'):
        call('dataset_converters/prepare_mavd.py', data.root, store, *options, '--audio', 'none')


def test_convert_mavd_audio(call, data, capsys):
    mels = np.random.default_rng(0).uniform(-80, 0, (3, 80, 173))
    folder = data.root / 'drive_0' / 'audio'
    for k, mel in enumerate(mels):
        (folder / f'audio_{k}_x.pkl').write_bytes(pickle.dumps(mel))
    call('dataset_converters/convert_mavd_audio.py', data.root, '--remove')
    assert '3 converted, 0 not' in capsys.readouterr().out
    for k, mel in enumerate(mels):
        np.testing.assert_array_equal(np.load(folder / f'audio_{k}_x.npy'), mel)
    assert not list(folder.glob('*.pkl'))

    bad = folder / 'audio_0_y.pkl'
    bad.write_bytes(pickle.dumps(print))
    with pytest.raises(SystemExit):
        call('dataset_converters/convert_mavd_audio.py', data.root, '--remove')
    assert 'audio_0_y.pkl' in capsys.readouterr().out
    assert bad.is_file() and not bad.with_suffix('.npy').exists()


def test_simulate_mavd_says_what_cannot_be(call, tmp_path, monkeypatch):
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.setenv(name, '1')  # the script sets them for its process
    wish = ['--preset', 'demo', '--min-box-height', 700, '--drives-per-split', 1, 0, 0, '--workers', 0]
    with pytest.raises(SystemExit, match=r'simulate_mavd: .*min_box_height'):
        call('dataset_converters/simulate_mavd.py', tmp_path / 'out', *wish, '--quiet')


@pytest.mark.parametrize('images', [True, False])
def test_browse_dataset(call, data, tmp_path, images):
    config = tmp_path / 'config.py'
    steps = ["dict(type='LoadMultichannelAudio')", "dict(type='LoadAnnotations', with_bbox=True)"]
    steps += ["dict(type='LoadVisualModalities')"] if images else []
    steps += ["dict(type='ResizeModalities', scale=(96, 64))", "dict(type='PackAudioVisualInputs')"]
    config.write_text(
        f'dataset = dict(type="MAVDDataset", data_root={str(data.root)!r}, crop={CROP},\n'
        f'    ann_file="annotations/train.json", pipeline=[{", ".join(steps)}])\n'
        'train_dataloader = dict(dataset=dataset)\n'
        'model = dict(data_preprocessor=dict(log_mel=dict(reference="clip")))\n'
    )
    out = tmp_path / 'out'
    call('analysis/browse_dataset.py', config, '--output-dir', out, '--number', 2)
    drawn = sorted(out.glob('*.png'))
    assert len(drawn) == 2
    image = cv2.imread(str(drawn[0]))
    # panels as wide as the first one, then the spectrograms
    panels, (width, height) = (3, (720, 480)) if images else (1, (1122, 480))
    assert image.shape[0] == panels * height and image.shape[1] == width + 6 + 960
    frame = (image[..., 2] > 150) & (image[..., 1] < 90) & (image[..., 0] < 120)
    x, y = (30 / 152 * width, 20 / 65 * height)
    column = frame[round(y) + 20 : round(50 / 65 * height) - 20, round(x) - 6 : round(x) + 6]
    assert column.any(axis=1).mean() > 0.9  # the box's left edge


def test_browse_dataset_shows_acoustic_images_of_a_store(call, data, tmp_path):
    rig = make_rig(image_size=FULL_SIZE, crop=CROP)
    (data.root / 'rig.json').write_text(json.dumps(rig.to_dict()))
    store = tmp_path / 'store'
    options = ['--splits', 'train', '--scale', 96, 64, '--modalities', '--dataset', f'crop={CROP}']
    options += ['--audio', 'acoustic_image', '--acoustic-image', 'grid=(4,6)', 'max_bins=2']
    call('dataset_converters/prepare_mavd.py', data.root, store, *options)
    config = tmp_path / 'config.py'
    config.write_text(
        f'dataset = dict(type="MAVDDataset", data_root={str(data.root)!r}, crop={CROP},\n'
        f'    prepared={str(store)!r}, ann_file="annotations/train.json", pipeline=[\n'
        '    dict(type="LoadMultichannelAudio"), dict(type="ResizeModalities", scale=(96, 64)),\n'
        '    dict(type="PackAudioVisualInputs")])\n'
        'train_dataloader = dict(dataset=dataset)\n'
        'model = dict(data_preprocessor=dict(log_mel=None))\n'
    )
    out = tmp_path / 'out'
    call('analysis/browse_dataset.py', config, '--output-dir', out, '--number', 1)
    drawn = cv2.imread(str(next(out.glob('*.png'))))
    assert drawn.shape == (960, 1122, 3)  # camera image, below it the acoustic image
    frame = PreparedStore(str(store)).frame((0, 0))
    image = cv2.imread(str(next(data.root.glob('drive_0/fl_rgb/*_0000.jpg'))))[:, CROP[0] : CROP[2], ::-1]
    expected = draw_stored_acoustic_image(image, frame.read('audio'), frame.acoustic_image)[..., ::-1]
    assert expected.shape == (SIZE[1], SIZE[0], 3)
    expected = cv2.resize(expected, (1122, 480), interpolation=cv2.INTER_AREA)
    assert np.abs(drawn[510:].astype(int) - expected[30:]).max() <= 1
