"""EfficientDetHead: losses are torchvision's on anchors assigned by hand, gradients finite differences."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torchvision.ops import box_iou, sigmoid_focal_loss

SIZE = 64  # pixels
METAS = [dict(img_shape=(SIZE, SIZE), pad_shape=(SIZE, SIZE))]


@pytest.fixture
def head():
    """Two levels, three classes, boxes matched at an IoU of 0.5 as EfficientDet does it."""
    init_default_scope('mmdet')
    torch.manual_seed(0)
    head = MODELS.build(
        dict(
            type='EfficientDetHead',
            num_classes=3,
            in_channels=4,
            stacked_convs=2,
            anchor_generator=dict(
                type='FactorAnchorGenerator', strides=[16, 32], octave_base_scale=1, scales_per_octave=2
            ),
            loss_bbox=dict(type='SmoothL1Loss', beta=1 / 9, loss_weight=0.25),
            train_cfg=ConfigDict(
                assigner=dict(
                    type='MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.4,
                    min_pos_iou=0.5,
                    match_low_quality=False,
                    ignore_iof_thr=-1,
                ),
                sampler=dict(type='PseudoSampler'),
                allowed_border=-1,
                pos_weight=-1,
            ),
        )
    )
    head.init_weights()
    return head


@pytest.fixture
def outputs():
    """Random class logits and deltas of both levels."""
    generator = torch.Generator().manual_seed(1)
    shapes = ((6 * 3, 6 * 4), (4, 2))
    return [
        [torch.randn(1, channels, n, n, dtype=torch.float64, generator=generator) for n in shapes[1]]
        for channels in shapes[0]
    ]


@pytest.fixture
def truth():
    """Two boxes that some anchors meet."""
    return InstanceData(
        bboxes=torch.tensor([[5.0, 6.0, 27.0, 24.0], [30.0, 28.0, 62.0, 60.0]]), labels=torch.tensor([2, 0])
    )


def flat(levels, channels):
    """(anchors of all levels, channels) in the order of the anchor generator."""
    return torch.cat([level[0].permute(1, 2, 0).reshape(-1, channels) for level in levels])


def test_losses_are_torchvisions(head, outputs, truth):
    losses = head.loss_by_feat(*outputs, [truth], METAS)

    anchors = torch.cat(head.prior_generator.grid_priors([(4, 4), (2, 2)], device='cpu')).double()
    overlap, box = box_iou(anchors, truth.bboxes.double()).max(1)
    positive, counted = overlap >= 0.5, (overlap >= 0.5) | (overlap < 0.4)
    assert 2 <= positive.sum() and 0 < (~counted).sum()  # otherwise this test shows little
    target = torch.zeros(len(anchors), 3, dtype=torch.float64)
    target[positive, truth.labels[box[positive]]] = 1
    focal = sigmoid_focal_loss(flat(outputs[0], 3)[counted], target[counted], alpha=0.25, gamma=2).sum()
    torch.testing.assert_close(sum(losses['loss_cls']), focal / positive.sum())

    def center_size(boxes):
        return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]

    (a_center, a_size), (b_center, b_size) = map(
        center_size, (anchors[positive], truth.bboxes[box[positive]].double())
    )
    deltas = torch.cat(((b_center - a_center) / a_size, (b_size / a_size).log()), 1)
    smooth = torch.nn.functional.smooth_l1_loss(flat(outputs[1], 4)[positive], deltas, beta=1 / 9)
    torch.testing.assert_close(sum(losses['loss_bbox']), smooth, rtol=1e-6, atol=1e-8)


def test_gradients_are_finite_differences(head, outputs, truth):
    def total(*tensors):
        losses = head.loss_by_feat(list(tensors[:2]), list(tensors[2:]), [truth], METAS)
        return sum(losses['loss_cls']) + sum(losses['loss_bbox'])

    inputs = [tensor.requires_grad_() for group in outputs for tensor in group]
    assert torch.autograd.gradcheck(total, inputs, fast_mode=True)


def test_without_boxes_scores_are_pushed_down_and_boxes_left_alone(head):
    nothing = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))
    features = [torch.randn(2, 4, n, n) for n in (4, 2)]
    losses = head.loss_by_feat(*head(features), [nothing, nothing], METAS * 2)
    assert sum(losses['loss_bbox']) == 0
    (sum(losses['loss_cls']) + sum(losses['loss_bbox'])).backward()
    assert (head.conv_cls.pointwise.bias.grad > 0).all()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_scores_start_around_one_percent(head):
    scores, deltas = head([torch.randn(2, 4, n, n) for n in (4, 2)])
    start = torch.cat([level.flatten() for level in scores]).sigmoid()
    assert 0.005 < start.median() < 0.02 and start.max() < 0.5
    # weights keep the variance: what is put out is neither nothing nor huge
    assert all(0.05 < level.std() < 5 for level in (*scores, *deltas))


def test_convolutions_are_shared_by_the_levels_and_normalizations_are_not(head):
    head.eval()
    x = torch.randn(1, 4, 4, 4)
    same = [head.forward_single(x, level) for level in (0, 1)]
    assert torch.equal(same[0][0], same[1][0]) and torch.equal(same[0][1], same[1][1])
    head.cls_norms[1][0].bias.data += 1
    changed = [head.forward_single(x, level) for level in (0, 1)]
    assert torch.equal(changed[0][0], same[0][0]) and not torch.allclose(changed[1][0], same[1][0])
    assert torch.equal(changed[1][1], same[1][1])  # boxes have normalizations of their own


def test_another_number_of_levels_is_refused(head):
    with pytest.raises(ValueError, match='2 strides, but the neck gives 3 levels'):
        head([torch.randn(1, 4, 2, 2)] * 3)
