"""MTA loss: stored values of the released program, scipy's divergence, limiting cases."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from golden import GOLDEN, golden_input

from mmav.models.losses import MTALoss, mta_loss
from mmav.models.losses.mta_loss import multi_teacher_attention


def golden_features(dtype=torch.float64):
    shapes = [(2, 24, 16 >> i, 16 >> i) for i in range(3)]
    student = [golden_input(f'student.{i}', shape).to(dtype) for i, shape in enumerate(shapes)]
    teachers = [
        [golden_input(f'teacher.{m}.{i}', shape).to(dtype) for i, shape in enumerate(shapes)]
        for m in range(3)
    ]
    return student, teachers


def numpy_attention(feat, exponent):
    flat = np.mean(feat.numpy() ** exponent, axis=1).reshape(len(feat), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def scipy_loss(student, teachers, temperature=9.0, exponent=2):
    """Eq. (2) of one level sample by sample, the divergence by scipy."""
    q_s = numpy_attention(student, exponent)
    q_t = np.prod([numpy_attention(feat, exponent) for feat in teachers], axis=0)
    q_t = q_t / np.linalg.norm(q_t, axis=1, keepdims=True)
    p_s, p_t = (scipy.special.softmax(q / temperature, axis=1) for q in (q_s, q_t))
    return np.mean([scipy.stats.entropy(t, s) for t, s in zip(p_t, p_s)])


@pytest.mark.parametrize(('dtype', 'rtol'), [(torch.float64, 1e-5), (torch.float32, 1e-4)])
@pytest.mark.parametrize('protocol', ['paper', 'official'])
@pytest.mark.parametrize(('key', 'number'), [('three_teachers', 3), ('one_teacher', 1)])
def test_golden_values(protocol, key, number, dtype, rtol):
    stored = np.load(GOLDEN / 'mta_loss.npz')[f'{protocol}_{key}']
    student, teachers = golden_features(dtype)
    levels = [
        mta_loss(student[i], [feats[i] for feats in teachers[:number]], protocol=protocol) for i in range(3)
    ]
    np.testing.assert_allclose(levels, stored, rtol=rtol)
    total = MTALoss(protocol=protocol)(student, teachers[:number])
    assert total.dtype == dtype
    np.testing.assert_allclose(total, 0.5 * stored.sum(), rtol=rtol)


@pytest.mark.parametrize('temperature', [0.05, 1.0, 9.0])
@pytest.mark.parametrize('exponent', [2, 4])
@pytest.mark.parametrize('number', [1, 2, 3])
def test_equals_scipys_divergence(temperature, exponent, number):
    student, teachers = golden_features()
    teachers = [feats[0] for feats in teachers[:number]]
    value = mta_loss(student[0], teachers, temperature, exponent)
    expected = scipy_loss(student[0], teachers, temperature, exponent)
    assert value.item() == pytest.approx(expected, rel=1e-8)


def test_a_student_that_shows_the_product_of_the_teachers_costs_nothing():
    _, teachers = golden_features()
    product = torch.stack([feats[0].square().mean(1) for feats in teachers]).prod(0)
    student = product.sqrt()[:, None].expand(-1, 5, -1, -1)  # channels may be any number
    assert mta_loss(student, [feats[0] for feats in teachers]).item() == pytest.approx(0, abs=1e-15)


def test_paper_has_its_minimum_at_the_teacher_and_official_has_not():
    student, teachers = golden_features()
    teacher = teachers[0][0]
    gradients = {}
    for protocol in ('paper', 'official'):
        start = teacher.clone().requires_grad_()
        value = mta_loss(start, [teacher], temperature=1.0, protocol=protocol)
        gradients[protocol] = torch.autograd.grad(value, start)[0].abs().max().item()
    assert gradients['paper'] < 1e-6 * gradients['official']
    assert mta_loss(student[0], [teacher]) > mta_loss(teacher, [teacher]) == pytest.approx(0, abs=1e-15)


def test_official_differs_from_paper_by_the_missing_logarithm_and_the_norm():
    student, teachers = golden_features()
    student, teachers = student[1], [feats[1] for feats in teachers]
    q_s = scipy.special.softmax(numpy_attention(student, 2) / 9, axis=1)
    q_t = np.prod([numpy_attention(feat, 2) for feat in teachers], axis=0)
    q_t = scipy.special.softmax(q_t / np.abs(q_t).sum(1, keepdims=True) / 9, axis=1)
    expected = (q_t * (np.log(q_t) - q_s)).sum(1).mean()
    value = mta_loss(student, teachers, protocol='official').item()
    assert value == pytest.approx(expected, rel=1e-10) and value < 0


def test_scale_of_the_features_does_not_matter():
    student, teachers = golden_features()
    scaled = [[1e3 * feat for feat in feats] for feats in teachers]
    value, expected = (MTALoss()([0.01 * f for f in student], scaled), MTALoss()(student, teachers))
    assert value.item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize('temperature', [2.0, 9.0])
def test_temperature_squared(temperature):
    student, teachers = golden_features()
    plain = MTALoss(temperature)(student, teachers)
    scaled = MTALoss(temperature, scale_by_temperature_squared=True)(student, teachers)
    assert scaled.item() == pytest.approx(temperature**2 * plain.item())


def test_temperature_squared_frees_the_loss_from_a_high_temperature():
    # The limit of T^2 KL is half the mean square of the centered difference of the maps.
    student, teachers = golden_features()
    difference = numpy_attention(student[0], 2) - numpy_attention(teachers[0][0], 2)
    limit = difference.var(axis=1).mean() / 2
    loss = MTALoss(1e4, loss_weight=1.0, scale_by_temperature_squared=True)
    assert loss(student[:1], [teachers[0][:1]]).item() == pytest.approx(limit, rel=1e-3)


def test_channels_may_differ():
    student, teachers = golden_features()
    doubled = torch.cat((teachers[0][0], teachers[0][0]), 1)  # its mean over channels is the same
    value = mta_loss(student[0], [doubled])
    assert value.item() == pytest.approx(mta_loss(student[0], [teachers[0][0]]).item(), rel=1e-10)


def test_product_of_many_teachers_does_not_vanish():
    maps = [torch.rand(1, 9216, generator=torch.Generator().manual_seed(0))] * 20
    attention = multi_teacher_attention(maps)
    expected = maps[0].double() ** 20
    np.testing.assert_allclose(attention, expected / expected.norm(), rtol=1e-4, atol=1e-7)


def test_teachers_that_see_disjoint_places_ask_for_a_flat_map():
    left, right = torch.zeros(2, 1, 1, 4, 4, dtype=torch.float64)
    left[..., :2], right[..., 2:] = 1, 1
    flat = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    assert mta_loss(flat, [left, right]).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    'options',
    [dict(temperature=0.0), dict(exponent=0.5), dict(exponent=0), dict(protocol='other')],
)
def test_refuses_bad_options(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        MTALoss(**options)
