"""AVD loss against the paper's equations: stored vectors, loops, limiting cases."""

import math

import numpy as np
import pytest
import torch
from golden import GOLDEN, golden_input

from mmav.models.losses import AVDLoss, avkd_loss, gcl_loss, group_contrastive_log_odds


def loop_q(embeds, is_positive, labels=None, tau=0.1, include_self=True):
    """Eq. (3)-(4), one term after the other."""
    n = len(embeds)
    q = []
    for i in range(n):
        if not is_positive[i]:
            continue
        inside = total = 0.0
        members = 0
        for j in range(n):
            if j == i and not include_self:
                continue
            cosine = np.dot(embeds[i], embeds[j]) / (np.linalg.norm(embeds[i]) * np.linalg.norm(embeds[j]))
            term = math.exp(cosine / tau)
            total += term
            if is_positive[j] and (labels is None or labels[i] == labels[j]):
                inside += term
                members += 1
        if members:
            q.append(inside / total)
    return q


def loop_losses(audio, audiovisual, is_positive, **kwargs):
    """Eq. (5)-(6) from the loops."""
    gcl, avkd = 0.0, 0.0
    q_a, q_av = loop_q(audio, is_positive, **kwargs), loop_q(audiovisual, is_positive, **kwargs)
    for a, av in zip(q_a, q_av):
        gcl += (-math.log(a) - math.log(av)) / len(q_a)
        kl = av * math.log(av / a)
        if av < 1:
            kl += (1 - av) * math.log((1 - av) / (1 - a))
        avkd += kl / len(q_a)
    return gcl, avkd


