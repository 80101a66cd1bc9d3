"""The RoI head's wiring: what is cut, weighed, scored, compared and trained."""

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmav.models.layers import AudioVisualPyramid
from mmav.models.losses import AVDLoss
from mmav.models.roi_heads import AudioVisualRoIHead, score_weights
from mmav.models.roi_heads.audio_visual_roi_head import vehicle_score


@pytest.fixture
def build_head(toy_config):
    def build(**options):
        cfg = toy_config('avd/av_faster_rcnn_r18_sim.py')
        init_default_scope('mmdet')
        torch.manual_seed(0)
        num_classes = options.pop('num_classes', 1)
        cfg.model.roi_head.bbox_head.num_classes = num_classes
        config = {**cfg.model.roi_head, **options}
        head = MODELS.build(
            {**config, 'train_cfg': cfg.model.train_cfg.rcnn, 'test_cfg': cfg.model.test_cfg.rcnn}
        )
        head.init_weights()
        for bbox_head in (head.bbox_head, head.visual_bbox_head):  # scores that differ from RoI to RoI
            torch.nn.init.normal_(bbox_head.fc_cls.weight, std=0.5)
        return head

    return build


def pyramid(modalities=('rgb',), seed=0, batch=2, requires_grad=False):
    generator = torch.Generator().manual_seed(seed)

    def levels():
        sizes = (8, 4, 2)
        return tuple(
            torch.randn(batch, 16, n, n, generator=generator).requires_grad_(requires_grad) for n in sizes
        )

    return AudioVisualPyramid(levels(), {name: levels() for name in modalities})


