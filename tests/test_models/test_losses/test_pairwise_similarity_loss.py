"""Pairwise similarity loss: scipy's cosines, limiting cases."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform

from mmav.models.losses import PairwiseSimilarityLoss, pairwise_similarity_loss


def random_features(channels=(5, 5), size=(6, 4), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, c, *size, generator=generator, dtype=torch.float64) for c in channels]


def scipy_loss(student, teacher):
    """The equation sample by sample, similarities by scipy."""
    losses = []
    for s, t in zip(student, teacher):
        similarity_s, similarity_t = (
            1 - squareform(pdist(feat.flatten(1).t().numpy(), 'cosine')) for feat in (s, t)
        )
        losses.append(((similarity_s - similarity_t) ** 2).sum() / similarity_s.size)
    return np.mean(losses)


@pytest.mark.parametrize('channels', [(5, 5), (5, 9)])
def test_equals_scipys_cosines(channels):
    student, teacher = random_features(channels)
    assert pairwise_similarity_loss(student, teacher).item() == pytest.approx(scipy_loss(student, teacher))


def test_grid_averages_cells():
    student, teacher = random_features(size=(6, 4))
    pooled = [feat.reshape(3, 5, 2, 3, 2, 2).mean((3, 5)) for feat in (student, teacher)]
    value = pairwise_similarity_loss(student, teacher, grid_size=2).item()
    assert value == pytest.approx(scipy_loss(*pooled))


def test_what_keeps_angles_between_positions_costs_nothing():
    student, _ = random_features()
    generator = torch.Generator().manual_seed(1)
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))[0]
    turned = 3 * torch.einsum('cd,bdhw->bchw', rotation, student)
    assert pairwise_similarity_loss(student, turned).item() == pytest.approx(0, abs=1e-20)
    assert pairwise_similarity_loss(student, student).item() == 0


def test_opposite_similarities():
    # Two positions, equal in one map (cosine 1) and opposite in the other (-1): 2 of 4 pairs differ by 2.
    equal = torch.ones(1, 1, 1, 2)
    opposite = torch.tensor([1.0, -1.0]).reshape(1, 1, 1, 2)
    assert pairwise_similarity_loss(equal, opposite).item() == pytest.approx(2)


def test_one_position_has_nothing_to_compare():
    student, teacher = random_features(size=(1, 1))
    assert pairwise_similarity_loss(student, teacher).item() == pytest.approx(0, abs=1e-20)


def test_refuses_bad_options():
    with pytest.raises(ValueError, match='grid_size'):
        PairwiseSimilarityLoss(grid_size=0)
