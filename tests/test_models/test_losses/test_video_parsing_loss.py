"""Losses of video parsing: scikit-learn's cross-entropy, hand-worked values, the edges of 0 and 1."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from mmav.models.losses import (
    SegmentPseudoLabelLoss,
    VideoParsingLoss,
    clamped_bce,
    modality_adversarial_loss,
    smooth_labels,
)


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sklearn_bce(prob, labels):
    return log_loss(labels.numpy().ravel(), prob.numpy().ravel(), labels=[0, 1])


def test_smoothing_draws_towards_a_half():
    labels = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(smooth_labels(labels, 0.9), torch.tensor([0.05, 0.95, 0.5]).double())
    assert torch.equal(smooth_labels(labels, 1.0), labels)
    assert smooth_labels(labels, 0.0).tolist() == [0.5] * 3


def test_cross_entropy_is_scikit_learns():
    prob, labels = random(4, 5), (random(4, 5, seed=1) > 0.5).double()
    assert float(clamped_bce(prob, labels)) == pytest.approx(sklearn_bce(prob, labels), rel=1e-12)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_certain_mistakes_cost_what_the_clamp_says(dtype):
    prob = torch.tensor([0.0, 1.0], dtype=dtype, requires_grad=True)
    loss = clamped_bce(prob, torch.tensor([1.0, 0.0]))
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert float(loss) == pytest.approx(-math.log(1e-7), rel=2e-2)
    loss.backward()
    assert prob.grad.tolist() == [0, 0]


def test_terms_of_the_video_loss():
    probs = [random(3, 4, seed=seed) for seed in range(3)]
    labels = (random(3, 4, seed=9) > 0.5).double()
    losses = VideoParsingLoss(guided_weight=0.6)(*probs, labels)
    assert list(losses) == ['loss_video', 'loss_audio', 'loss_visual']
    assert float(losses['loss_video']) == pytest.approx(sklearn_bce(probs[0], labels))
    assert float(losses['loss_audio']) == pytest.approx(0.6 * sklearn_bce(probs[1], labels))
    # a target of 0.95 is 95 % a positive and 5 % a negative
    smoothed = 0.95 * sklearn_bce(probs[2], labels) + 0.05 * sklearn_bce(probs[2], 1 - labels)
    assert float(losses['loss_visual']) == pytest.approx(0.6 * smoothed)


def test_labels_of_a_modality_take_the_place_of_smoothed_ones():
    probs = [random(3, 4, seed=seed) for seed in range(3)]
    labels, known = ((random(3, 4, seed=seed) > 0.5).double() for seed in (8, 9))
    losses = VideoParsingLoss()(*probs, labels, audio_labels=known, visual_labels=labels)
    assert float(losses['loss_audio']) == pytest.approx(sklearn_bce(probs[1], known))
    assert float(losses['loss_visual']) == pytest.approx(sklearn_bce(probs[2], labels))


def test_adversarial_loss_is_equation_one_with_its_second_term_mended():
    audio, visual = 4 * random(2, 5) - 2, 4 * random(2, 5, seed=1) - 2
    guess = torch.cat([audio, visual]).sigmoid()
    truth = torch.cat([torch.ones(2, 5), torch.zeros(2, 5)])
    loss = modality_adversarial_loss(audio, visual)
    assert float(loss) == pytest.approx(sklearn_bce(guess, truth))
    # a discriminator that cannot tell pays log 2; as printed it would pay less for calling everything sound
    zeros = torch.zeros(2, 5)
    assert float(modality_adversarial_loss(zeros, zeros)) == pytest.approx(math.log(2))
    assert modality_adversarial_loss(zeros + 9, zeros + 9) > math.log(2)


def test_pseudo_labels_of_each_modality_meet_its_own_segments():
    frame_prob = random(2, 3, 2, 4)
    audio, visual = ((random(2, 3, 4, seed=seed) > 0.5).double() for seed in (1, 2))
    losses = SegmentPseudoLabelLoss(loss_weight=0.5)(frame_prob, audio, visual)
    assert float(losses['loss_pseudo_audio']) == pytest.approx(0.5 * sklearn_bce(frame_prob[:, :, 0], audio))
    assert float(losses['loss_pseudo_visual']) == pytest.approx(
        0.5 * sklearn_bce(frame_prob[:, :, 1], visual)
    )


def test_soft_labels_are_met_at_their_own_value():
    soft = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64)
    grid = np.linspace(0.01, 0.99, 99)
    for target in soft:
        costs = [float(clamped_bce(torch.tensor([p]), target[None])) for p in grid]
        assert grid[int(np.argmin(costs))] == pytest.approx(float(target))


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match='guided_weight must be >= 0, got -1'):
        VideoParsingLoss(guided_weight=-1)
    with pytest.raises(ValueError, match=r'visual_confidence must be >= 0 and <= 1, got 1\.1'):
        VideoParsingLoss(visual_confidence=1.1)
    with pytest.raises(ValueError, match='loss_weight must be >= 0, got -1'):
        SegmentPseudoLabelLoss(loss_weight=-1)
