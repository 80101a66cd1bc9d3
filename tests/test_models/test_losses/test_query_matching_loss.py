"""The loss of windows kept apart, worked out by hand."""

import pytest
import torch
from sklearn.metrics import log_loss

from mmav.models.losses import window_relevance_loss


def test_every_video_counts_the_same_however_many_windows_it_has():
    relevant = torch.tensor([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    lengths = torch.tensor([2, 3])
    logits = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # the first video: windows 0 and 1 of two places, segments 0 1 and 1 2; the second: one of three
    first = log_loss([0, 1, 1, 1], logits[0, :2, :2].flatten().sigmoid().numpy())
    second = log_loss([1, 1, 1], logits[1, 0].sigmoid().numpy(), labels=[0, 1])
    loss = window_relevance_loss(logits, relevant, lengths)
    assert loss.item() == pytest.approx((first + second) / 2)


def test_places_that_do_not_exist_have_no_gradient():
    logits = torch.zeros(1, 3, 3, requires_grad=True)
    window_relevance_loss(logits, torch.tensor([[0.0, 1.0, 1.0]]), torch.tensor([2])).backward()
    assert (logits.grad[0] != 0).tolist() == [[True, True, False], [True, True, False], [False] * 3]
