"""Attention of segments against numpy's plain arithmetic, and what only global context can see."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from mmav.models.layers import GlobalContextAttention, SegmentAttention

D = 4


def built(kind):
    torch.manual_seed(0)
    return kind(D).double().eval()


def sequences(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, length, D, generator=generator, dtype=torch.float64) for length in (3, 5))


def numpy_attention(layer, asking, asked, values):
    """Scaled dot-product attention of one head, video by video."""
    parameters = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    weights = np.split(parameters['in_proj_weight'], 3)
    biases = np.split(parameters['in_proj_bias'], 3)
    outputs = []
    for video in range(len(asking)):
        q, k, v = (x[video] @ w.T + b for x, w, b in zip((asking, asked, values), weights, biases))
        mixed = softmax(q @ k.T / np.sqrt(D), axis=1) @ v
        outputs.append(mixed @ parameters['out_proj.weight'].T + parameters['out_proj.bias'])
    return np.stack(outputs)


def numpy_context(layer, x):
    """c_t = LayerNorm(x_t + W [x_t ; g]), segment by segment."""
    weight, bias = layer.context.weight.detach().numpy(), layer.context.bias.detach().numpy()
    contexts = np.empty_like(x)
    for video in range(len(x)):
        mean = sum(x[video]) / len(x[video])
        for t, segment in enumerate(x[video]):
            local = segment + weight @ np.concatenate([segment, mean]) + bias
            contexts[video, t] = (local - local.mean()) / np.sqrt(local.var() + 1e-5)
    return contexts


def test_segment_attention_is_scaled_dot_product_attention():
    layer, (query, source) = built(SegmentAttention), sequences()
    expected = numpy_attention(layer, query.numpy(), source.numpy(), source.numpy())
    np.testing.assert_allclose(layer(query, source).detach(), expected, rtol=1e-10)


@pytest.mark.parametrize('itself', [True, False])
def test_global_context_attention_is_its_equation(itself):
    layer, (query, source) = built(GlobalContextAttention), sequences()
    source = query if itself else source
    asking, asked = numpy_context(layer, query.numpy()), numpy_context(layer, source.numpy())
    expected = numpy_attention(layer, asking, asked, source.numpy())
    np.testing.assert_allclose(layer(query, source).detach(), expected, rtol=1e-10)
    # the same tensor and an equal one are one
    torch.testing.assert_close(layer(query, source.clone()), layer(query, source))


def test_only_global_context_sees_a_distant_segment_of_the_query():
    query, source = sequences()
    changed = query.clone()
    changed[:, 2] += torch.arange(D)
    plain, aware = built(SegmentAttention), built(GlobalContextAttention)
    assert torch.equal(plain(changed, source)[:, 0], plain(query, source)[:, 0])
    assert (aware(changed, source)[:, 0] - aware(query, source)[:, 0]).abs().min() > 1e-4


def test_order_of_segments_does_not_matter():
    layer, (query, source) = built(GlobalContextAttention), sequences()
    turned = layer(query[:, [2, 0, 1]], source.flip(1))
    torch.testing.assert_close(turned, layer(query, source)[:, [2, 0, 1]])
