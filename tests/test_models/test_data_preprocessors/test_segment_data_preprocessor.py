"""Batches of features."""

import pytest
import torch
from mmdet.registry import MODELS

from mmav.structures import SegmentDataSample


def build(**options):
    return MODELS.build(dict(type='SegmentDataPreprocessor', **options))


def samples(*names):
    return [SegmentDataSample(metainfo=dict(video_id=name)) for name in names]


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_features_are_stacked_in_the_precision_asked_for(dtype):
    features = [torch.rand(3, 4, dtype=torch.float64) for _ in range(2)]
    data = dict(
        inputs=dict(visual=features, index=[torch.tensor([1]), torch.tensor([2])]),
        data_samples=samples('a', 'b'),
    )
    batch = build(dtype=dtype)(data)
    assert batch['inputs']['visual'].dtype == getattr(torch, dtype)
    assert torch.allclose(batch['inputs']['visual'].double(), torch.stack(features), atol=1e-7)
    assert batch['inputs']['index'].tolist() == [[1], [2]]
    assert [sample.video_id for sample in batch['data_samples']] == ['a', 'b']


def test_faults_name_the_video():
    with pytest.raises(ValueError, match=r'audio: the samples of a batch differ .*video b: \(2, 4\)'):
        build()(
            dict(inputs=dict(audio=[torch.zeros(3, 4), torch.zeros(2, 4)]), data_samples=samples('a', 'b'))
        )
    broken = torch.zeros(2, 3, 4)
    broken[1, 2, 0] = torch.nan
    with pytest.raises(ValueError, match='audio: NaN or infinite values in video b'):
        build()(dict(inputs=dict(audio=broken), data_samples=samples('a', 'b')))
    with pytest.raises(ValueError, match='in sample 1 of the batch'):
        build()(dict(inputs=dict(audio=broken)))
    with pytest.raises(TypeError, match='inputs must be a dict'):
        build()(dict(inputs=[torch.zeros(2)]))
    with pytest.raises(ValueError, match=r"dtype must be one of .* got 'float16'"):
        build(dtype='float16')
