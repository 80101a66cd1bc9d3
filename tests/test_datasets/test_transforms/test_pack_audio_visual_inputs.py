import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from mmav.datasets.transforms import PackAudioVisualInputs


def test_arrays_become_tensors_channels_first():
    rng = np.random.default_rng(0)
    audio = rng.integers(-9, 9, (8, 20)).astype(np.int16)
    rgb = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    thermal = rng.integers(0, 256, (6, 7, 1), dtype=np.uint8)
    results = dict(
        audio=audio,
        rgb=rgb[:, ::-1],
        thermal=thermal,
        visual_modalities=('rgb', 'thermal'),
        gt_bboxes=HorizontalBoxes(torch.tensor([[1.0, 2, 3, 4], [2, 2, 5, 5]])),
        gt_bboxes_labels=np.array([0, 0]),
        gt_ignore_flags=np.array([0, 1]),
        img_id=5,
        drive='d',
        motion=None,
    )
    packed = PackAudioVisualInputs()(results)
    assert list(packed['inputs']) == ['audio', 'rgb', 'thermal']
    np.testing.assert_array_equal(packed['inputs']['audio'].numpy(), audio)
    np.testing.assert_array_equal(packed['inputs']['rgb'].numpy(), rgb[:, ::-1].transpose(2, 0, 1))
    np.testing.assert_array_equal(packed['inputs']['thermal'].numpy(), thermal.transpose(2, 0, 1))
    assert all(tensor.is_contiguous() for tensor in packed['inputs'].values())
    sample = packed['data_samples']
    assert sample.metainfo == dict(img_id=5, drive='d', motion=None)
    assert len(sample.gt_instances) == len(sample.ignored_instances) == 1


def test_empty_sample_is_refused():
    with pytest.raises(KeyError, match='neither sound nor images'):
        PackAudioVisualInputs()(dict(img_id=1))
