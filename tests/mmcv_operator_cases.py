"""Calls of mmcv's operators on reproducible inputs, for whichever module holds the operators.

``python tests/mmcv_operator_cases.py OUT.npz`` where mmcv is compiled writes the golden outputs; the tests
compare ``mmav.compat.operators`` with them.
"""

import sys
from types import ModuleType

import numpy as np
import torch
from golden import golden_input


def _boxes(name: str, count: int, grid: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Boxes and scores; on a grid overlaps hit thresholds exactly."""
    corners = golden_input(f'{name}.corners', (count, 2), 'rand') * 60
    sides = 5 + golden_input(f'{name}.sides', (count, 2), 'rand') * 40
    scores = golden_input(f'{name}.scores', (count,), 'rand')
    if grid:
        corners, sides = corners.div(5).round() * 5, sides.div(10).ceil() * 10
    return torch.cat((corners, corners + sides), 1).float(), scores.float()


def _suppression(ext: ModuleType) -> dict[str, torch.Tensor]:
    outputs = {}
    for kind, grid in (('random', False), ('grid', True)):
        boxes, scores = _boxes(kind, 80, grid)
        for threshold in (0.3, 0.5, 0.7):
            for offset in (0, 1):
                kept = ext.nms(boxes, scores, iou_threshold=threshold, offset=offset)
                outputs[f'nms.{kind}.{threshold}.{offset}'] = kept
        # the compiled nms and nms_match sort equal scores in any order, softnms in one that is defined
        tied = scores.mul(10).round() / 10 if grid else scores
        for method in (0, 1, 2):
            dets = torch.zeros(80, 5)
            kept = ext.softnms(
                boxes, tied, dets, iou_threshold=0.3, sigma=0.5, min_score=0.2, method=method, offset=0
            )
            outputs[f'softnms.{kind}.{method}'] = kept
            outputs[f'softnms.{kind}.{method}.dets'] = dets[: len(kept)]
        groups = ext.nms_match(torch.cat((boxes, scores[:, None]), 1), iou_threshold=0.4)
        outputs[f'nms_match.{kind}'] = torch.tensor([index for group in groups for index in [*group, -1]])
    return outputs


def _roi_align(ext: ModuleType) -> dict[str, torch.Tensor]:
    features = golden_input('features', (2, 2, 12, 15)).float()
    rois = torch.tensor(
        [
            [0, 3.0, 4.0, 30.5, 41.0],
            [1, -9.0, -4.0, 22.0, 17.0],
            [1, 30.0, 20.0, 90.0, 79.0],
            [0, 10.0, 10.0, 10.4, 10.7],
            [0, 12.0, 12.0, 12.0, 12.0],
            [1, 200.0, 200.0, 260.0, 230.0],
        ]
    )
    grad = golden_input('roi_grad', (6, 2, 3, 2)).float()
    outputs = {}
    for mode in (0, 1):
        for ratio in (0, 2):
            for aligned in (False, True):
                output, rows, columns = (torch.zeros(6, 2, 3, 2) for _ in range(3))
                options = dict(
                    aligned_height=3,
                    aligned_width=2,
                    spatial_scale=0.25,
                    sampling_ratio=ratio,
                    pool_mode=mode,
                    aligned=aligned,
                )
                ext.roi_align_forward(features, rois, output, rows, columns, **options)
                grad_input = torch.zeros_like(features)
                ext.roi_align_backward(grad, rois, rows, columns, grad_input, **options)
                name = f'roi_align.{mode}.{ratio}.{aligned}'
                outputs |= {name: output, f'{name}.grad': grad_input}
    return outputs


def _deformable(ext: ModuleType) -> dict[str, torch.Tensor]:
    image = golden_input('image', (2, 4, 7, 8)).float()
    weight = golden_input('weight', (6, 2, 3, 3)).float()
    offset = golden_input('offset', (2, 36, 4, 4)).float()
    mask = golden_input('mask', (2, 18, 4, 4), 'rand').float()
    bias = golden_input('bias', (6,)).float()
    grad = golden_input('conv_grad', (2, 6, 4, 4)).float()

    def memory() -> torch.Tensor:
        return torch.zeros(0)

    sizes = dict(kW=3, kH=3, dW=2, dH=2, padW=1, padH=1, dilationW=1, dilationH=1)
    sizes |= dict(group=2, deformable_group=2, im2col_step=2)
    output, of_image, of_offset, of_weight = map(torch.zeros_like, (grad, image, offset, weight))
    ext.deform_conv_forward(image, weight, offset, output, memory(), memory(), **sizes)
    ext.deform_conv_backward_input(image, offset, grad, of_image, of_offset, weight, memory(), **sizes)
    ext.deform_conv_backward_parameters(image, offset, grad, of_weight, memory(), memory(), scale=1, **sizes)
    outputs = {'deform_conv': output, 'deform_conv.image': of_image}
    outputs |= {'deform_conv.offset': of_offset, 'deform_conv.weight': of_weight}

    sizes = dict(kernel_h=3, kernel_w=3, stride_h=2, stride_w=2, pad_h=1, pad_w=1, dilation_h=1, dilation_w=1)
    sizes |= dict(group=2, deformable_group=2, with_bias=True)
    output = torch.zeros_like(grad)
    ext.modulated_deform_conv_forward(image, weight, bias, memory(), offset, mask, output, memory(), **sizes)
    gradients = [torch.zeros_like(tensor) for tensor in (image, weight, bias, offset, mask)]
    ext.modulated_deform_conv_backward(
        image, weight, bias, memory(), offset, mask, memory(), *gradients, grad, **sizes
    )
    outputs['modulated_deform_conv'] = output
    names = ('image', 'weight', 'bias', 'offset', 'mask')
    return outputs | {f'modulated_deform_conv.{name}': value for name, value in zip(names, gradients)}


def compute(ext: ModuleType) -> dict[str, np.ndarray]:
    """Outputs and gradients of the operators that mmcv has on the CPU.

    Args:
        ext: ``mmcv._ext`` or what stands in for it.

    Returns:
        Arrays by name of the case.
    """
    outputs = _suppression(ext) | _roi_align(ext) | _deformable(ext)
    return {name: value.numpy() for name, value in outputs.items()}


if __name__ == '__main__':
    import mmcv._ext

    np.savez_compressed(sys.argv[1], **compute(mmcv._ext))
