"""Localizers guided by maps of objects: the sums, whose weights are where, the DETR's confident queries."""

import copy

import pytest
import torch
from mmdet.registry import MODELS

from mmav.models.localizers.object_guided_localizer import min_max_normalize
from mmav.models.localizers.object_maps import confident_mean

ATTENTION = dict(embed_dims=16, num_heads=2, dropout=0.1, batch_first=True)
FFN = dict(embed_dims=16, feedforward_channels=16, num_fcs=2, act_cfg=dict(type='ReLU', inplace=True))

LOSS = dict(type='CrossEntropyLoss', bg_cls_weight=0.1, class_weight=1.0)


@pytest.fixture
def guided(toy_localizer, tmp_path):
    """Config of a guided localizer whose ResNet has weights in a file, with torchvision's classifier."""
    backbone = toy_localizer['visual_backbone']
    torch.manual_seed(3)
    weights = MODELS.build(backbone).state_dict()
    torch.save({**weights, 'fc.weight': torch.zeros(2)}, tmp_path / 'resnet.pth')
    object_model = dict(type='FeatureObjectMap', model=backbone, checkpoint=str(tmp_path / 'resnet.pth'))
    return dict(type='ObjectGuidedLocalizer', localizer=toy_localizer, object_model=object_model)


@pytest.fixture
def toy_detr(tmp_path):
    """Config of a DETR's map of two layers and five queries, and the weights that its file holds."""
    resnet = dict(type='ResNet', depth=18, base_channels=4, stem_channels=4, out_indices=(3,))
    layer = dict(self_attn_cfg=ATTENTION, ffn_cfg=FFN)
    model = dict(
        type='DETR',
        num_queries=5,
        backbone=resnet,
        neck=dict(
            type='ChannelMapper', in_channels=[32], kernel_size=1, out_channels=16, act_cfg=None, num_outs=1
        ),
        encoder=dict(num_layers=1, layer_cfg=layer),
        decoder=dict(num_layers=2, layer_cfg=dict(layer, cross_attn_cfg=ATTENTION), return_intermediate=True),
        positional_encoding=dict(num_feats=8, normalize=True),
        bbox_head=dict(type='DETRHead', num_classes=3, embed_dims=16, loss_cls=LOSS),
    )
    torch.manual_seed(4)
    # a copy: mmdet's heads write into their config
    torch.save(MODELS.build(copy.deepcopy(model)).state_dict(), tmp_path / 'detr.pth')
    return dict(type='DETRObjectMap', model=model, checkpoint=str(tmp_path / 'detr.pth'), score_thr=0.3)


def resized(values, shape=(64, 96)):
    full = torch.nn.functional.interpolate(
        values[None, None], size=shape, mode='bilinear', align_corners=True
    )
    return (full[0, 0] - full.min()) / (full.max() - full.min())


def test_map_is_the_weighted_sum_of_normalized_maps(build, guided, toy_detr, toy_inputs):
    for detector, weights in ((None, (0.6, 0.4)), ({**toy_detr, 'score_thr': 0.0}, (1 / 3,) * 3)):
        model = build({**guided, 'detector': detector}).eval()
        with torch.no_grad():
            out = model(toy_inputs, mode='tensor')
            results = model(toy_inputs, mode='predict')
        names = ['localization_maps', 'object_maps', 'detector_maps'][: len(weights)]
        for index, result in enumerate(results):
            expected = sum(w * resized(out[name][index]) for w, name in zip(weights, names))
            torch.testing.assert_close(result.pred_map, expected)


def test_object_map_is_the_mean_of_absolute_features(build, guided, toy_inputs):
    model = build(guided).eval()
    backbone = MODELS.build(guided['object_model']['model'])
    backbone.eval()
    weights = torch.load(guided['object_model']['checkpoint'], weights_only=True)
    backbone.load_state_dict({name: value for name, value in weights.items() if name != 'fc.weight'})
    with torch.no_grad():
        features = backbone(toy_inputs['image'])[0]
        torch.testing.assert_close(model(toy_inputs)['object_maps'], features.abs().sum(1) / 32)


