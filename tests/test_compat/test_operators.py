"""The operators against torchvision, mmcv's and mmdet's code in torch, plain loops and the compiled ones."""

import importlib

import numpy as np
import pytest
import torch
import torchvision
from golden import GOLDEN
from mmcv.ops import DeformConv2d, ModulatedDeformConv2d, RoIAlign, nms_match, soft_nms
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
from mmcv_operator_cases import compute
from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss

from mmav.compat import operators

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def our_operators(monkeypatch) -> None:
    """mmcv's functions run on ours where compiled ones are there, too."""
    for module in ('nms', 'roi_align', 'deform_conv', 'modulated_deform_conv'):
        monkeypatch.setattr(importlib.import_module(f'mmcv.ops.{module}'), 'ext_module', operators)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def boxes_and_scores(generator: torch.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    corners = torch.rand(count, 2, generator=generator) * 60
    boxes = torch.cat((corners, corners + 5 + torch.rand(count, 2, generator=generator) * 40), 1)
    return boxes, torch.rand(count, generator=generator)


def some_rois() -> torch.Tensor:
    """Inside, across the border, tiny, empty, outside; of two images."""
    return torch.tensor(
        [
            [0, 3.0, 4.0, 30.5, 41.0],
            [1, -9.0, -4.0, 22.0, 17.0],
            [1, 50.0, 40.0, 90.0, 99.0],
            [0, 10.0, 10.0, 10.4, 10.7],
            [0, 12.0, 12.0, 12.0, 12.0],
            [1, 200.0, 200.0, 260.0, 230.0],
        ]
    )


@pytest.mark.parametrize('threshold', [0.0, 0.3, 0.5, 0.7, 1.0])
def test_nms_is_torchvisions(generator, threshold):
    boxes, scores = boxes_and_scores(generator, 300)
    expected = torchvision.ops.nms(boxes, scores, threshold)
    assert operators.nms(boxes, scores, iou_threshold=threshold, offset=0).tolist() == expected.tolist()


def test_nms_of_boxes_whose_corners_are_pixels():
    # widths of 10 and 10 pixels, 5 of them shared: IoU 1/3; without the offset 4 / 14
    boxes = torch.tensor([[0.0, 0.0, 9.0, 9.0], [5.0, 0.0, 14.0, 9.0]])
    scores = torch.tensor([0.9, 0.8])
    assert operators.nms(boxes, scores, iou_threshold=0.3, offset=1).tolist() == [0]
    assert operators.nms(boxes, scores, iou_threshold=0.34, offset=1).tolist() == [0, 1]
    assert operators.nms(boxes, scores, iou_threshold=0.3, offset=0).tolist() == [0, 1]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_nms_in_other_precisions(generator, dtype):
    boxes, scores = boxes_and_scores(generator, 50)
    boxes, scores = boxes.to(dtype), scores.to(dtype)
    expected = torchvision.ops.nms(boxes.float(), scores.float(), 0.5)
    assert operators.nms(boxes, scores, iou_threshold=0.5, offset=0).tolist() == expected.tolist()


def test_no_boxes():
    none, no_scores = torch.zeros(0, 4), torch.zeros(0)
    assert operators.nms(none, no_scores, iou_threshold=0.5, offset=0).shape == (0,)
    assert operators.softnms(none, no_scores, torch.zeros(0, 5), 0.5, 0.5, 0.1, 1, 0).shape == (0,)
    assert operators.nms_match(torch.zeros(0, 5), 0.5) == []


def test_soft_nms_without_softness_is_nms(generator):
    boxes, scores = boxes_and_scores(generator, 100)
    dets, indices = soft_nms(boxes, scores, 0.5, min_score=1e-6, method='naive')
    assert indices.tolist() == torchvision.ops.nms(boxes, scores, 0.5).tolist()
    assert torch.equal(dets, torch.cat((boxes[indices], scores[indices, None]), 1))


@pytest.mark.parametrize('method', ['linear', 'gaussian'])
def test_soft_nms_is_a_plain_loop(generator, method):
    boxes, scores = boxes_and_scores(generator, 40)
    rest, expected = dict(enumerate(scores.tolist())), []
    while rest:
        best = max(rest, key=rest.get)
        expected.append((best, rest.pop(best)))
        for index in list(rest):
            overlap = torchvision.ops.box_iou(boxes[best, None], boxes[index, None]).item()
            if method == 'gaussian':
                rest[index] *= np.exp(-(overlap**2) / 0.5)
            elif overlap >= 0.3:
                rest[index] *= 1 - overlap
            if rest[index] < 0.05:
                del rest[index]
    dets, indices = soft_nms(boxes, scores, 0.3, sigma=0.5, min_score=0.05, method=method)
    assert indices.tolist() == [index for index, _ in expected]
    assert np.allclose(dets[:, 4], [score for _, score in expected], rtol=1e-5)


def test_nms_match_groups_are_those_of_nms(generator):
    boxes, scores = boxes_and_scores(generator, 60)
    groups = nms_match(torch.cat((boxes, scores[:, None]), 1), 0.4)
    assert [group[0].item() for group in groups] == torchvision.ops.nms(boxes, scores, 0.4).tolist()
    assert sorted(index for group in groups for index in group.tolist()) == list(range(60))
    for first, *others in groups:
        assert all(torchvision.ops.box_iou(boxes[first, None], boxes[other, None]) >= 0.4 for other in others)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_and_its_gradient_are_torchvisions(generator, aligned, ratio):
    features = torch.randn(2, 3, 20, 25, generator=generator)
    ours, theirs = (features.clone().requires_grad_() for _ in range(2))
    rois = some_rois()
    output = RoIAlign((4, 3), 0.25, ratio, aligned=aligned)(ours, rois)
    expected = torchvision.ops.roi_align(theirs, rois, (4, 3), 0.25, ratio, aligned)
    weights = torch.randn(output.shape, generator=generator)
    (output * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.equal(output, expected)
    assert torch.equal(ours.grad, theirs.grad) and ours.grad.abs().sum() > 0


def loop_of_maxima(features: torch.Tensor, roi: torch.Tensor, size: int, ratio: int) -> torch.Tensor:
    """The largest of ratio x ratio samples of each bin, by grid_sample of padded features."""
    image = torch.nn.functional.pad(features[int(roi[0])][None], (1, 1, 1, 1), mode='replicate')
    height, width = image.shape[2:]
    left, top, right, bottom = (roi[1:] * 0.25 - 0.5).tolist()
    output = torch.empty(features.shape[1], size, size)
    for row in range(size):
        for column in range(size):
            samples = []
            for i in range(ratio):
                for j in range(ratio):
                    y = top + (bottom - top) / size * (row + (i + 0.5) / ratio)
                    x = left + (right - left) / size * (column + (j + 0.5) / ratio)
                    if not (-1 <= x <= width - 2 and -1 <= y <= height - 2):
                        samples.append(torch.zeros(len(output)))  # more than a pixel outside
                        continue
                    place = torch.tensor([(x + 1) / (width - 1) * 2 - 1, (y + 1) / (height - 1) * 2 - 1])
                    sample = torch.nn.functional.grid_sample(
                        image, place.view(1, 1, 1, 2), align_corners=True
                    )
                    samples.append(sample[0, :, 0, 0])
            output[:, row, column] = torch.stack(samples).max(0).values
    return output


def test_maximum_of_the_samples(generator):
    features = torch.randn(2, 3, 20, 25, generator=generator, dtype=torch.float64)
    rois = some_rois()[:4].double()
    output = RoIAlign((3, 3), 0.25, 2, pool_mode='max')(features, rois)
    expected = torch.stack([loop_of_maxima(features.float(), roi.float(), 3, 2) for roi in rois])
    assert torch.allclose(output.float(), expected, atol=1e-5)
    assert torch.autograd.gradcheck(
        lambda x: RoIAlign((3, 3), 0.25, 2, pool_mode='max')(x, rois), features[:, :1].requires_grad_()
    )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_roi_align_under_amp(generator, dtype):
    features = torch.randn(2, 3, 20, 25, generator=generator).to(dtype).requires_grad_()
    rois = some_rois()
    with torch.autocast('cpu', dtype=dtype):
        output = RoIAlign((4, 3), 0.25, 0)(features, rois)
    assert output.dtype == dtype
    output.sum().backward()
    precise = features.detach().float().requires_grad_()
    expected = torchvision.ops.roi_align(precise, rois, (4, 3), 0.25, 0, True)
    expected.sum().backward()
    assert torch.equal(output, expected.to(dtype))
    assert torch.equal(features.grad, precise.grad.to(dtype))


def test_focal_loss_is_mmdets(generator):
    logits = torch.randn(30, 4, generator=generator).requires_grad_()
    target = torch.randint(0, 5, (30,), generator=generator)  # 4 is the background
    output, gradient = torch.empty(30, 4), torch.empty(30, 4)
    operators.sigmoid_focal_loss_forward(
        logits.detach(), target, torch.empty(0), output, gamma=2.0, alpha=0.25
    )
    operators.sigmoid_focal_loss_backward(
        logits.detach(), target, torch.empty(0), gradient, gamma=2.0, alpha=0.25
    )
    one_hot = torch.nn.functional.one_hot(target, 5)[:, :4]
    expected = py_sigmoid_focal_loss(logits, one_hot, gamma=2.0, alpha=0.25, reduction='none')
    expected.sum().backward()
    assert torch.allclose(output, expected, atol=1e-6)
    assert torch.allclose(gradient, logits.grad, atol=1e-6)
    weights = torch.tensor([1.0, 2.0, 0.5, 0.0])
    hits = target < 4
    weighted = torch.empty(int(hits.sum()), 4)
    operators.sigmoid_focal_loss_forward(logits.detach()[hits], target[hits], weights, weighted, 2.0, 0.25)
    assert torch.allclose(weighted, expected[hits] * weights[target[hits], None], atol=1e-6)


def test_deformable_attention_and_its_gradients(generator):
    shapes = torch.tensor([[6, 5], [3, 2]])
    value = torch.randn(2, 36, 2, 4, generator=generator, dtype=torch.float64)
    locations = torch.rand(2, 7, 2, 2, 3, 2, generator=generator, dtype=torch.float64)
    weights = torch.rand(2, 7, 2, 2, 3, generator=generator, dtype=torch.float64)
    starts = torch.tensor([0, 30])
    output = operators.ms_deform_attn_forward(value, shapes, starts, locations, weights, im2col_step=64)
    leaves = [tensor.clone().requires_grad_() for tensor in (value, locations, weights)]
    expected = multi_scale_deformable_attn_pytorch(leaves[0], shapes, *leaves[1:])
    expected.pow(2).sum().backward()
    gradients = [torch.empty_like(tensor) for tensor in (value, locations, weights)]
    operators.ms_deform_attn_backward(
        value, shapes, starts, locations, weights, 2 * output, *gradients, im2col_step=64
    )
    assert torch.equal(output, expected)
    for gradient, leaf in zip(gradients, leaves):
        assert torch.allclose(gradient, leaf.grad, atol=1e-12)


@pytest.mark.parametrize('modulated', [False, True])
def test_deformable_convolution_of_whole_pixels_is_a_shifted_convolution(generator, modulated):
    """Offsets of one column to the right at every point: the convolution of the shifted image."""
    kind = ModulatedDeformConv2d if modulated else DeformConv2d
    torch.manual_seed(0)
    convolution = kind(4, 6, 3, stride=2, padding=1, groups=2, deform_groups=2, bias=modulated)
    image = torch.randn(2, 4, 9, 11, generator=generator)
    offset = torch.zeros(2, 2 * 2 * 9, 5, 6)
    offset[:, 1::2] = 1.0
    mask = torch.full((2, 2 * 9, 5, 6), 0.5)
    output = convolution(image, offset, mask) if modulated else convolution(image, offset)
    # zeros come in from the right, and the column left of the image is not reached any more
    shifted = torch.nn.functional.pad(image, (0, 2, 1, 1))
    weight = convolution.weight * (0.5 if modulated else 1.0)
    expected = torch.nn.functional.conv2d(shifted, weight, getattr(convolution, 'bias', None), 2, groups=2)
    assert torch.allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize('modulated', [False, True])
def test_gradients_of_deformable_convolutions(generator, modulated):
    kind = ModulatedDeformConv2d if modulated else DeformConv2d
    torch.manual_seed(0)
    convolution = kind(2, 2, 3, padding=1, bias=modulated).double()
    image = torch.randn(1, 2, 4, 4, generator=generator, dtype=torch.float64).requires_grad_()
    offset = (torch.rand(1, 18, 4, 4, generator=generator, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    mask = torch.rand(1, 9, 4, 4, generator=generator, dtype=torch.float64).requires_grad_()
    extra = (mask,) if modulated else ()

    def convolve(image, offset, weight, *mask):
        return torch.func.functional_call(convolution, {'weight': weight}, (image, offset, *mask))

    assert torch.autograd.gradcheck(convolve, (image, offset, convolution.weight, *extra), nondet_tol=1e-9)


def test_equal_to_the_compiled_operators():
    """Outputs of mmcv's compiled operators on the CPU; see tests/data/golden/README.md."""
    golden = np.load(GOLDEN / 'mmcv_operators.npz')
    ours = compute(operators)
    assert sorted(ours) == sorted(golden)
    for name, value in ours.items():
        if value.dtype.kind == 'i':
            assert np.array_equal(value, golden[name]), name
        else:
            assert np.allclose(value, golden[name], rtol=1e-5, atol=1e-5), name
