"""Ranking loss: plain loops, torch's triplet loss, limiting cases."""

import numpy as np
import pytest
import torch
from torch import nn

from mmav.models.losses import RankingLoss, ranking_loss


def random_features(batch=5, channels=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, batch, channels, 6, 4, generator=generator, dtype=torch.float64)


def loop_loss(student, teacher, margin, bidirectional):
    """Triplet by triplet, on means over the map."""
    a, v = student.numpy().mean((2, 3)), teacher.numpy().mean((2, 3))
    distance = lambda x, y: 1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y)  # noqa: E731
    terms = []
    for i in range(len(a)):
        for j in range(len(a)):
            if i == j:
                continue
            terms.append(max(0, margin + distance(a[i], v[i]) - distance(a[i], v[j])))
            if bidirectional:
                terms.append(max(0, margin + distance(a[i], v[i]) - distance(a[j], v[i])))
    return np.mean(terms)


@pytest.mark.parametrize('margin', [0.2, 1.0])
@pytest.mark.parametrize('bidirectional', [True, False])
def test_equals_plain_loops(margin, bidirectional):
    student, teacher = random_features()
    value = ranking_loss(student, teacher, margin, bidirectional=bidirectional)
    assert value.item() == pytest.approx(loop_loss(student, teacher, margin, bidirectional))


def test_two_samples_equal_torchs_triplet_loss():
    student, teacher = random_features(batch=2)
    a, v = student.mean((2, 3)), teacher.mean((2, 3))
    triplet = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda x, y: 1 - nn.functional.cosine_similarity(x, y), margin=0.2
    )
    sounds, images = triplet(a, v, v.flip(0)), triplet(v, a, a.flip(0))
    assert ranking_loss(student, teacher, bidirectional=False).item() == pytest.approx(sounds.item())
    assert ranking_loss(student, teacher).item() == pytest.approx((sounds + images).item() / 2)


def test_matched_features_far_from_the_others_cost_nothing():
    features = torch.eye(4)[:, :, None, None].expand(-1, -1, 3, 3)
    assert ranking_loss(features, 5 * features).item() == 0
    swapped = features.roll(1, 0)  # one in three mismatched pairs is as close as a matched one should be
    assert ranking_loss(swapped, features).item() == pytest.approx((1.2 + 0.2 + 0.2) / 3)


def test_features_that_do_not_tell_samples_apart_cost_the_margin():
    features = torch.ones(4, 3, 2, 2)
    assert ranking_loss(features, features, margin=0.7).item() == pytest.approx(0.7)


def test_grid_keeps_where_a_feature_is():
    left, right = torch.zeros(2, 1, 4, 4)
    left[..., :2], right[..., 2:] = 1, 1
    student = teacher = torch.stack((left, right))
    assert ranking_loss(student, teacher).item() == pytest.approx(0.2)  # the same means
    assert ranking_loss(student, teacher, pool_size=2).item() == 0


def test_descent_pairs_sounds_with_their_images():
    student, teacher = random_features(batch=4)
    student.requires_grad_()
    optimizer = torch.optim.Adam([student], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        ranking_loss(student, teacher).backward()
        optimizer.step()
    similarity = nn.functional.cosine_similarity(
        student.mean((2, 3))[:, None], teacher.mean((2, 3))[None], dim=2
    )
    assert similarity.argmax(1).tolist() == similarity.argmax(0).tolist() == [0, 1, 2, 3]


def test_batch_of_one_is_zero_with_a_graph():
    student, teacher = random_features(batch=1)
    value = RankingLoss()([student.requires_grad_()], [[teacher]])
    value.backward()
    assert value.item() == 0 and student.grad is not None and not student.grad.any()


def test_refuses_different_channels():
    student, teacher = random_features()
    with pytest.raises(ValueError, match='7 and 3 channels in level 0'):
        RankingLoss()([student], [[teacher[:, :3]]])


@pytest.mark.parametrize('options', [dict(margin=-0.1), dict(pool_size=0)])
def test_refuses_bad_options(options):
    with pytest.raises(ValueError, match='RankingLoss'):
        RankingLoss(**options)
