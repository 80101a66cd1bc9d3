"""The switches of hybrid attention, each against its equation."""

import pytest
import torch
import torch.nn.functional as F

from mmav.models.layers import GlobalContextAttention, HybridAttentionLayer, SegmentAttention

D, T = 8, 3


def built(**switches):
    torch.manual_seed(0)
    return HybridAttentionLayer(D, 2, 16, **switches).double().eval()


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, T, D, generator=generator, dtype=torch.float64) for _ in range(2)]


def finish(layer, x):
    x = layer.norm1(x)
    return layer.norm2(x + layer.linear2(F.relu(layer.linear1(x))))


def test_han_adds_self_and_cross_attention_to_each_modality(inputs):
    layer = built()
    own, cross = layer.self_attention['shared'], layer.cross_attention
    for result, (x, other) in zip(layer(*inputs), (inputs, inputs[::-1])):
        torch.testing.assert_close(result, finish(layer, x + own(x, x) + cross(x, other)))


@pytest.mark.parametrize('skip', [True, False])
@pytest.mark.parametrize('gcaa', [True, False])
def test_base_crosses_what_each_modality_attended_to_by_itself(inputs, skip, gcaa):
    layer = built(base=True, skip=skip, gcaa=gcaa)
    kind = GlobalContextAttention if gcaa else SegmentAttention
    attentions = [layer.self_attention['audio'], layer.self_attention['visual'], layer.cross_attention]
    assert all(type(attention) is kind for attention in attentions)
    attended = [x + attention(x, x) for x, attention in zip(inputs, attentions)]
    kept = attended if skip else inputs
    for index, result in enumerate(layer(*inputs)):
        crossed = layer.cross_attention(attended[index], attended[1 - index])
        torch.testing.assert_close(result, finish(layer, kept[index] + crossed))


def test_han_treats_both_modalities_alike_and_base_does_not(inputs):
    audio, visual = inputs
    for layer, alike in ((built(), True), (built(gcaa=True), True), (built(base=True), False)):
        straight, turned = layer(audio, visual), layer(visual, audio)
        for first, second in zip(straight, turned[::-1]):
            assert torch.allclose(first, second) == alike


def test_without_cross_attention_base_and_skip_is_han(inputs):
    # limiting case: nothing comes from the other modality, one self-attention serves both
    han, skip, base = built(), built(base=True, skip=True), built(base=True)
    for layer in (skip, base):
        state = han.state_dict()
        for name in list(state):
            if 'shared' in name:
                value = state.pop(name)
                state[name.replace('shared', 'audio')] = state[name.replace('shared', 'visual')] = value
        layer.load_state_dict(state)
    for layer in (han, skip, base):
        torch.nn.init.zeros_(layer.cross_attention.out_proj.weight)
        torch.nn.init.zeros_(layer.cross_attention.out_proj.bias)
    for ours, expected, alone, x in zip(skip(*inputs), han(*inputs), base(*inputs), inputs):
        torch.testing.assert_close(ours, expected)
        # without the skip nothing is left of self-attention
        torch.testing.assert_close(alone, finish(base, x))


def test_skip_without_base_is_refused():
    with pytest.raises(ValueError, match='skip needs base=True'):
        HybridAttentionLayer(D, skip=True)
