"""Losses against scikit-learn and hand-worked cases."""

import math

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from sklearn.metrics import log_loss

from mmav.models.losses import event_category_loss, event_relevance_loss, multiple_instance_loss

# Two videos of three segments, two categories and background: the first holds category 1 in its last two
# segments, the second nothing.
SEGMENTS = torch.tensor(
    [[[0, 0, 1], [0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1], [0, 0, 1]]], dtype=torch.float64
)
RELEVANCE = torch.tensor([[-1.0, 2.0, 0.5], [0.0, -3.0, 1.0]], dtype=torch.float64)
CATEGORY = torch.tensor([[0.3, -0.2], [1.0, 4.0]], dtype=torch.float64)


def test_relevance_is_binary_cross_entropy():
    expected = log_loss([0, 1, 1, 0, 0, 0], RELEVANCE.sigmoid().flatten().numpy())
    assert event_relevance_loss(RELEVANCE, SEGMENTS).item() == pytest.approx(expected)


def test_category_counts_videos_with_an_event():
    expected = log_loss([1], CATEGORY[:1].softmax(1).numpy(), labels=[0, 1])
    assert event_category_loss(CATEGORY, SEGMENTS).item() == pytest.approx(expected)
    logits = CATEGORY.clone().requires_grad_()
    nothing = event_category_loss(logits, SEGMENTS[1:].expand(2, -1, -1))
    nothing.backward()
    assert nothing.item() == 0 and (logits.grad == 0).all()


def test_of_several_categories_the_longest_counts():
    mixed = SEGMENTS[:1].clone()
    mixed[0, 0] = torch.tensor([1.0, 0.0, 0.0])
    assert event_category_loss(CATEGORY[:1], mixed) == event_category_loss(CATEGORY[:1], SEGMENTS[:1])


def test_multiple_instances_are_a_mean_of_binary_losses():
    scores = torch.tensor([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]], dtype=torch.float64)
    events = torch.tensor([[0, 1, 1], [1, 0, 0]])
    probs = 1 / (1 + np.exp(-scores.numpy()))
    expected = np.mean([log_loss(events[:, c], probs[:, c], labels=[0, 1]) for c in range(3)])
    assert multiple_instance_loss(scores, events).item() == pytest.approx(expected)


@pytest.mark.parametrize('weight', [0.0, 0.1, 1.0])
def test_terms_are_weighted(weight):
    loss = MODELS.build(dict(type='SupervisedEventLoss', unimodal_weight=weight))
    losses = loss(RELEVANCE, CATEGORY, CATEGORY.flip(1), SEGMENTS)
    assert losses['loss_relevance'] == event_relevance_loss(RELEVANCE, SEGMENTS)
    assert losses['loss_category'] == (1 - weight) * event_category_loss(CATEGORY, SEGMENTS)
    assert losses['loss_unimodal'] == weight * event_category_loss(CATEGORY.flip(1), SEGMENTS)
    assert set(loss(RELEVANCE, CATEGORY, None, SEGMENTS)) == {'loss_relevance', 'loss_category'}

    weakly = MODELS.build(dict(type='WeaklySupervisedEventLoss', unimodal_weight=weight))
    scores, events = CATEGORY.softmax(1), torch.eye(2)
    losses = weakly(scores, scores.flip(1), events)
    assert losses['loss_category'] == (1 - weight) * multiple_instance_loss(scores, events)
    assert losses['loss_unimodal'] == weight * multiple_instance_loss(scores.flip(1), events)
    assert set(weakly(scores, None, events)) == {'loss_category'}


@pytest.mark.parametrize('kind', ['SupervisedEventLoss', 'WeaklySupervisedEventLoss'])
@pytest.mark.parametrize('weight', [-0.1, 1.1, math.nan])
def test_shares_outside_0_to_1_are_refused(kind, weight):
    with pytest.raises(ValueError, match=f'{kind}: unimodal_weight must be >= 0 and <= 1'):
        MODELS.build(dict(type=kind, unimodal_weight=weight))
