"""The study of acoustic images: its changed copies of data sets, and a few of its steps in miniature."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from forked_script import run_script

from mmav.simulation import make_config, simulate_dataset
from mmav.structures import Rig

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'
sys.path.insert(0, str(BENCHMARKS))

import study_hearing  # noqa: E402
from study_data import change_data_set, shift_channels  # noqa: E402
from study_scenes import known_at_most, precision_by_angle  # noqa: E402


@pytest.fixture(scope='module')
def drives(tmp_path_factory):
    root = tmp_path_factory.mktemp('study') / 'drives'
    config = make_config('demo', drives=(1, 1, 1), frames_per_drive=1, modalities=('rgb',))
    simulate_dataset(root, config, workers=1)
    return root


def sound_of(root: Path) -> dict[str, np.ndarray]:
    files = sorted(root.glob('*/audio/*.wav'))
    return {
        f'{file.parts[-3]}/{file.name.split("_")[1]}': soundfile.read(file, dtype='int16')[0]
        for file in files
    }


def test_a_copy_keeps_some_microphones_in_the_given_order(drives, tmp_path):
    change_data_set(drives, tmp_path / 'two', 0, channels=[6, 1])
    old, new = sound_of(drives), sound_of(tmp_path / 'two')
    assert len(new) == 3 * 2
    for drive in ('train_0000', 'val_0000', 'test_0000'):
        np.testing.assert_array_equal(new[f'{drive}/0'], old[f'{drive}/6'])
        np.testing.assert_array_equal(new[f'{drive}/1'], old[f'{drive}/1'])
    rigs = [Rig.from_file(root / 'rig.json') for root in (drives, tmp_path / 'two')]
    np.testing.assert_array_equal(rigs[1].microphone_positions, rigs[0].microphone_positions[[6, 1]])
    np.testing.assert_array_equal(rigs[1].microphone_axes, rigs[0].microphone_axes[[6, 1]])
    assert (tmp_path / 'two/annotations/test.json').read_bytes() == (
        drives / 'annotations/test.json'
    ).read_bytes()
    assert next((tmp_path / 'two/test_0000/fl_rgb').iterdir()).is_file()


def test_copies_change_the_rig_or_the_sound_alone(drives, tmp_path):
    old = sound_of(drives)
    change_data_set(drives, tmp_path / 'off', 0, displaced=0.05)
    for key, samples in sound_of(tmp_path / 'off').items():
        np.testing.assert_array_equal(samples, old[key])
    rig, displaced = (Rig.from_file(root / 'rig.json') for root in (drives, tmp_path / 'off'))
    offsets = displaced.microphone_positions - rig.microphone_positions
    assert 0.03 < offsets.std() < 0.07
    assert [line.split(':')[0] for line in rig.differences(displaced)] == ['microphone_positions']

    change_data_set(drives, tmp_path / 'dead', 0, sound='one_dead')
    dead = sound_of(tmp_path / 'dead')
    for drive in ('train_0000', 'val_0000', 'test_0000'):
        silent = [k for k in range(8) if not dead[f'{drive}/{k}'].any()]
        assert len(silent) == 1
        for k in set(range(8)) - set(silent):
            np.testing.assert_array_equal(dead[f'{drive}/{k}'], old[f'{drive}/{k}'])
    assert Rig.from_file(tmp_path / 'dead/rig.json') == rig


def test_shifted_channels_keep_their_magnitudes_and_lose_their_coherence():
    random = np.random.default_rng(0)
    one = random.normal(0, 1000, 44100).astype(np.int16)
    shifted = shift_channels(np.stack([one, one]), image_id=3)
    np.testing.assert_allclose(np.abs(np.fft.rfft(shifted)), np.abs(np.fft.rfft([one, one])), rtol=1e-6)
    correlation = np.corrcoef(shifted)[0, 1]
    assert abs(correlation) < 0.05
    np.testing.assert_array_equal(shifted, shift_channels(np.stack([one, one]), image_id=3))


def truth_file(path: Path, vehicles: list[list[tuple[float, float]]]) -> Path:
    """COCO json of one frame for each list of (azimuth, distance); boxes follow from both."""
    images, annotations = [], []
    for index, frame in enumerate(vehicles):
        names = dict(file_name=f'{index}.jpg', drive=f'd{index // 3}', timestamp=float(index % 3))
        images.append(dict(id=index, width=1520, height=650, **names))
        for number, (azimuth, distance) in enumerate(frame):
            size = 1500 / distance
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=index,
                    category_id=1,
                    bbox=[760 + 15 * azimuth - size / 2, 300, size, size / 2],
                    area=size * size / 2,
                    iscrowd=0,
                    track_id=number,
                    azimuth=azimuth,
                    distance=distance,
                    kind='car',
                )
            )
    categories = [dict(id=1, name='vehicle')]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return path


def test_precision_is_told_by_the_angle_of_the_pair(tmp_path):
    frames = [[(0, 10)], [(-1, 10), (3, 10)], [(-20, 10), (20, 10)], [(0, 10), (12, 10), (30, 10)]]
    truth = truth_file(tmp_path / 'truth.json', frames)
    annotations = json.loads(truth.read_text())['annotations']
    # all vehicles are found but one of the close pair
    found = [
        dict(image_id=ann['image_id'], category_id=1, bbox=ann['bbox'], score=0.9) for ann in annotations
    ]
    del found[2]
    (tmp_path / 'found.json').write_text(json.dumps(found))
    precision = precision_by_angle(tmp_path / 'found.json', truth)
    assert [precision[f'{name}/mAP_50'] for name in ('alone', 'pairs/20-180')] == pytest.approx([100, 100])
    # one of two found: precision 1 at the 51 of 101 recalls up to 0.5
    assert precision['pairs/0-5/mAP_50'] == pytest.approx(100 * 51 / 101)
    frames = ('alone', 'pairs/0-5', 'pairs/5-10', 'pairs/10-20', 'pairs/20-180')
    assert [precision[f'{name}/frames'] for name in frames] == [1, 1, 0, 0, 1]


def test_what_determines_the_boxes_tells_them(tmp_path):
    random = np.random.default_rng(0)

    def frames(number: int) -> list:
        return [[(random.uniform(-40, 40), random.uniform(5, 20))] for _ in range(number)]

    files = [truth_file(tmp_path / f'{number}.json', frames(number)) for number in (600, 60)]
    all_of_it = known_at_most(*files, ('azimuth', 'distance'))
    half_of_it = known_at_most(*files, ('distance',))
    assert all_of_it['mavd/mAP_50'] > 95 and half_of_it['mavd/mAP_50'] < 40


def noise_from(rig: Rig, places: np.ndarray, random: np.random.Generator) -> torch.Tensor:
    """(1, M, L): white noise from each place, delayed to each microphone; nothing is reflected."""
    frequencies = np.fft.rfftfreq(44100, 1 / 44100)
    spectrum = 0
    for place in places:
        distances = np.linalg.norm(rig.microphone_positions - place, axis=1)
        phases = np.exp(-2j * np.pi * frequencies * distances[:, None] / rig.speed_of_sound)
        spectrum = spectrum + np.fft.rfft(random.normal(0, 0.1, 44100)) * phases / distances[:, None]
    return torch.from_numpy(np.fft.irfft(spectrum, 44100)).float()[None]


@pytest.mark.parametrize('beamformer', ['bartlett', 'mvdr'])
def test_pairs_are_heard_where_they_are(drives, monkeypatch, beamformer):
    rig, random = Rig.from_file(drives / 'rig.json'), np.random.default_rng(0)
    width = rig.cropped_size[0]

    def sounds(*_, **__):
        # a pair that is wide apart and one in the same place, which gives one peak alone
        for azimuths in ((-20, 15), (3, 3)):
            pixels = np.array([[width / 2 + 15 * azimuth, 330.0] for azimuth in azimuths])
            places = rig.ground_points(pixels) + np.array([0, 0, 0.5])
            yield (
                noise_from(rig, places, random),
                pixels[:, 0] / width if azimuths[0] < 0 else np.array([0.5 - 0.3, 0.5 + 0.3]),
                [dict(azimuth=azimuth) for azimuth in azimuths],
            )

    monkeypatch.setattr(study_hearing, '_sounds', sounds)
    options = dict(beamformer=beamformer, ground_reflection=0.0, directivity='omni')
    found = study_hearing.pairs_apart(drives, options)
    assert found['pairs/20-180/heard'] == 100 and found['pairs/0-5/heard'] == 0
    assert found['pairs/20-180/frames'] == found['pairs/0-5/frames'] == 1
    assert 'pairs/5-10/heard' not in found


def test_kinds_are_told_by_what_differs_alone(monkeypatch):
    random = np.random.default_rng(0)

    def sounds(root, split, vehicles):
        for number in range(40):
            motorcycle = number % 4 == 0
            times = np.arange(44100) / 44100
            envelope = 1 + 0.8 * np.sin(2 * np.pi * 70 * times) if motorcycle else 1.0
            sound = random.normal(0, 0.05, (2, 44100)) * envelope * random.uniform(0.5, 2)
            kind = 'motorcycle' if motorcycle else 'car'
            yield torch.from_numpy(sound).float()[None], None, [dict(azimuth=0, distance=9, kind=kind)]

    monkeypatch.setattr(study_hearing, '_sounds', sounds)
    told = study_hearing.kinds_apart(Path(), ('modulation',))
    assert told['kind/trees'] == told['kind/logistic'] == 100  # the envelope tells
    assert (told['kind/frames'], told['kind/motorcycles']) == (40, 10)
    level = study_hearing.kinds_apart(Path(), ('level',))
    assert level['kind/logistic'] < 80  # the level does not


@pytest.mark.slow
def test_study_trains_tests_and_carries_on(tmp_path):
    trials = [
        'swapped/full/acoustic',
        'tracks/full/acoustic',
        'known/azimuth+distance',
        'pairs/bartlett',
        'kind/level',
    ]

    def run() -> str:
        command = [BENCHMARKS / 'study.py', '--preset', 'tiny', '--workers', '1', '--work-dir', tmp_path]
        return run_script([*command, '--trials', *trials], tmp_path / 'printed.txt')

    first = run()
    results = json.loads((tmp_path / 'results.json').read_text())
    assert set(results) == {f'{name}@0' for name in trials}
    assert all('mavd/mAP_50' in results[f'{name}@0'] for name in trials[:3])
    assert 'ocsort/MOTA' in results['tracks/full/acoustic@0']
    report = (tmp_path / 'report.md').read_text()
    assert all(f'| {name} |' in report for name in trials[:3])
    assert 'seed 0: train_demo_full_acoustic' in first

    (tmp_path / 'results.json').unlink()
    second = run()
    assert second.count('done before') == second.count('=== seed')
    assert json.loads((tmp_path / 'results.json').read_text()) == results