def proposals_and_samples(num_boxes=(2, 1), num_classes=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    proposals, samples = [], []
    for boxes in num_boxes:
        corners = torch.rand(40 + boxes, 2, generator=generator) * 40
        bboxes = torch.cat((corners, corners + 8 + torch.rand(40 + boxes, 2, generator=generator) * 16), 1)
        proposals.append(InstanceData(bboxes=bboxes, scores=torch.rand(len(bboxes), generator=generator)))
        sample = DetDataSample(metainfo=dict(img_shape=(64, 64), ori_shape=(64, 64), scale_factor=(1, 1)))
        labels = torch.arange(boxes) % num_classes
        sample.gt_instances = InstanceData(bboxes=bboxes[:boxes] + 1.0, labels=labels)
        samples.append(sample)
    return proposals, samples


def rois(n=10):
    corners = torch.rand(n, 2, generator=torch.Generator().manual_seed(3)) * 40
    return torch.cat((torch.arange(n)[:, None] % 2, corners, corners + 16), 1)


def losses_of(head, x=None, **kwargs):
    torch.manual_seed(0)  # the sampler draws RoIs
    return head.loss(pyramid(head.visual_modalities) if x is None else x, *proposals_and_samples(**kwargs))


def test_forward_is_equations_one_and_two_around_two_heads(build_head):
    head, x, boxes = build_head(), pyramid(), rois()
    out = head._bbox_forward(x, boxes)

    f_a = head.bbox_roi_extractor(tuple(x), boxes)
    f_v = head.bbox_roi_extractor(x.visual['rgb'], boxes)
    p_a = head.bbox_head(f_a)[0].softmax(1)[:, 0]
    p_v = head.visual_bbox_head(f_v)[0].softmax(1)[:, 0]
    w_a, w_v = ((p / (p_a + p_v))[:, None, None, None] for p in (p_a, p_v))
    f_av = head.fusion.conv(torch.cat((w_a * f_a, w_v * f_v), 1))
    cls_score, bbox_pred = head.bbox_head(f_av)
    torch.testing.assert_close(out['cls_score'], cls_score)
    torch.testing.assert_close(out['bbox_pred'], bbox_pred)
    torch.testing.assert_close(out['audio'], head.bbox_head(f_a))
    torch.testing.assert_close(out['visual'], head.visual_bbox_head(f_v))
    for embeds, feature in (('audio_embeds', f_a), ('audiovisual_embeds', f_av)):
        hidden = feature.flatten(1)
        for layer in head.bbox_head.shared_fcs:
            hidden = layer(hidden).relu()
        torch.testing.assert_close(out[embeds], hidden)


def test_losses_have_their_names_and_values(build_head):
    head = build_head()
    losses = losses_of(head)
    assert set(losses) == {
        *(f'{name}{stream}' for name in ('loss_cls', 'loss_bbox', 'acc') for stream in ('', '_av', '_v')),
        'loss_gcl',
        'loss_avkd',
    }
    assert all(value.isfinite().all() for value in losses.values())
    doubled = losses_of(build_head(avd_loss_weight=2.0, visual_loss_weight=3.0))
    factors = dict(loss_gcl=2, loss_avkd=2, loss_cls_v=3, loss_bbox_v=3, loss_cls=1, loss_cls_av=1, acc_v=1)
    for name, factor in factors.items():
        torch.testing.assert_close(doubled[name], factor * losses[name])


def test_audio_terms_are_those_of_mmdets_head(build_head, toy_config):
    head = build_head()
    cfg = toy_config('avd/faster_rcnn_r18_sim_audio.py')
    stock = MODELS.build({**cfg.model.roi_head, 'train_cfg': cfg.model.train_cfg.rcnn})
    stock.load_state_dict({k: v for k, v in head.state_dict().items() if k.startswith('bbox_head.')})
    ours, theirs = losses_of(head), losses_of(stock, x=tuple(pyramid()))
    assert set(theirs) == {'loss_cls', 'loss_bbox', 'acc'}
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_scopes(build_head):
    torch.manual_seed(0)
    head = build_head()
    n = [6, 9]
    audio, audiovisual = torch.randn(2, sum(n), 32)
    labels = torch.ones(sum(n), dtype=torch.long)
    labels[[0, 1, 7, 9, 14]] = 0
    head.loss_avd = AVDLoss()
    splits = zip(audio.split(n), audiovisual.split(n), labels.split(n))
    per_image = [head.loss_avd(a, av, label == 0) for a, av, label in splits]
    image = head._avd_loss(audio, audiovisual, labels, n)
    head.scope = 'batch'
    batch = head._avd_loss(audio, audiovisual, labels, n)
    for name in ('loss_gcl', 'loss_avkd'):
        torch.testing.assert_close(image[name], (per_image[0][name] + per_image[1][name]) / 2)
        torch.testing.assert_close(batch[name], head.loss_avd(audio, audiovisual, labels == 0)[name])


@pytest.mark.parametrize('num_boxes', [(0, 0), (0, 2)])
@pytest.mark.parametrize('scope', ['image', 'batch'])
def test_images_without_objects(build_head, num_boxes, scope):
    head = build_head(scope=scope)
    x = pyramid(requires_grad=True)
    losses = losses_of(head, x, num_boxes=num_boxes)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert all(value.isfinite().all() for value in losses.values())
    assert all(parameter.grad is not None for parameter in head.parameters())
    assert all(level.grad.isfinite().all() for level in (*x, *x.visual['rgb']))
    if not any(num_boxes):
        assert losses['loss_gcl'].item() == losses['loss_avkd'].item() == 0


def test_several_modalities_are_reduced_from_their_mean(build_head):
    names = ('rgb', 'thermal', 'depth')
    head, x, boxes = build_head(visual_modalities=names), pyramid(names), rois()
    feats = [head.bbox_roi_extractor(x.visual[name], boxes) for name in names]
    torch.testing.assert_close(head._visual_roi_feats(x.visual, boxes), sum(feats) / 3, rtol=1e-4, atol=1e-5)
    torch.nn.init.normal_(head.visual_reduction.weight)
    expected = head.visual_reduction(torch.cat(feats, 1))
    torch.testing.assert_close(head._visual_roi_feats(x.visual, boxes), expected)
    with pytest.raises(KeyError, match='depth'):
        head._visual_roi_feats({name: x.visual[name] for name in names[:2]}, boxes)


@pytest.mark.parametrize('agnostic', [False, True])
def test_several_classes(build_head, agnostic):
    head = build_head(num_classes=3, class_agnostic_groups=agnostic)
    losses = losses_of(head, num_boxes=(3, 3), num_classes=3)
    assert all(value.isfinite().all() for value in losses.values())
    per_class = losses_of(build_head(num_classes=3), num_boxes=(3, 3), num_classes=3)
    # smaller groups hold a smaller share of the same sum
    assert (losses['loss_gcl'] < per_class['loss_gcl']).item() == agnostic


def test_score_of_several_classes_is_one_minus_background(build_head):
    logits = torch.randn(5, 4)
    score = vehicle_score(build_head(num_classes=3).bbox_head, logits)
    torch.testing.assert_close(score, 1 - logits.softmax(1)[:, 3])


@pytest.mark.parametrize(
    ('visual_loss_weight', 'fusion', 'trained'),
    [
        (1.0, {}, {'shared_fcs', 'fc_cls', 'fc_reg'}),
        (0.0, {}, set()),
        (0.0, dict(detach_weights=False), {'shared_fcs', 'fc_cls'}),
        (0.0, dict(detach_weights=False, use_weights=False), set()),
        (1.0, dict(use_weights=False), {'shared_fcs', 'fc_cls', 'fc_reg'}),
    ],
)
def test_parts_of_the_visual_head_that_train(build_head, visual_loss_weight, fusion, trained):
    head = build_head(visual_loss_weight=visual_loss_weight, fusion=fusion)
    losses = losses_of(head)
    assert ('loss_cls_v' in losses) == bool(visual_loss_weight)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    named = dict(head.visual_bbox_head.named_parameters())
    assert {name.split('.')[0] for name, parameter in named.items() if parameter.grad is not None} == trained
    assert {name.split('.')[0] for name, parameter in named.items() if parameter.requires_grad} == trained


def test_without_distillation(build_head):
    losses = losses_of(build_head(avd_loss_weight=0.0))
    assert 'loss_cls_av' in losses and 'loss_gcl' not in losses


def test_weights_come_from_the_scores(build_head):
    head = build_head()
    seen = {}
    head.fusion.register_forward_pre_hook(lambda _, args: seen.update(scores=args[2:]))
    out = head._bbox_forward(pyramid(), rois())
    w_a, w_v = score_weights(*seen['scores'])
    torch.testing.assert_close(w_a + w_v, torch.ones(10))
    torch.testing.assert_close(seen['scores'][0], out['audio'][0].softmax(1)[:, 0])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(scope='epoch'), 'scope'),
        (dict(visual_modalities=()), 'visual_modalities'),
        (dict(bbox_head=dict(type='BBoxHead', in_channels=16, num_classes=1)), 'shared fully connected'),
    ],
)
def test_refuses_bad_options(toy_config, options, message):
    cfg = toy_config('avd/av_faster_rcnn_r18_sim.py').model.roi_head
    with pytest.raises(ValueError, match=message):
        AudioVisualRoIHead(**{k: v for k, v in {**cfg, **options}.items() if k != 'type'})


def test_training_without_images_is_an_error(build_head):
    with pytest.raises(ValueError, match='audio pyramid alone'):
        losses_of(build_head(), pyramid(modalities=()))


def test_half_precision(build_head):
    head, x = build_head(), pyramid(requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        losses = losses_of(head, x)
    assert all(value.isfinite().all() for value in losses.values())
    full = losses_of(head, x)
    for name in ('loss_cls', 'loss_cls_av', 'loss_gcl', 'loss_avkd'):
        torch.testing.assert_close(losses[name].float(), full[name], rtol=0.1, atol=0.02)
