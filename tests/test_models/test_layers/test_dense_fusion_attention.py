"""The closed form against the sum over all pairs of channels, and its limiting cases."""

import pytest
import torch

from mmav.models.layers import dense_fusion_attention

B, T, S, D = 2, 3, 4, 5


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(B, n, D, generator=generator, dtype=torch.float64) for n in (T, S))


@pytest.mark.parametrize('alpha', [0.0, 0.2, 0.5, 1.0])
def test_equals_the_weighted_sum_over_all_pairs(pair, alpha):
    query, key = pair
    weights = torch.full((D, D), (1 - alpha) / (D - 1), dtype=torch.float64).fill_diagonal_(alpha)
    expected = torch.stack(
        [
            torch.stack([torch.stack([(torch.outer(q, k) * weights).sum() for k in ks]) for q in qs])
            for qs, ks in zip(query, key)
        ]
    )
    torch.testing.assert_close(dense_fusion_attention(query, key, alpha), expected, rtol=0, atol=1e-12)
    official = dense_fusion_attention(query, key, alpha, protocol='official')
    torch.testing.assert_close(official, expected / D, rtol=0, atol=1e-12)


def test_gradients_are_those_of_the_pairs(pair):
    query, key = (values.requires_grad_() for values in pair)
    assert torch.autograd.gradcheck(dense_fusion_attention, (query, key))


def test_limiting_weights(pair):
    query, key = pair
    dot = query @ key.transpose(1, 2)
    torch.testing.assert_close(dense_fusion_attention(query, key, 1.0), dot)
    even = query.sum(-1)[:, :, None] * key.sum(-1)[:, None] / D
    torch.testing.assert_close(dense_fusion_attention(query, key, 1 / D), even)


def test_bad_input_is_refused(pair):
    query, key = pair
    with pytest.raises(ValueError, match='the same channels'):
        dense_fusion_attention(query, key[..., 1:])
    with pytest.raises(ValueError, match='two or more'):
        dense_fusion_attention(query[..., :1], key[..., :1])
    with pytest.raises(ValueError, match=r"protocol must be one of .* got 'mean'"):
        dense_fusion_attention(query, key, protocol='mean')
