"""Hints of teachers: plain arithmetic, limiting cases, the learned projection."""

import pytest
import torch

from mmav.models.losses import FeatureHintLoss, feature_hint_loss


def features(shape=(3, 6, 4, 5), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64)


def test_equals_plain_loops():
    student, teacher = features()
    total = 0.0
    for s, t in zip(student, teacher):
        for y in range(4):
            for x in range(5):
                f, e = s[:, y, x], t[:, y, x]
                total += (f / f.norm() - e / e.norm()).square().sum().item()
    expected = total / student.numel()
    assert feature_hint_loss(student, teacher).item() == pytest.approx(expected, rel=1e-12)
    assert FeatureHintLoss(loss_weight=1000)(student, teacher).item() == pytest.approx(1000 * expected)
    whole = sum((s / s.norm() - t / t.norm()).square().sum().item() for s, t in zip(student, teacher))
    mapped = FeatureHintLoss(normalize='map')(student, teacher).item()
    assert mapped == pytest.approx(whole / student.numel(), rel=1e-12)


@pytest.mark.parametrize('shape', [(3, 6), (3, 6, 4, 5)])
@pytest.mark.parametrize('normalize', ['channels', 'map'])
def test_limits(shape, normalize):
    student, teacher = features(shape)
    loss = FeatureHintLoss(normalize=normalize)
    assert loss(student, 7 * student).item() == pytest.approx(0, abs=1e-15)
    # opposite features are 2 apart
    units = 6 if normalize == 'channels' or len(shape) == 2 else 6 * 4 * 5
    assert loss(student, -student).item() == pytest.approx(4 / units)
    assert loss(student, teacher).item() == pytest.approx(loss(0.1 * student, 3 * teacher).item())


def test_vectors_have_one_normalization():
    student, teacher = features((3, 6))
    assert feature_hint_loss(student, teacher) == feature_hint_loss(student, teacher, 'map')


def test_gradients_reach_the_student_alone():
    student, teacher = (value.requires_grad_() for value in features((2, 3, 2, 2)))
    FeatureHintLoss()(student, teacher).backward()
    assert student.grad.abs().sum() > 0 and teacher.grad is None


def test_projection_learns_a_teacher_of_other_channels():
    student, _ = features((8, 6))
    mixing = torch.randn(3, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    teacher = student @ mixing.t()
    torch.manual_seed(0)
    loss = FeatureHintLoss(student_channels=6, teacher_channels=3).double()
    assert {name for name, _ in loss.named_parameters()} == {'projection.weight', 'projection.bias'}
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.1)
    before = loss(student, teacher).item()
    for _ in range(100):
        optimizer.zero_grad()
        value = loss(student, teacher)
        value.backward()
        optimizer.step()
    assert value.item() < 0.01 * before
    maps = student[:, :, None, None].expand(8, 6, 2, 2)
    target = teacher[:, :, None, None].expand(8, 3, 2, 2)
    assert loss(maps, target).item() == pytest.approx(loss(student, teacher).item())


def test_misfits_are_named():
    student, teacher = features()
    with pytest.raises(ValueError, match=r'\(3, 6, 4, 5\), the teacher \(3, 6, 4, 4\)'):
        FeatureHintLoss()(student, teacher[..., :4])
    with pytest.raises(ValueError, match='normalize must be one of'):
        FeatureHintLoss(normalize='pixel')
    with pytest.raises(ValueError, match='needs student_channels and teacher_channels'):
        FeatureHintLoss(student_channels=6)
