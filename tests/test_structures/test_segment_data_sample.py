"""Labels of segments: wrong ones do not get in, by whatever door."""

import pickle

import numpy as np
import pytest
import torch

from mmav.structures import SegmentDataSample


def make(**data):
    sample = SegmentDataSample(metainfo=dict(video_id='v1', num_segments=3))
    sample.set_data(data)
    return sample


def test_labels_and_predictions_travel():
    sample = make(gt_segments=torch.eye(3), gt_events=torch.ones(3), pred_labels=torch.tensor([2, 1, 0]))
    for other in (pickle.loads(pickle.dumps(sample)), sample.clone(), sample.new(), sample.to('cpu')):
        assert other.video_id == 'v1' and torch.equal(other.gt_segments, torch.eye(3))
        assert other.pred_labels.tolist() == [2, 1, 0]
    assert isinstance(sample.numpy().gt_segments, np.ndarray)


@pytest.mark.parametrize('name', ['gt_segments', 'gt_audio', 'gt_visual'])
def test_labels_of_another_shape_are_refused(name):
    with pytest.raises(ValueError, match=f'{name} of video v1 has 2 segments, num_segments is 3'):
        make(**{name: torch.zeros(2, 5)})
    with pytest.raises(ValueError, match=rf'{name} of video v1 must be \(T, C\), got \(3,\)'):
        setattr(make(), name, torch.zeros(3))
    with pytest.raises(TypeError, match=r'a tensor of floats, got torch\.int64'):
        make().set_field(torch.zeros(3, 5).long(), name)


def test_labels_of_the_video_have_one_dimension():
    with pytest.raises(ValueError, match=r'must be \(C,\), got \(1, 5\)'):
        make(gt_events=torch.zeros(1, 5))
    with pytest.raises(TypeError, match='got list'):
        make(gt_events=[1.0])
