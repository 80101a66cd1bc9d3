"""RoIAlign under the names of ``mmcv._ext``.

Shapes: B images, N RoIs, C channels, (H, W) height and width of a feature map, (h, w) bins of a RoI,
(gy, gx) samples of a bin.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torchvision
from torch import Tensor


def _sampling_grid(
    roi: Tensor, size: Sequence[int], scale: float, ratio: int, aligned: bool
) -> tuple[Tensor, Tensor]:
    """Rows (h, gy) and columns (w, gx) where the bins of a RoI are sampled, in pixels of the feature map."""
    start, end = (roi.view(2, 2).flip(1) * scale - (0.5 if aligned else 0.0)).unbind()
    extent = end - start if aligned else (end - start).clamp(min=1)
    lines = []
    for first, length, bins in zip(start, extent, size):
        step = length / bins
        count = ratio if ratio > 0 else int(torch.ceil(step))
        inside = (torch.arange(count, device=roi.device, dtype=roi.dtype) + 0.5) * step / max(count, 1)
        lines.append(first + torch.arange(bins, device=roi.device, dtype=roi.dtype)[:, None] * step + inside)
    return lines[0], lines[1]


def _bilinear_weights(position: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Lower and upper neighbor of positions along one axis, and their weights; both are 0 outside."""
    inside = (position >= -1) & (position <= length)
    position = position.clamp(0, length - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=length - 1)
    fraction = position - low
    return low, high, (1 - fraction) * inside, fraction * inside


def _max_roi_align(
    features: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, **grid: Any
) -> None:
    """The largest sample of each bin, and where it lies; fills the three outputs (N, C, h, w)."""
    for index, roi in enumerate(rois):
        rows, columns = _sampling_grid(roi[1:], output.shape[2:], **grid)
        if rows.shape[1] == 0 or columns.shape[1] == 0:  # no sample in an empty RoI
            output[index], argmax_y[index], argmax_x[index] = -10000, -1, -1
            continue
        top, bottom, weight_top, weight_bottom = _bilinear_weights(rows.flatten(), features.shape[2])
        left, right, weight_left, weight_right = _bilinear_weights(columns.flatten(), features.shape[3])
        image = features[int(roi[0])]  # (C, H, W)
        lines = image[:, top] * weight_top[:, None] + image[:, bottom] * weight_bottom[:, None]
        samples = lines[..., left] * weight_left + lines[..., right] * weight_right  # (C, h gy, w gx)
        samples = samples.unflatten(2, columns.shape).unflatten(1, rows.shape)  # (C, h, gy, w, gx)
        samples = samples.transpose(2, 3).flatten(3)  # (C, h, w, gy gx)
        output[index], place = samples.max(dim=3)
        row, column = place // columns.shape[1], place % columns.shape[1]  # (C, h, w)
        argmax_y[index] = rows[torch.arange(rows.shape[0], device=rows.device)[:, None], row]
        argmax_x[index] = columns[torch.arange(columns.shape[0], device=rows.device), column]


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """RoIAlign (He et al., ICCV 2017), by torchvision; its maximum variant in plain torch.

    Args:
        input: Feature maps of shape (B, C, H, W); half precision is computed in single.
        rois: Index of the image and corners in pixels of the image, of shape (N, 5).
        output: Filled; of shape (N, C, h, w).
        argmax_y: Filled with the maxima's rows for ``pool_mode=0``, else empty.
        argmax_x: Their columns.
        aligned_height: h.
        aligned_width: w.
        spatial_scale: Size of the feature map by that of the image.
        sampling_ratio: Samples a bin along each axis; 0 takes one a pixel.
        pool_mode: 0 takes the maximum of the samples, 1 their mean.
        aligned: Whether pixels' centers lie at half coordinates.
    """
    precise = torch.promote_types(input.dtype, torch.float32)
    features, boxes = input.to(precise), rois.to(precise)
    if pool_mode == 0:
        filled = [torch.empty_like(output, dtype=precise) for _ in range(3)]
        _max_roi_align(features, boxes, *filled, scale=spatial_scale, ratio=sampling_ratio, aligned=aligned)
        for target, values in zip((output, argmax_y, argmax_x), filled):
            target.copy_(values)
        return
    size = (aligned_height, aligned_width)
    output.copy_(torchvision.ops.roi_align(features, boxes, size, spatial_scale, sampling_ratio, aligned))


def _spread_maxima(
    grad: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor
) -> None:
    """Add the gradients (N, C, h, w) of maxima to the four pixels that each was interpolated from."""
    height, width = grad_input.shape[2:]
    grad = grad * (argmax_y != -1)  # an empty RoI has no maximum
    top, bottom, weight_top, weight_bottom = _bilinear_weights(argmax_y, height)
    left, right, weight_left, weight_right = _bilinear_weights(argmax_x, width)
    image = rois[:, 0].long().view(-1, 1, 1, 1)
    plane = (
        image * grad_input.shape[1] + torch.arange(grad.shape[1], device=grad.device).view(-1, 1, 1)
    ) * height
    flat = grad_input.view(-1)
    for row, weight_row in ((top, weight_top), (bottom, weight_bottom)):
        for column, weight_column in ((left, weight_left), (right, weight_right)):
            place = (plane + row) * width + column
            flat.index_add_(0, place.flatten(), (grad * weight_row * weight_column).flatten())


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Gradient of :func:`roi_align_forward` with respect to the feature maps.

    ``grad_input`` (B, C, H, W) is filled by the gradient of the output (N, C, h, w) and what the forward pass
    filled; the other arguments are those of the forward pass.
    """
    precise = torch.promote_types(grad_output.dtype, torch.float32)
    grad, boxes = grad_output.to(precise), rois.to(precise)
    if pool_mode == 0:
        total = torch.zeros_like(grad_input, dtype=precise, memory_format=torch.contiguous_format)
        _spread_maxima(grad, boxes, argmax_y.to(precise), argmax_x.to(precise), total)
        grad_input.copy_(total)
        return
    shape = grad_input.shape
    grad_input.copy_(
        torch.ops.torchvision._roi_align_backward(
            grad, boxes, spatial_scale, aligned_height, aligned_width, *shape, sampling_ratio, aligned
        )
    )
