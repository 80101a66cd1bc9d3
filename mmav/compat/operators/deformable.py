"""Deformable attention and convolution under the names of ``mmcv._ext``.

Shapes: B images, C channels in, O channels out, (H, W) height and width in, (h, w) out, (k, l) kernel,
D groups of offsets.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.ops import deform_conv2d


def _gradients(
    function: Callable[..., Tensor], inputs: tuple[Tensor, ...], grad_output: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of a function's output with respect to its inputs."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    with torch.enable_grad():
        output = function(*leaves)
    return torch.autograd.grad(output, leaves, grad_output.to(output.dtype))


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Deformable attention over several feature maps (Zhu et al., ICLR 2021, eq. 3), by mmcv's torch code.

    Args:
        value: Values of all levels, (B, sum of H W, heads, channels).
        value_spatial_shapes: H and W of the levels, (levels, 2).
        value_level_start_index: Where each level begins; not needed here.
        sampling_locations: In 0..1, (B, queries, heads, levels, points, 2).
        attention_weights: (B, queries, heads, levels, points).
        im2col_step: Of the compiled operator; not needed here.

    Returns:
        Attended values, (B, queries, heads x channels).
    """
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(
        value, value_spatial_shapes, sampling_locations, attention_weights
    )


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Gradients of :func:`ms_deform_attn_forward`, written into the three ``grad_*`` of the inputs."""

    def attend(value: Tensor, sampling_locations: Tensor, attention_weights: Tensor) -> Tensor:
        return ms_deform_attn_forward(
            value,
            value_spatial_shapes,
            value_level_start_index,
            sampling_locations,
            attention_weights,
            im2col_step,
        )

    gradients = _gradients(attend, (value, sampling_locations, attention_weights), grad_output)
    for target, gradient in zip((grad_value, grad_sampling_loc, grad_attn_weight), gradients):
        target.copy_(gradient)


def _geometry(dH: int, dW: int, padH: int, padW: int, dilationH: int, dilationW: int, **_: object) -> dict:
    """Stride, padding and dilation as torchvision names them; it reads groups and kernel off the shapes."""
    return dict(stride=(dH, dW), padding=(padH, padW), dilation=(dilationH, dilationW))


def deform_conv_forward(
    input: Tensor, weight: Tensor, offset: Tensor, output: Tensor, columns: Tensor, ones: Tensor, **sizes: int
) -> None:
    """Deformable convolution (Dai et al., ICCV 2017, equation 2), by torchvision.

    Of (B, C, H, W), weights (O, C / groups, k, l) and rows and columns added to each sampling point,
    (B, 2 D k l, h, w); fills the output (B, O, h, w). ``columns`` and ``ones`` are memory that only the
    compiled operator needs, and kernel and groups are read off the shapes.
    """
    output.copy_(deform_conv2d(input, offset, weight, **_geometry(**sizes)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **sizes: int,
) -> None:
    """Gradients of :func:`deform_conv_forward` with respect to input and offset, into the two ``grad*``."""
    convolve = functools.partial(deform_conv2d, weight=weight, **_geometry(**sizes))
    for target, gradient in zip((gradInput, gradOffset), _gradients(convolve, (input, offset), gradOutput)):
        target.copy_(gradient)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float,
    **sizes: int,
) -> None:
    """Gradient of :func:`deform_conv_forward` for the weight, times ``scale`` added to ``gradWeight``."""
    # linear in the weight: its gradient is the same at any
    (gradient,) = _gradients(
        lambda weight: deform_conv2d(input, offset, weight, **_geometry(**sizes)), (gradWeight,), gradOutput
    )
    gradWeight.add_(gradient, alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Deformable convolution with weights of the sampling points (Zhu et al., CVPR 2019), by torchvision.

    As :func:`deform_conv_forward`, with a bias (O,), or an empty one, the weights ``mask`` (B, D k l, h, w),
    and stride, padding and dilation named ``stride_h``, ``pad_w``, ...
    """
    geometry = _modulated_geometry(**sizes)
    output.copy_(deform_conv2d(input, offset, weight, bias if with_bias else None, mask=mask, **geometry))


def _modulated_geometry(
    stride_h: int, stride_w: int, pad_h: int, pad_w: int, dilation_h: int, dilation_w: int, **_: object
) -> dict:
    return _geometry(stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w)


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    with_bias: bool,
    **sizes: int,
) -> None:
    """Gradients of :func:`modulated_deform_conv_forward`, written into the ``grad_*`` of the inputs."""

    def convolve(input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        return deform_conv2d(input, offset, weight, mask=mask, **_modulated_geometry(**sizes))

    gradients = _gradients(convolve, (input, weight, offset, mask), grad_output)
    for target, gradient in zip((grad_input, grad_weight, grad_offset, grad_mask), gradients):
        target.copy_(gradient)
    if with_bias:
        grad_bias.copy_(grad_output.sum((0, 2, 3)))
