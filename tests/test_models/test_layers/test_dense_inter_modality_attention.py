"""DIMA against torch's attention where both kinds of scores are dot products; the rest by the vectors stored
for the published networks."""

import pytest
import torch
from torch import nn

from mmav.models.layers import DenseInterModalityAttention, DIMALayer

B, T, S, D, HEADS = 2, 3, 4, 8, 2


def features():
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(B, n, D, generator=generator, dtype=torch.float64) for n in (T, S))


def attention(**options):
    torch.manual_seed(0)
    return DenseInterModalityAttention(D, HEADS, **options).double()


def test_dot_products_are_torchs_attention():
    ours = attention(own_score='dot', other_score='dot')
    theirs = nn.MultiheadAttention(D, HEADS, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    own, other = features()
    memory = torch.cat([other, own], 1)
    for got, expected in zip(ours(own, own, other), theirs(own, memory, memory)):
        torch.testing.assert_close(got, expected)


def test_dense_scores_with_alpha_1_are_dot_products():
    own, other = features()
    dense = attention(own_score='dense', other_score='dense', alpha=1.0)
    for got, expected in zip(dense(own, own, other), attention(other_score='dot')(own, own, other)):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(
    ('own_score', 'other_score'), [('dense', 'dot'), ('dot', 'dense'), ('dense', 'dense')]
)
def test_each_kind_of_score_acts_on_its_own_keys(own_score, other_score):
    own, other = features()
    # of one head, as the mean over heads would hide the scores
    plain = DenseInterModalityAttention(D, 1, own_score='dot', other_score='dot').double()
    mixed = DenseInterModalityAttention(D, 1, own_score=own_score, other_score=other_score).double()
    mixed.load_state_dict(plain.state_dict())
    scores = [layer(own, own, other)[1].log() for layer in (plain, mixed)]
    for keys, kind in ((slice(None, S), other_score), (slice(S, None), own_score)):
        # up to what the softmax's sum adds to every score of a query
        relative = [part[..., keys] - part[..., keys].mean(-1, keepdim=True) for part in scores]
        assert torch.allclose(*relative) == (kind == 'dot')


def test_keys_that_are_not_valid_might_as_well_not_exist():
    own, other = features()
    layer = DIMALayer(D, HEADS, 16).double().eval()
    valid = torch.tensor([[True, False, True, True]] * B)
    masked, weights = layer(own, other, other_valid=valid)
    torch.testing.assert_close(masked, layer(own, other[:, [0, 2, 3]])[0])
    assert (weights[..., 1] == 0).all() and torch.allclose(weights.sum(-1), weights.new_ones(()))


def test_unknown_scores_are_refused():
    with pytest.raises(ValueError, match=r"own_score must be one of .* got 'cosine'"):
        attention(own_score='cosine')
