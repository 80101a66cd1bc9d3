import pytest
import torch
import torch.nn.functional as F
from mmdet.models.necks import FPN

from mmav.models.necks import ContextFPN

SETTINGS = dict(in_channels=[4, 6], out_channels=5, num_outs=3)


def make_inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(2, 4, 8, 12, generator=generator),
        torch.randn(2, 6, 4, 6, generator=generator),
    )


def make_pair() -> tuple[FPN, ContextFPN]:
    torch.manual_seed(0)
    plain, context = FPN(**SETTINGS), ContextFPN(**SETTINGS, context_bands=2, context_channels=7)
    missing, unexpected = context.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert {name.split('.')[0] for name in missing} == {'context', 'place', 'context_conv'}
    return plain, context


def test_equals_plain_fpn_when_its_last_convolution_is_zero():
    plain, context = make_pair()
    torch.nn.init.zeros_(context.context_conv.weight)
    torch.nn.init.zeros_(context.context_conv.bias)
    for ours, theirs in zip(context(make_inputs()), plain(make_inputs()), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_equals_the_formula_cell_by_cell():
    plain, context = make_pair()
    inputs = make_inputs()
    levels = context(inputs)
    bands = torch.stack([inputs[-1][:, :, :2].mean((2, 3)), inputs[-1][:, :, 2:].mean((2, 3))], dim=2)
    shift, scale = context.context(bands.flatten(1)).chunk(2, dim=1)
    kernel, bias = context.context_conv.weight[:, :, 0, 0], context.context_conv.bias
    for level, base in zip(levels, plain(inputs), strict=True):
        height, width = base.shape[-2:]
        place = F.interpolate(context.place, (height, width), mode='bilinear', align_corners=False)[0]
        for n in range(2):
            for y, x in ((0, 0), (height - 1, width // 2)):
                hidden = base[n, :, y, x] + shift[n] + place[:, y, x] * (1 + scale[n])
                expected = base[n, :, y, x] + kernel @ hidden.clamp(min=0) + bias
                torch.testing.assert_close(level[n, :, y, x], expected)


def test_cells_of_a_constant_clip_differ_only_by_their_place():
    _, context = make_pair()
    for conv in (*context.lateral_convs, *context.fpn_convs):
        torch.nn.init.zeros_(conv.conv.weight)
    inputs = tuple(torch.ones_like(x) for x in make_inputs())
    level = context(inputs)[0]
    assert level.std(dim=(2, 3)).min() > 0
    torch.nn.init.zeros_(context.place)
    level = context(inputs)[0]
    torch.testing.assert_close(level, level[:, :, :1, :1].expand_as(level))


@pytest.mark.parametrize('parameter', ['place', 'context_conv.weight', 'context.0.weight'])
def test_every_part_gets_a_gradient(parameter):
    _, context = make_pair()
    sum(level.square().sum() for level in context(make_inputs())).backward()
    assert context.get_parameter(parameter).grad.abs().sum() > 0
