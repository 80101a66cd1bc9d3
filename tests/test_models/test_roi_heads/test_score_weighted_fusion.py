"""Eq. (1)-(2) against stored vectors and numpy."""

import numpy as np
import pytest
import torch
from golden import GOLDEN, golden_input

from mmav.models.roi_heads import ScoreWeightedFusion, score_weights


def random_inputs(n=7, c=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, n, c, 3, 3, generator=generator, dtype=torch.float64)
    scores = torch.rand(2, n, generator=generator, dtype=torch.float64)
    return (*features, *scores)


@pytest.mark.parametrize(('name', 'n'), [('avd_small', 12), ('avd_large', 128), ('avd_all_positive', 6)])
def test_golden_vectors(name, n):
    stored = np.load(GOLDEN / f'{name}.npz')
    fusion = ScoreWeightedFusion(6).double()
    weight = golden_input(f'{name}.fusion_weight', (6, 12)) / 12**0.5
    fusion.conv.load_state_dict(
        dict(weight=weight[:, :, None, None], bias=0.1 * golden_input(f'{name}.fusion_bias', (6,)))
    )
    features = [golden_input(f'{name}.{key}', (n, 6, 3, 3)) for key in ('roi_audio', 'roi_visual')]
    scores = [golden_input(f'{name}.{key}', (n,), 'rand') for key in ('score_audio', 'score_visual')]

    weights = score_weights(*scores)
    fused = fusion(*features, *scores)

    np.testing.assert_allclose(weights[0], stored['weight_audio'], rtol=1e-5)
    np.testing.assert_allclose(weights[1], stored['weight_visual'], rtol=1e-5)
    np.testing.assert_allclose(fused.detach(), stored['fused'], rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize('use_weights', [True, False])
def test_equals_numpy(use_weights):
    fusion = ScoreWeightedFusion(6, use_weights=use_weights, init='random').double()
    torch.nn.init.normal_(fusion.conv.bias)
    audio, visual, score_audio, score_visual = random_inputs()
    weights = (
        np.ones((2, 7))
        if not use_weights
        else np.stack([score_audio, score_visual]) / (score_audio + score_visual).numpy()
    )
    stacked = np.concatenate(
        [weights[0][:, None, None, None] * audio.numpy(), weights[1][:, None, None, None] * visual.numpy()], 1
    )
    expected = np.einsum('oc,nchw->nohw', fusion.conv.weight.detach().numpy()[:, :, 0, 0], stacked)
    expected += fusion.conv.bias.detach().numpy()[:, None, None]
    np.testing.assert_allclose(
        fusion(audio, visual, score_audio, score_visual).detach(), expected, rtol=1e-10
    )


def test_starts_as_the_weighted_sum():
    audio, visual, score_audio, score_visual = random_inputs()
    weight_audio, weight_visual = (w[:, None, None, None] for w in score_weights(score_audio, score_visual))
    fused = ScoreWeightedFusion(6).double()(audio, visual, score_audio, score_visual)
    torch.testing.assert_close(fused, weight_audio * audio + weight_visual * visual)
    plain = ScoreWeightedFusion(6, use_weights=False).double()(audio, visual, score_audio, score_visual)
    torch.testing.assert_close(plain, (audio + visual) / 2)


def test_a_sure_modality_speaks_alone_and_no_score_means_half():
    weight_audio, weight_visual = score_weights(torch.tensor([0.0, 0.7, 0.0]), torch.tensor([0.4, 0.0, 0.0]))
    assert weight_audio.tolist() == [0.0, 1.0, 0.5]
    assert weight_visual.tolist() == [1.0, 0.0, 0.5]


@pytest.mark.parametrize('detach_weights', [True, False])
def test_gradient_through_the_scores(detach_weights):
    fusion = ScoreWeightedFusion(6, detach_weights=detach_weights).double()
    inputs = [value.requires_grad_() for value in random_inputs(n=3)]
    if not detach_weights:
        assert torch.autograd.gradcheck(fusion, inputs)
    gradients = torch.autograd.grad(fusion(*inputs).square().sum(), inputs, allow_unused=True)
    assert [gradient is None for gradient in gradients] == [False, False, detach_weights, detach_weights]


def test_scores_of_zero_have_finite_gradients():
    fusion = ScoreWeightedFusion(6, detach_weights=False).double()
    audio, visual, *_ = random_inputs(n=2)
    zeros = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    fusion(audio, visual, *zeros).sum().backward()
    assert zeros.grad.isfinite().all()


def test_no_roi():
    fusion = ScoreWeightedFusion(6)
    assert fusion(torch.zeros(0, 6, 7, 7), torch.zeros(0, 6, 7, 7), torch.zeros(0), torch.zeros(0)).shape == (
        0,
        6,
        7,
        7,
    )


def test_refuses_an_unknown_start():
    with pytest.raises(ValueError, match='init'):
        ScoreWeightedFusion(6, init='zeros')
