import json
import pickle

import cv2
import numpy as np
import pytest
import soundfile
from mmdet.registry import DATASETS
from mmengine.dataset import DefaultSampler
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from mmav.datasets import NegativeSoundDataset, SampleError, VGGSSDataset

RATE, CATEGORIES = 22050, ('dog', 'bell', 'dog')
PIPELINE = [
    dict(type='LoadClipFrame'),
    dict(type='LoadAudioSegment', duration=0.1),
    dict(type='Resize', scale=(16, 16), keep_ratio=False),
    dict(type='PackLocalizationInputs'),
]


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> dict:
    """Config of a VGG-SS of three clips; clip k sounds constantly at (k + 1) / 4."""
    root = tmp_path_factory.mktemp('clips')
    (root / 'frames').mkdir()
    (root / 'audio').mkdir()
    for number in range(3):
        cv2.imwrite(str(root / 'frames' / f'{number}.jpg'), np.full((20, 30, 3), 80 * number, np.uint8))
        soundfile.write(root / 'audio' / f'{number}.wav', np.full(RATE // 5, (number + 1) / 4), RATE)
    entries = [
        {'file': str(number), 'class': name, 'bbox': [[0.0, 0.0, 0.5, 1.0]]}
        for number, name in enumerate(CATEGORIES)
    ]
    (root / 'vggss.json').write_text(json.dumps(entries))
    return dict(type='VGGSSDataset', data_root=str(root), pipeline=PIPELINE, test_mode=True)


@pytest.fixture(scope='module')
def own(clips) -> VGGSSDataset:
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(clips)


def test_every_clip_with_every_sound(clips, own):
    dataset = DATASETS.build(dict(type='NegativeSoundDataset', dataset=clips))
    assert len(dataset) == 12
    assert dataset.metainfo == own.metainfo
    for index in range(12):
        kind, number = (None, 'silence', 'noise', 'other')[index // 3], index % 3
        sample = dataset[index]
        assert sample['data_samples'].get('negative') == kind
        assert sample['data_samples'].clip == dataset.get_data_info(index)['clip'] == str(number)
        assert (sample['inputs']['image'] == own[number]['inputs']['image']).all()
        assert (sample['data_samples'].gt_map == own[number]['data_samples'].gt_map).all()
        audio, expected = sample['inputs']['audio'], own[number]['inputs']['audio']
        if kind is None:
            assert (audio == expected).all()
        elif kind == 'silence':
            assert not audio.any()
        elif kind == 'noise':
            assert 0.08 < audio.std() < 0.12 and abs(audio.mean()) < 0.01
        else:  # dogs hear the bell, the bell a dog
            other = {0: (1,), 1: (0, 2), 2: (1,)}[number]
            assert any((audio - (k + 1) / 4).abs().max() < 1e-3 for k in other)
    with pytest.raises(IndexError):
        dataset[12]


def test_only_negatives_of_some_kinds(own):
    dataset = NegativeSoundDataset(own, kinds=('other', 'silence'), own=False)
    assert [dataset[index]['data_samples'].negative for index in range(6)] == ['other'] * 3 + ['silence'] * 3


def test_loads_in_workers_as_in_one_process(own):
    dataset = NegativeSoundDataset(own)
    loader = DataLoader(
        pickle.loads(pickle.dumps(dataset)),
        sampler=DefaultSampler(dataset, shuffle=False),
        num_workers=1,
        collate_fn=lambda batch: batch[0]['inputs']['audio'],
    )
    for index, audio in enumerate(loader):
        assert (audio == dataset[index]['inputs']['audio']).all()


def test_broken_clip_is_named(own):
    dataset = NegativeSoundDataset(own, kinds=('other',))
    broken = dataset.dataset.data_prefix['audio'] + '/1.wav'
    content = open(broken, 'rb').read()
    try:
        with open(broken, 'wb') as file:
            file.write(content[:100])
        for index in (1, 3):  # the bell itself, and the dog that hears it
            with pytest.raises(SampleError, match=r'1\.wav'):
                dataset[index]
    finally:
        with open(broken, 'wb') as file:
            file.write(content)


def test_bad_arguments(clips):
    for kinds in ((), ('hum',), ('noise', 'noise')):
        with pytest.raises(ValueError, match='kinds'):
            NegativeSoundDataset(clips, kinds=kinds, lazy_init=True)
    silent = dict(clips, pipeline=[step for step in PIPELINE if step['type'] != 'LoadAudioSegment'])
    with pytest.raises(ValueError, match='no sound to replace'):
        NegativeSoundDataset(silent)
