"""Attentive feature distillation: plain loops, limiting cases, what the attention learns."""

import numpy as np
import pytest
import torch

from mmav.models.losses import AFDLoss, afd_loss
from mmav.models.losses.afd_loss import ChannelAttention


def random_features(channels=6, number=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(number, 3, channels, 4, 5, generator=generator, dtype=torch.float64)


def loop_loss(student, teacher, attention):
    """Sample by sample and channel by channel."""
    total = 0.0
    for s, t, rho in zip(student.numpy(), teacher.numpy(), attention.numpy()):
        for c in range(len(s)):
            difference = s[c] / np.linalg.norm(s[c]) - t[c] / np.linalg.norm(t[c])
            total += rho[c] * np.linalg.norm(difference) ** 2
    return total / len(student)


def test_equals_plain_loops():
    student, teacher = random_features()
    attention = torch.rand(3, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    attention = attention / attention.sum(1, keepdim=True)
    assert afd_loss(student, teacher, attention).item() == pytest.approx(
        loop_loss(student, teacher, attention)
    )


def test_limits():
    student, _ = random_features()
    attention = torch.full((3, 6), 1 / 6, dtype=torch.float64)
    assert afd_loss(student, student, attention).item() == 0
    assert afd_loss(student, 7 * student, attention).item() == pytest.approx(0, abs=1e-20)
    assert afd_loss(student, -student, attention).item() == pytest.approx(4)


def test_only_channels_with_attention_count():
    student, teacher = random_features()
    attention = torch.zeros(3, 6, dtype=torch.float64)
    attention[:, 2] = 1
    changed = student.clone()
    changed[:, [0, 1, 3, 4, 5]] = 0
    expected = afd_loss(student, teacher, attention).item()
    assert afd_loss(changed, teacher, attention).item() == expected > 0


def test_attention_starts_even_and_always_sums_to_one():
    torch.manual_seed(0)
    teacher = random_features()[0].float()
    attention = ChannelAttention(6, reduction=1)
    assert torch.equal(attention(teacher), torch.full((3, 6), 1 / 6))
    torch.nn.init.normal_(attention.layers[-1].weight)
    weights = attention(teacher)
    assert weights.min() > 0 and weights.std() > 1e-3
    np.testing.assert_allclose(weights.sum(1).detach(), 1, rtol=1e-6)


def test_attention_and_connector_are_trained():
    torch.manual_seed(0)
    student, teacher = random_features()
    loss = AFDLoss([4], [6], reduction=1).double()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.01)
    values = []
    for _ in range(20):
        optimizer.zero_grad()
        value = loss([student[:, :4]], [[teacher]])
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0]
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert not torch.equal(loss.attentions[0][0](teacher), torch.full((3, 6), 1 / 6, dtype=torch.float64))


def test_parameters_by_teacher_and_level():
    loss = AFDLoss([6, 4], [6, 8], num_teachers=3)
    names = {name for name, _ in loss.named_parameters()}
    assert {name for name in names if 'connectors' in name} == {'connectors.1.weight', 'connectors.1.bias'}
    assert len([name for name in names if 'attentions' in name]) == 3 * 2 * 4
    assert len(AFDLoss([6], [6], num_teachers=3, multi_teacher='feature_mean').attentions) == 1


def test_levels_are_summed():
    features = random_features(number=4)
    loss = AFDLoss([6, 6], [6, 6], loss_weight=1.0).double()
    total = loss(list(features[:2]), [list(features[2:])]).item()
    even = torch.full((3, 6), 1 / 6, dtype=torch.float64)
    assert total == pytest.approx(sum(loop_loss(features[i], features[2 + i], even) for i in range(2)))


def test_refuses_features_it_was_not_built_for():
    student, teacher = random_features()
    loss = AFDLoss([6], [6]).double()
    with pytest.raises(ValueError, match='num_teachers=1, got 2'):
        loss([student], [[teacher], [teacher]])
    with pytest.raises(ValueError, match='got \\[4\\]'):
        loss([student[:, :4]], [[teacher]])
    with pytest.raises(ValueError, match='got \\[6, 6\\]'):
        loss([student, student], [[teacher, teacher]])


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(teacher_channels=[6, 6]), 'as many levels'),
        (dict(num_teachers=0), 'num_teachers'),
        (dict(reduction=0), 'reduction'),
    ],
)
def test_refuses_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        AFDLoss(**{'student_channels': [6], 'teacher_channels': [6], **options})
