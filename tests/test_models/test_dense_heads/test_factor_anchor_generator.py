"""Anchors by hand, and mmdet's where the factors keep the area."""

import pytest
import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from mmdet.registry import TASK_UTILS

from mmav.models.dense_heads import FactorAnchorGenerator


def test_anchors_by_hand():
    config = dict(type='FactorAnchorGenerator', strides=[8], factors=[(1.0, 1.0), (1.4, 0.7)], scales=[4, 8])
    (anchors,) = TASK_UTILS.build(config).grid_priors([(1, 2)], device='cpu')
    first = torch.tensor(
        [
            [4 - 16, 4 - 16, 4 + 16, 4 + 16],
            [4 - 22.4, 4 - 11.2, 4 + 22.4, 4 + 11.2],
            [4 - 32, 4 - 32, 4 + 32, 4 + 32],
            [4 - 44.8, 4 - 22.4, 4 + 44.8, 4 + 22.4],
        ]
    )
    torch.testing.assert_close(anchors, torch.cat([first, first + torch.tensor([8, 0, 8, 0])]))


@pytest.mark.parametrize('center_offset', [0.0, 0.5])
def test_factors_of_constant_area_are_mmdets_ratios(center_offset):
    ratios = [0.25, 1.0, 4.0]  # height over width
    common = dict(strides=[8, 16], octave_base_scale=4, scales_per_octave=3, center_offset=center_offset)
    ours = FactorAnchorGenerator(factors=[(2.0, 0.5), (1.0, 1.0), (0.5, 2.0)], **common)
    theirs = AnchorGenerator(ratios=ratios, scale_major=False, **common)
    assert ours.num_base_priors == theirs.num_base_priors == [9, 9]
    sizes = [(3, 5), (2, 3)]
    for a, b in zip(ours.grid_priors(sizes, device='cpu'), theirs.grid_priors(sizes, device='cpu')):
        torch.testing.assert_close(a, b)
