"""Grounding losses: plain loops over the printed sums, and cases worked by hand."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine

from mmav.models.losses import AVGLoss, cross_modal_avg_loss, pair_hinge_loss, unimodal_avg_loss

P, N = 0.7, 0.1
MARGINS = dict(positive_margin=P, negative_margin=N)


def snippets(number=5):
    generator = torch.Generator().manual_seed(0)
    audio, visual = (torch.randn(number, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    components = torch.tensor([0, 1, 0, 2, 1])[:number]
    return audio, visual, components[:, None] == components


def looped(first, second, is_positive):
    """The two sums of one pair of streams, and how many pairs each has; similarities by scipy."""
    sums, numbers = [0.0, 0.0], [0, 0]
    for i, x in enumerate(first.numpy()):
        for j, y in enumerate(second.numpy()):
            similarity = 1 - cosine(x, y)
            positive = bool(is_positive[i, j])
            cost = max(P - similarity, 0) if positive else max(similarity - N, 0)
            sums[not positive] += cost
            numbers[not positive] += 1
    return np.array(sums), np.array(numbers)


def test_equations_three_to_five():
    audio, visual, is_positive = snippets()
    pairs = {
        (a, b): looped(x, y, is_positive)[0].sum()
        for a, x in (('a', audio), ('v', visual))
        for b, y in (('a', audio), ('v', visual))
    }
    uni = unimodal_avg_loss(audio, visual, is_positive, **MARGINS)
    cross = cross_modal_avg_loss(audio, visual, is_positive, **MARGINS)
    assert float(uni) == pytest.approx(pairs['a', 'a'] + pairs['v', 'v'])
    assert float(cross) == pytest.approx(pairs['a', 'v'] + pairs['v', 'a'])
    expected = dict(uni=[uni], cross=[cross], multi=[uni, cross])
    for objective, values in expected.items():
        losses = AVGLoss(objective, P, N)(audio, visual, is_positive)
        assert [float(value) for value in losses.values()] == pytest.approx([float(v) for v in values])
    assert list(losses) == ['loss_unimodal', 'loss_cross_modal']


def test_mean_weighs_positives_and_negatives_alike():
    audio, visual, is_positive = snippets()
    sums, numbers = looped(audio, visual, is_positive)
    loss = pair_hinge_loss(audio, visual, is_positive, **MARGINS, reduction='mean')
    assert float(loss) == pytest.approx((sums / numbers).sum())
    # without negatives their share is 0, not NaN
    everything = torch.ones_like(is_positive)
    sums, numbers = looped(audio, visual, everything)
    loss = pair_hinge_loss(audio, visual, everything, **MARGINS, reduction='mean')
    assert float(loss) == pytest.approx(sums[0] / numbers[0])


@pytest.mark.parametrize(
    ('similarity', 'positive', 'cost'),
    [(1, True, 0), (0, True, 0.7), (-1, True, 1.7), (1, False, 0.9), (0, False, 0), (-1, False, 0)],
)
def test_hinge_of_one_pair(similarity, positive, cost):
    first = torch.tensor([[2.0, 0.0]])
    second = torch.tensor([[3.0 * similarity, 3.0 * (similarity == 0)]])
    loss = pair_hinge_loss(first, second, torch.tensor([[positive]]), **MARGINS)
    assert float(loss) == pytest.approx(cost)


def test_descent_draws_positives_together_and_negatives_apart():
    audio, visual, is_positive = snippets()
    embeds = [audio.clone().requires_grad_(), visual.clone().requires_grad_()]
    optimizer = torch.optim.Adam(embeds, lr=0.05)
    loss = AVGLoss('multi', P, N)
    for _ in range(100):
        total = sum(loss(*embeds, is_positive).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    unit = torch.nn.functional.normalize(torch.cat(embeds).detach(), dim=1)
    similarity, positive = unit @ unit.t(), is_positive.repeat(2, 2)
    assert similarity[positive].min() > P - 0.05 and similarity[~positive].max() < N + 0.05


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match=r"objective must be one of .* got 'both'"):
        AVGLoss('both')
    with pytest.raises(ValueError, match=r"reduction must be one of .* got 'max'"):
        AVGLoss(reduction='max')
    with pytest.raises(ValueError, match=r'positive_margin 0\.2 must be above negative_margin 0\.2'):
        AVGLoss(positive_margin=0.2)
