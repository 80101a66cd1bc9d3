import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import soundfile
from mmdet.datasets import CocoDataset

from mmav.datasets import VGGSoundDataset, VGGSSDataset
from mmav.simulation import make_clip_config, simulate_clips
from mmav.simulation.clips import clips_dataset
from mmav.simulation.clips.clips import KINDS
from mmav.utils.fileio import TEMPORARY_SUFFIX

CONFIG = make_clip_config('small', clips=(6, 3, 12, 5), offscreen_share=0.4, picture=(40, 60), duration=0.5)


def digest(root):
    files = sorted(path for path in root.rglob('*') if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return simulate_clips(tmp_path_factory.mktemp('whole') / 'clips', CONFIG, workers=0, progress=False)


@pytest.fixture(scope='module')
def truth(root):
    return json.loads((root / 'truth.json').read_text())


def read_list(root, name):
    return (root / f'{name}.txt').read_text().split()


def test_lists_and_truth(root, truth):
    stems = [clip['file'] for clip in truth]
    assert len(set(stems)) == 26
    assert sorted(stems) == sorted(
        s for n in ('train', 'val', 'test', 'teachers', 'offscreen') for s in read_list(root, n)
    )
    offscreen = {clip['file'] for clip in truth if clip['offscreen']}
    assert set(read_list(root, 'offscreen')) == {
        clip['file'] for clip in truth if clip['offscreen'] and clip['split'] in ('val', 'test')
    }
    assert offscreen & set(read_list(root, 'train')) and read_list(root, 'offscreen')
    for clip in truth:
        assert clip['offscreen'] == (not any(thing['sounding'] for thing in clip['objects']))
        height, width = cv2.imread(str(root / 'frames' / f'{clip["file"]}.jpg')).shape[:2]
        assert [width, height] == clip['size']
        sound, rate = soundfile.read(root / 'audio' / f'{clip["file"]}.wav')
        assert rate == 22050 and sound.shape == (11025,) and sound.any()


def test_our_data_sets_read_it(root, truth):
    common = dict(data_root=str(root), pipeline=[], on_missing='raise', verify=True, serialize_data=False)
    train = VGGSoundDataset(split_file='train.txt', class_file='vggsound.csv', **common)
    by_stem = {clip['file']: clip for clip in truth}
    assert len(train) == 6 and train.metainfo['classes'] == tuple(sorted({clip['class'] for clip in truth}))
    assert all(sample['category'] == by_stem[sample['clip']]['class'] for sample in train)
    assert {sample['split'] for sample in train} == {'train'}
    test = VGGSSDataset(split_file='test.txt', **common)
    assert len(test) == len(read_list(root, 'test'))
    for sample in test:
        clip = by_stem[sample['clip']]
        boxes = [thing['bbox'] for thing in clip['objects'] if thing['sounding']]
        np.testing.assert_allclose(sample['gt_boxes'], boxes)
        assert sample['category'] == clip['class'] and len(boxes) > 0
    assert len(VGGSSDataset(**common)) == len(read_list(root, 'val')) + len(test)
    assert len(VGGSoundDataset(split_file='offscreen.txt', **common)) == len(read_list(root, 'offscreen'))


def test_mmdet_reads_the_objects(root, truth):
    dataset = CocoDataset(
        ann_file='annotations/teachers.json',
        data_root=str(root),
        data_prefix=dict(img=''),
        metainfo=dict(classes=KINDS),
        pipeline=[],
    )
    clips = [clip for clip in truth if clip['split'] == 'teachers']
    assert len(dataset) == 5
    for sample, clip in zip(dataset, clips):
        (instance,) = sample['instances']
        assert KINDS[instance['bbox_label']] == clip['class'] == clip['objects'][0]['kind']
        width, height = clip['size']
        expected = np.array(clip['objects'][0]['bbox']) * [width, height, width, height]
        np.testing.assert_allclose(instance['bbox'], expected, atol=0.02)
    test = json.loads((root / 'annotations' / 'test.json').read_text())
    silent = [
        thing
        for clip in truth
        if clip['split'] == 'test'
        for thing in clip['objects']
        if not thing['sounding']
    ]
    assert len([ann for ann in test['annotations'] if not ann['sounding']]) == len(silent) > 0


def test_same_bytes_whatever_the_number_of_processes(root, tmp_path):
    other = simulate_clips(tmp_path / 'clips', CONFIG, workers=2, progress=False)
    assert digest(other) == digest(root)


def test_goes_on_after_an_interruption(root, tmp_path, monkeypatch):
    original, done = clips_dataset._write_clip, []

    def interrupted(where, config, scene):
        if len(done) == 3:
            (where / 'audio' / f'.{scene.stem}.wav.7{TEMPORARY_SUFFIX}').write_bytes(b'half a sound')
            raise KeyboardInterrupt
        done.append(scene.stem)
        original(where, config, scene)

    monkeypatch.setattr(clips_dataset, '_write_clip', interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate_clips(tmp_path / 'clips', CONFIG, workers=0, progress=False)
    assert not (tmp_path / 'clips' / 'train.txt').exists()
    (tmp_path / 'clips' / 'annotations').mkdir(exist_ok=True)
    (tmp_path / f'clips/annotations/.val.json.7{TEMPORARY_SUFFIX}').write_text('half')
    made = []
    monkeypatch.setattr(
        clips_dataset, '_write_clip', lambda *args: (made.append(args[2].stem), original(*args))
    )
    simulate_clips(tmp_path / 'clips', CONFIG, workers=0, progress=False)
    assert len(made) == 23 and not set(made) & set(done)
    assert digest(tmp_path / 'clips') == digest(root)


def test_other_parameters_into_the_same_folder_are_refused(root):
    before = digest(root)
    with pytest.raises(FileExistsError, match='clutter: 14 there, 3 now'):
        simulate_clips(root, replace(CONFIG, clutter=3), workers=0, progress=False)
    assert digest(root) == before


def test_flac(tmp_path):
    config = replace(CONFIG, clips=(1, 0, 0, 0), audio_ext='flac', offscreen_share=0.0)
    root = simulate_clips(tmp_path / 'clips', config, workers=0, progress=False)
    assert len(VGGSoundDataset(data_root=str(root), split_file='train.txt', verify=True, pipeline=[])) == 1