def random_embeds(n=20, d=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    audio, audiovisual = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    is_positive = torch.arange(n) % 3 == 0
    labels = torch.randint(0, 3, (n,), generator=generator)
    return audio, audiovisual, is_positive, labels


@pytest.mark.parametrize(
    ('name', 'n', 'd'), [('avd_small', 12, 16), ('avd_large', 128, 64), ('avd_all_positive', 6, 8)]
)
def test_golden_vectors(name, n, d):
    stored = np.load(GOLDEN / f'{name}.npz')
    audio, audiovisual = (
        golden_input(f'{name}.{key}', (n, d)) for key in ('embed_audio', 'embed_audiovisual')
    )
    is_positive = torch.from_numpy(stored['is_positive'])

    losses = AVDLoss(temperature=float(stored['tau']))(audio, audiovisual, is_positive)

    for key, embeds in (('q_audio', audio), ('q_audiovisual', audiovisual)):
        q = group_contrastive_log_odds(embeds, is_positive, temperature=float(stored['tau'])).sigmoid()
        np.testing.assert_allclose(q, stored[key], rtol=1e-5)
    np.testing.assert_allclose(losses['loss_gcl'], stored['loss_gcl'], rtol=1e-5, atol=1e-15)
    np.testing.assert_allclose(losses['loss_avkd'], stored['loss_avkd'], rtol=1e-5, atol=1e-15)
    np.testing.assert_allclose(sum(losses.values()), stored['loss_avd'], rtol=1e-5, atol=1e-15)


@pytest.mark.parametrize('name', ['avd_small', 'avd_large'])
def test_single_precision_keeps_shares_close_to_one(name):
    stored = np.load(GOLDEN / f'{name}.npz')
    n, d = (12, 16) if name == 'avd_small' else (128, 64)
    audio, audiovisual = (
        golden_input(f'{name}.{key}', (n, d)) for key in ('embed_audio', 'embed_audiovisual')
    )
    losses = AVDLoss()(audio.float(), audiovisual.float(), torch.from_numpy(stored['is_positive']))
    np.testing.assert_allclose(losses['loss_gcl'], stored['loss_gcl'], rtol=1e-4)
    np.testing.assert_allclose(losses['loss_avkd'], stored['loss_avkd'], rtol=1e-3)


@pytest.mark.parametrize('include_self', [True, False])
@pytest.mark.parametrize('per_class', [False, True])
@pytest.mark.parametrize('temperature', [0.1, 1.0])
def test_equals_plain_loops(include_self, per_class, temperature):
    audio, audiovisual, is_positive, labels = random_embeds()
    labels = labels if per_class else None
    losses = AVDLoss(temperature, include_self=include_self)(audio, audiovisual, is_positive, labels)
    gcl, avkd = loop_losses(
        audio.numpy(),
        audiovisual.numpy(),
        is_positive,
        labels=labels,
        tau=temperature,
        include_self=include_self,
    )
    assert losses['loss_gcl'].item() == pytest.approx(gcl, rel=1e-9)
    assert losses['loss_avkd'].item() == pytest.approx(avkd, rel=1e-9)


def test_one_class_by_labels_is_the_papers_group():
    audio, audiovisual, is_positive, _ = random_embeds()
    labels = torch.where(is_positive, 0, 1)  # mmdet labels the background with the number of classes
    with_labels, without = (
        AVDLoss()(audio, audiovisual, is_positive, labels),
        AVDLoss()(audio, audiovisual, is_positive),
    )
    assert all(torch.equal(with_labels[name], without[name]) for name in without)


def test_weights_scale_their_term_alone():
    audio, audiovisual, is_positive, _ = random_embeds()
    plain = AVDLoss()(audio, audiovisual, is_positive)
    scaled = AVDLoss(gcl_weight=0.1, avkd_weight=3.0)(audio, audiovisual, is_positive)
    assert scaled['loss_gcl'].item() == pytest.approx(0.1 * plain['loss_gcl'].item())
    assert scaled['loss_avkd'].item() == pytest.approx(3 * plain['loss_avkd'].item())


@pytest.mark.parametrize('include_self', [True, False])
@pytest.mark.parametrize('detach_target', [True, False])
def test_gradcheck(include_self, detach_target):
    audio, audiovisual, is_positive, labels = random_embeds(n=9, d=4)
    loss = AVDLoss(0.5, include_self=include_self, detach_target=detach_target)
    if detach_target:  # then the numeric derivative by the target is not the analytic one
        arguments = (audio.requires_grad_(),)
        function = lambda a: tuple(loss(a, audiovisual, is_positive, labels).values())  # noqa: E731
    else:
        arguments = (audio.requires_grad_(), audiovisual.requires_grad_())
        function = lambda a, av: tuple(loss(a, av, is_positive, labels).values())  # noqa: E731
    assert torch.autograd.gradcheck(function, arguments)


@pytest.mark.parametrize('detach_target', [True, False])
def test_avkd_trains_its_target_only_if_told(detach_target):
    audio, audiovisual, is_positive, _ = random_embeds()
    audiovisual.requires_grad_()
    value = AVDLoss(detach_target=detach_target)(audio.requires_grad_(), audiovisual, is_positive)[
        'loss_avkd'
    ]
    gradient = torch.autograd.grad(value, audiovisual, allow_unused=True)[0]
    assert (gradient is None) == detach_target


def test_equal_shares_cost_nothing_to_distil():
    log_odds = torch.tensor([-30.0, -1.0, 0.0, 4.0, 30.0, torch.inf])
    assert avkd_loss(log_odds, log_odds).item() == 0
    assert gcl_loss(torch.tensor([torch.inf])).item() == 0


@pytest.mark.parametrize('positives', ['none', 'all', 'no rois', 'single'])
@pytest.mark.parametrize('include_self', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_limiting_cases_are_finite_and_keep_the_graph(positives, include_self, dtype):
    n = 0 if positives == 'no rois' else 5
    audio, audiovisual = (
        torch.randn(2, n, 8, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    )
    is_positive = torch.full((n,), positives == 'all')
    if positives == 'single':
        is_positive[2] = True
    losses = AVDLoss(include_self=include_self)(audio, audiovisual, is_positive)
    total = sum(losses.values())
    gradients = torch.autograd.grad(total, (audio, audiovisual))
    assert all(gradient.isfinite().all() for gradient in gradients)
    if positives == 'single' and include_self:
        assert losses['loss_gcl'] > 0
    else:  # without self-similarity a single positive has no pair: dropped
        assert losses['loss_gcl'].item() == 0 and losses['loss_avkd'].item() == 0
        assert all(not gradient.any() for gradient in gradients)


def test_embeddings_of_zero_have_finite_gradients():
    audio = torch.zeros(4, 8, requires_grad=True)
    AVDLoss()(audio, torch.randn(4, 8), torch.tensor([True, True, False, False]))['loss_gcl'].backward()
    assert audio.grad.isfinite().all()


def test_autocast_does_not_coarsen():
    audio, audiovisual, is_positive, _ = random_embeds()
    audio, audiovisual = audio.float(), audiovisual.float()
    with torch.autocast('cpu', torch.bfloat16):
        inside = AVDLoss()(audio, audiovisual, is_positive)
    assert torch.equal(inside['loss_gcl'], AVDLoss()(audio, audiovisual, is_positive)['loss_gcl'])


@pytest.mark.parametrize('options', [dict(temperature=0.0), dict(gcl_weight=-1.0), dict(avkd_weight=-1.0)])
def test_refuses_bad_options(options):
    with pytest.raises(ValueError, match='AVDLoss'):
        AVDLoss(**options)


def test_refuses_bad_shapes_and_dtypes():
    embeds = torch.zeros(4, 8)
    with pytest.raises(ValueError, match='got'):
        AVDLoss()(embeds, embeds[:3], torch.ones(4, dtype=torch.bool))
    with pytest.raises(ValueError, match='bool'):
        AVDLoss()(embeds, embeds, torch.ones(4))
