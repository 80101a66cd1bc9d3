"""Features and labels of a video, packed."""

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS

import mmav  # noqa: F401


def sample(**more):
    return dict(
        video_id='v1', duration=3.0, num_segments=3, visual=np.ones((3, 4)), audio=np.zeros((3, 2)), **more
    )


def test_inputs_labels_and_metainfo():
    pack = TRANSFORMS.build(dict(type='PackSegmentInputs', keys=('audio', 'query_mask')))
    given = sample(query_mask=np.array([0, 1, 1]), gt_segments=np.eye(3), gt_events=None, other=5)
    packed = pack(given)
    assert set(packed) == {'inputs', 'data_samples'} and set(packed['inputs']) == {'audio', 'query_mask'}
    assert packed['inputs']['query_mask'].tolist() == [0, 1, 1]
    labels = packed['data_samples']
    assert labels.gt_segments.dtype == torch.float32 and torch.equal(labels.gt_segments, torch.eye(3))
    assert 'gt_events' not in labels and 'other' not in labels
    assert labels.metainfo == dict(video_id='v1', duration=3.0, num_segments=3)


def test_read_only_arrays_are_copied():
    given = sample()
    given['visual'].setflags(write=False)
    visual = TRANSFORMS.build(dict(type='PackSegmentInputs'))(given)['inputs']['visual']
    visual += 1
    assert given['visual'].max() == 1 and visual.max() == 2


def test_what_lacks_or_is_no_array_is_named():
    pack = TRANSFORMS.build(dict(type='PackSegmentInputs', keys=('audio', 'visual_st')))
    with pytest.raises(KeyError, match='video v1 has no visual_st'):
        pack(sample())
    with pytest.raises(TypeError, match='visual_st of video v1 is no array of numbers but list'):
        pack(sample(visual_st=[1, 2]))
