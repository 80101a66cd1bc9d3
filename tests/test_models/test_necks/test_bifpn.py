"""BiFPN against sums worked by hand, with any backbone."""

import math

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS

from mmav.models.necks import BiFPN
from mmav.models.necks.bifpn import fast_fusion


def make_transparent(neck):
    """Convolutions that pass their input on, normalizations that do nothing."""
    for module in neck.double().modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.zeros_(module.weight)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
            middle = module.kernel_size[0] // 2
            for channel in range(module.out_channels):
                module.weight.data[channel, channel if module.groups == 1 else 0, middle, middle] = 1
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(1 - module.eps)
    return neck.eval()


def swish(x):
    return x / (1 + math.exp(-x))


@pytest.mark.parametrize(('num_cells', 'middle'), [(1, 0.5), (2, 0.5), (2, -1.0)])
def test_even_levels_pass_as_scalars(num_cells, middle):
    """Where every map has one value all over, the pyramid is a sum of a few numbers."""
    neck = make_transparent(BiFPN([2, 2, 2], out_channels=2, num_cells=num_cells, eps=0.5))
    with torch.no_grad():
        for cell in neck.cells:
            for level in range(4):
                cell.top_down_weights[level].copy_(torch.tensor([1.0, 0.5 + level]))
                cell.bottom_up_weights[level].copy_(
                    torch.tensor([2.0, middle, 1.5] if level < 3 else [2.0, 1.0])
                )

    values = [0.3, 1.2, 2.0]
    inputs = [torch.full((1, 2, size, size), v, dtype=torch.float64) for v, size in zip(values, (8, 4, 2))]
    outputs = neck(inputs)

    p3, p4, p5, p6, p7 = 0.3, 1.2, 2.0, 2.0, 2.0  # P6 and P7 are pooled from P5
    for _ in range(num_cells):
        d6 = swish((1 * p6 + 3.5 * p7) / 5.0)
        d5 = swish((1 * p5 + 2.5 * d6) / 4.0)
        d4 = swish((1 * p4 + 1.5 * d5) / 3.0)
        u3 = swish((1 * p3 + 0.5 * d4) / 2.0)
        cut, total = max(middle, 0), 4.0 + max(middle, 0)  # a negative weight counts as 0
        u4 = swish((2 * p4 + cut * d4 + 1.5 * u3) / total)
        u5 = swish((2 * p5 + cut * d5 + 1.5 * u4) / total)
        u6 = swish((2 * p6 + cut * d6 + 1.5 * u5) / total)
        u7 = swish((2 * p7 + 1 * u6) / 3.5)
        p3, p4, p5, p6, p7 = u3, u4, u5, u6, u7
    assert [tuple(level.shape) for level in outputs] == [(1, 2, size, size) for size in (8, 4, 2, 1, 1)]
    for level, expected in zip(outputs, (p3, p4, p5, p6, p7)):
        torch.testing.assert_close(level, torch.full_like(level, expected), rtol=1e-12, atol=0)


def test_fusion_of_equal_weights_is_the_mean():
    maps = torch.randn(3, 2, 4, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fused = fast_fusion(torch.full((3,), 7.0, dtype=torch.float64), maps, eps=0)
    torch.testing.assert_close(fused, maps.mean(0))
    alone = fast_fusion(torch.tensor([-1.0, 4.0, 0.0], dtype=torch.float64), maps, eps=0)
    torch.testing.assert_close(alone, maps[1])


def test_one_cell_takes_the_finer_levels_to_the_coarser_and_back():
    """After one cell every level knows every other."""
    torch.manual_seed(0)
    neck = BiFPN([4, 4, 4], out_channels=4, num_cells=1)
    neck.init_weights()
    neck.eval()
    inputs = [torch.randn(1, 4, size, size) for size in (32, 16, 8)]
    before = neck(inputs)
    for changed in range(3):
        other = [x + (index == changed) for index, x in enumerate(inputs)]
        assert all(not torch.allclose(a, b) for a, b in zip(before, neck(other)))


@pytest.mark.parametrize('stages', [(1, 2, 3), (0, 1, 2, 3), (2, 3)])
@pytest.mark.parametrize('size', [(64, 64), (75, 50)])
def test_behind_a_resnet(stages, size):
    channels = [64, 128, 256, 512]
    backbone = ResNet(18, out_indices=stages)
    config = dict(
        type='BiFPN', in_channels=[channels[i] for i in stages], out_channels=8, num_cells=2, num_outs=5
    )
    neck = MODELS.build(config)
    levels = neck(backbone(torch.randn(2, 3, *size)))
    strides = [4 * 2 ** (stages[0] + level) for level in range(5)]
    assert [tuple(level.shape) for level in levels] == [
        (2, 8, math.ceil(size[0] / stride), math.ceil(size[1] / stride)) for stride in strides
    ]
    sum(level.square().sum() for level in levels).backward()
    assert all(parameter.grad is not None for parameter in neck.parameters())


def test_as_many_levels_as_the_backbone():
    neck = BiFPN([3, 5], out_channels=4, num_cells=1, num_outs=2)
    assert len(neck.extra_convs) == len(neck.bottom_up_lateral_convs) == 0
    levels = neck((torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)))
    assert [tuple(level.shape) for level in levels] == [(2, 4, 8, 8), (2, 4, 4, 4)]


def test_bad_arguments_and_inputs_are_refused():
    with pytest.raises(ValueError, match='num_outs must be at least 3'):
        BiFPN([4, 4, 4], num_outs=2)
    with pytest.raises(ValueError, match='num_cells'):
        BiFPN([4, 4, 4], num_cells=0)
    neck = BiFPN([4, 4], out_channels=4, num_cells=1)
    with pytest.raises(ValueError, match='2 in_channels, but got 1 maps'):
        neck((torch.randn(1, 4, 8, 8),))
    with pytest.raises(ValueError, match=r'halve .* \[\(8, 8\), \(2, 2\)\]'):
        neck((torch.randn(1, 4, 8, 8), torch.randn(1, 4, 2, 2)))