def test_one_checkpoint_serves_with_and_without_guide(build, guided, toy_localizer, toy_inputs):
    model, plain = build(guided).eval(), build(toy_localizer).eval()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.mul_(1.01)
    assert list(model.state_dict()) == list(plain.state_dict())
    model.load_state_dict(plain.state_dict(), strict=True)
    for name, value in model.localizer.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name])
    wrapped = torch.nn.ModuleDict(dict(module=model))  # as averaged and data parallel models hold it
    state = wrapped.state_dict()
    assert all(name.startswith('module.') and 'localizer' not in name for name in state)
    wrapped.load_state_dict(state, strict=True)
    with pytest.raises(RuntimeError, match='extra'):
        model.load_state_dict({**plain.state_dict(), 'extra.weight': torch.zeros(1)})
    guides = {id(parameter) for guide in model.guides.values() for parameter in guide.parameters()}
    assert guides and not guides & {id(parameter) for parameter in model.parameters()}


def test_training_is_the_localizers(build, guided, toy_localizer, toy_inputs):
    guided['object_model']['checkpoint'] = None  # not needed for it
    model, plain = build(guided).train(), build(toy_localizer).train()
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(toy_inputs, mode='loss'), plain(toy_inputs, mode='loss'))
    assert not model.guides['object'].training
    with pytest.raises(ValueError, match='FeatureObjectMap needs the weights of its ResNet'):
        model(toy_inputs, mode='predict')


def test_guides_follow_the_models_precision(build, guided, toy_inputs):
    model = build(guided).double().eval()
    with torch.no_grad():
        results = model({name: value.double() for name, value in toy_inputs.items()}, mode='predict')
    assert results[0].pred_map.dtype == torch.float32


def test_maps_without_contrast_add_nothing():
    assert min_max_normalize(torch.full((2, 3), 5.0)).tolist() == [[0.0] * 3] * 2
    assert min_max_normalize(torch.tensor([[2.0, 4.0, 3.0]])).tolist() == [[0.0, 1.0, 0.5]]


def test_only_confident_queries_count():
    maps = torch.tensor([[[1.0, 3.0], [5.0, 7.0], [100.0, 100.0]]]).repeat(2, 1, 1)
    confidence = torch.tensor([[0.3, 0.9, 0.29], [0.1, 0.0, 0.2]])
    assert confident_mean(maps, confidence, 0.3).tolist() == [[3.0, 5.0], [0.0, 0.0]]


def test_detr_map_is_the_mean_attention_of_its_queries(toy_detr, toy_inputs):
    guide, sure, blind = (MODELS.build({**toy_detr, 'score_thr': value}) for value in (0.3, 0.0, 1.0))
    image = toy_inputs['image']
    # every query spreads an attention of 1 over the 2 x 3 places; so does their mean
    assert sure(image).shape == (4, 2, 3)
    torch.testing.assert_close(sure(image).sum((1, 2)), torch.ones(4))
    assert blind(image).eq(0).all()
    queries = recorded_attention(guide, image)
    with torch.no_grad():
        head = guide.model.bbox_head
        head.fc_cls.weight.zero_()
        head.fc_cls.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 9.0]))  # no object
    assert guide(image).eq(0).all()
    with torch.no_grad():
        head.fc_cls.bias.copy_(torch.tensor([9.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(guide(image).flatten(1), queries.mean(1))


def recorded_attention(guide, image):
    """(B, Q, h w): the last layer's attention, recomputed from its query and key."""
    attention = guide.model.decoder.layers[-1].cross_attn.attn
    calls = []
    hook = attention.register_forward_pre_hook(lambda _, args, kwargs: calls.append(kwargs), with_kwargs=True)
    guide(image)
    hook.remove()
    (call,) = calls
    query, key = (call[name].transpose(0, 1) for name in ('query', 'key'))  # batch first
    with torch.no_grad():
        weight, bias = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
        q = (query @ weight[0].t() + bias[0]).unflatten(2, (2, 8)).transpose(1, 2)
        k = (key @ weight[1].t() + bias[1]).unflatten(2, (2, 8)).transpose(1, 2)
        return (q @ k.transpose(2, 3) / 8**0.5).softmax(-1).mean(1)


def test_misfits_are_named(guided, toy_detr):
    with pytest.raises(ValueError, match=r'need 2 weights >= 0, got \(0.3, 0.3, 0.4\)'):
        MODELS.build({**guided, 'weights': (0.3, 0.3, 0.4)})
    with pytest.raises(ValueError, match='has no submodule'):
        MODELS.build({**toy_detr, 'model': guided['object_model']['model']})
