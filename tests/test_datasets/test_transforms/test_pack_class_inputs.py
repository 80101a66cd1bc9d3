import numpy as np
import pytest
from mmpretrain.structures import DataSample

from mmav.datasets.transforms import PackAudioVisualInputs, PackClassInputs

PIPELINE = [
    dict(type='LoadMultichannelAudio'),
    dict(type='MirrorFlip', prob=1.0),
    dict(type='CountInstances', max_count=4),
    dict(type='PackClassInputs'),
]


def test_a_frame_becomes_sound_and_a_class(tiny_mavd, load_mavd):
    sample = load_mavd(tiny_mavd, PIPELINE)[3]
    assert set(sample['inputs']) == {'audio'}
    assert np.array_equal(sample['inputs']['audio'].numpy(), tiny_mavd.sounds[3][::-1])  # mirrored
    assert isinstance(sample['data_samples'], DataSample)
    assert sample['data_samples'].gt_label.tolist() == [2]  # a mirrored frame has as many
    meta = sample['data_samples'].metainfo
    assert (meta['img_id'], meta['drive'], meta['time_of_day'], meta['flip']) == (4, 'drive_1', 'night', True)
    assert 'img_shape' not in meta  # no boxes that would live in it


def test_images_and_spectrograms_are_packed_as_for_detectors():
    results = dict(
        spectrogram=np.ones((8, 5, 6), np.float32),
        rgb=np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        visual_modalities=('rgb',),
        gt_label=3,
        instances=[],
    )
    packed = PackClassInputs(meta_keys=('img_id',)).transform(dict(results, img_id=7))
    other = PackAudioVisualInputs(meta_keys=()).transform(dict(results))
    assert packed['inputs'].keys() == other['inputs'].keys() == {'spectrogram', 'rgb'}
    assert all(packed['inputs'][name].equal(other['inputs'][name]) for name in packed['inputs'])
    assert packed['data_samples'].metainfo == dict(img_id=7)


def test_missing_keys_are_said():
    with pytest.raises(KeyError, match='CountInstances'):
        PackClassInputs().transform(dict(audio=np.zeros((8, 9), np.int16)))
    with pytest.raises(KeyError, match='neither sound nor images'):
        PackClassInputs().transform(dict(gt_label=1))
