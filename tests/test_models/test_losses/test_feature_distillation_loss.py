"""What all losses between a student's and teachers' features share, on each of them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS

import mmav  # noqa: F401  registers the losses
from mmav.models.losses.feature_distillation_loss import resize_to_smallest

CHANNELS = [6, 6]
CONFIGS = {
    'mta': dict(type='MTALoss', multi_teacher='loss_mean', scale_by_temperature_squared=True),
    'mta_product': dict(type='MTALoss', scale_by_temperature_squared=True),
    'mta_official': dict(type='MTALoss', protocol='official'),
    'ranking': dict(type='RankingLoss'),
    'pairwise': dict(type='PairwiseSimilarityLoss', grid_size=4),
    'afd': dict(type='AFDLoss', student_channels=CHANNELS, teacher_channels=CHANNELS),
}
LOSSES = ['mta', 'ranking', 'pairwise', 'afd']


def build(name, teachers=1, **options):
    torch.manual_seed(0)
    if name == 'afd':
        options = dict(num_teachers=teachers, **options)
    return MODELS.build(dict(CONFIGS[name], **options)).double()


def features(teachers=1, batch=3, channels=CHANNELS, size=8, seed=0, dtype=torch.float64):
    """A student's and its teachers' levels: sides of size, size / 2, ... cells."""
    generator = torch.Generator().manual_seed(seed)
    student, *others = (
        [
            torch.randn(batch, c, size >> level, size >> level, generator=generator, dtype=dtype)
            for level, c in enumerate(channels)
        ]
        for _ in range(1 + teachers)
    )
    return student, others


def test_resizing_averages_cells_down_to_the_smallest_sides():
    wide = torch.arange(32.0).reshape(1, 1, 4, 8)
    tall = torch.arange(16.0).reshape(1, 1, 8, 2)
    small_wide, small_tall = resize_to_smallest((wide, tall))
    expected_wide = wide.numpy().reshape(4, 2, 4).mean(2)
    expected_tall = tall.numpy().reshape(4, 2, 2).mean(1)
    np.testing.assert_allclose(small_wide[0, 0], expected_wide)
    np.testing.assert_allclose(small_tall[0, 0], expected_tall)
    assert resize_to_smallest((wide,), limit=3)[0].shape == (1, 1, 3, 3)
    assert resize_to_smallest((wide, wide))[0] is wide


@pytest.mark.parametrize('name', CONFIGS)
def test_levels_are_summed_and_weighted(name):
    student, teachers = features(2)
    whole = build(name, 2, loss_weight=1.0)(student, teachers)
    assert build(name, 2, loss_weight=0.3)(student, teachers).item() == pytest.approx(0.3 * whole.item())
    if name != 'afd':  # which is built for a fixed number of levels; see its own tests
        alone = build(name, 2, loss_weight=1.0)
        levels = [alone([student[i]], [[feats[i]] for feats in teachers]).item() for i in range(2)]
        assert whole.item() == pytest.approx(sum(levels))


@pytest.mark.parametrize('name', LOSSES)
def test_loss_mean_is_the_mean_over_teachers(name):
    student, teachers = features(3)
    together = build(name, 3)(student, teachers)
    apart = [build(name)(student, [feats]).item() for feats in teachers]
    assert together.item() == pytest.approx(np.mean(apart))
    assert len(set(apart)) == 3


@pytest.mark.parametrize('name', LOSSES)
def test_feature_mean_is_one_teacher_of_mean_activations(name):
    student, teachers = features(3)
    mean = [sum(levels) / 3 for levels in zip(*teachers)]
    averaged = build(name, 3, multi_teacher='feature_mean')(student, teachers)
    assert averaged.item() == pytest.approx(build(name)(student, [mean]).item())


@pytest.mark.parametrize('name', LOSSES)
def test_averages_of_one_teacher_are_the_same(name):
    student, teachers = features(1)
    options = ['loss_mean', 'feature_mean'] + ['product'] * (name == 'mta')
    values = {build(name, 1, multi_teacher=option)(student, teachers).item() for option in options}
    assert len(values) == 1


@pytest.mark.parametrize('name', CONFIGS)
def test_gradcheck(name):
    student, teachers = features(2, batch=2, size=4, seed=1)
    loss = build(name, 2)
    inputs = [feat.requires_grad_() for feat in student]
    assert torch.autograd.gradcheck(lambda *feats: loss(feats, teachers), inputs)


@pytest.mark.parametrize('name', CONFIGS)
def test_teachers_get_no_gradient(name):
    student, teachers = features(1)
    for feat in student + teachers[0]:
        feat.requires_grad_()
    build(name)(student, teachers).backward()
    assert all(feat.grad is None for feat in teachers[0])
    assert all(feat.grad.any() for feat in student)


@pytest.mark.parametrize('name', CONFIGS)
def test_larger_maps_that_repeat_their_cells_change_nothing(name):
    student, teachers = features(2)
    loss = build(name, 2)
    expected = loss(student, teachers).item()
    enlarged = [F.interpolate(feat, scale_factor=2, mode='nearest') for feat in teachers[1]]
    assert loss(student, [teachers[0], enlarged]).item() == pytest.approx(expected)
    enlarged = [F.interpolate(feat, scale_factor=(1, 3), mode='nearest') for feat in student]
    assert loss(enlarged, teachers).item() == pytest.approx(expected)


@pytest.mark.parametrize('name', CONFIGS)
def test_sizes_that_do_not_divide_give_a_finite_loss_and_gradient(name):
    student, _ = features(size=10)
    _, teachers = features(2, size=7)
    teachers[1] = [F.pad(feat, (0, 2)) for feat in teachers[1]]
    student = [feat.requires_grad_() for feat in student]
    value = build(name, 2)(student, teachers)
    gradients = torch.autograd.grad(value, student)
    assert value.isfinite() and all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


@pytest.mark.parametrize('name', CONFIGS)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_autocast_computes_in_single_precision(name, dtype):
    student, teachers = features(2, dtype=dtype)
    loss = build(name, 2).float()
    with torch.autocast('cpu', torch.bfloat16):
        inside = loss([feat.requires_grad_() for feat in student], teachers)
    double = build(name, 2)(
        [feat.double() for feat in student], [[feat.double() for feat in feats] for feats in teachers]
    )
    assert inside.dtype == torch.float32
    assert inside.item() == pytest.approx(double.item(), rel=1e-4)
    inside.backward()
    assert all(feat.grad.dtype == dtype and feat.grad.isfinite().all() for feat in student)


@pytest.mark.parametrize('name', CONFIGS)
def test_empty_batch_is_zero_with_a_graph_to_everything(name):
    student, teachers = features(2, batch=0)
    loss = build(name, 2)
    value = loss([feat.requires_grad_() for feat in student], teachers)
    value.backward()
    assert value.item() == 0
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in loss.parameters())
    assert student[0].grad is not None


@pytest.mark.parametrize('name', CONFIGS)
def test_features_of_zero_are_finite(name):
    student, teachers = features(2)
    student = [torch.zeros_like(feat).requires_grad_() for feat in student]
    teachers[0] = [torch.zeros_like(feat) for feat in teachers[0]]
    value = build(name, 2)(student, teachers)
    value.backward()
    assert value.isfinite() and all(feat.grad.isfinite().all() for feat in student)


@pytest.mark.parametrize('name', CONFIGS)
def test_refuses_features_that_do_not_fit(name):
    student, teachers = features(2)
    loss = build(name, 2)
    with pytest.raises(ValueError, match='at least one'):
        loss(student, [])
    with pytest.raises(ValueError, match=r'teacher 1 has .*\[teachers\]\[levels\]'):
        loss(student, [teachers[0], teachers[1][:1]])
    with pytest.raises(ValueError, match=r'\[teachers\]\[levels\]'):
        loss(student, teachers[0])
    with pytest.raises(ValueError, match='of the same B'):
        loss(student, [teachers[0], [feat[:2] for feat in teachers[1]]])


@pytest.mark.parametrize('name', ['mta', 'ranking', 'pairwise'])
def test_refuses_to_average_features_of_different_channels(name):
    student, teachers = features(2)
    teachers[1] = [feat[:, :3] for feat in teachers[1]]
    with pytest.raises(ValueError, match=r"\[6, 3\] channels .*'loss_mean'"):
        build(name, 2, multi_teacher='feature_mean')(student, teachers)


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('options', [dict(loss_weight=-1.0), dict(multi_teacher='median')])
def test_refuses_bad_options(name, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        build(name, **options)


@pytest.mark.parametrize('name', ['ranking', 'pairwise', 'afd'])
def test_product_is_of_mta_alone(name):
    with pytest.raises(ValueError, match='product'):
        build(name, multi_teacher='product')
