"""Gradient reversal: values untouched, gradients times -lambda."""

import pytest
import torch

from mmav.models.layers import GradientReversal, reverse_gradient


@pytest.mark.parametrize('weight', [0.0, 0.4, 2.0])
def test_gradient_is_reversed_and_scaled_and_values_are_not(weight):
    torch.manual_seed(0)
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    y = reverse_gradient(x, weight)
    assert torch.equal(y, x)
    (y**3).sum().backward()
    torch.testing.assert_close(x.grad, -weight * 3 * x.detach() ** 2)


def test_layer_is_the_function_and_refuses_a_negative_weight():
    x = torch.ones(2, requires_grad=True)
    GradientReversal(0.5)(x).sum().backward()
    assert x.grad.tolist() == [-0.5, -0.5]
    with pytest.raises(ValueError, match='weight must be 0 or more, got -1'):
        GradientReversal(-1)
