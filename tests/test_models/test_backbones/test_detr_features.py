"""DETRFeatures beside what the same detector computes while it detects."""

from copy import deepcopy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.hub import get_config
from mmengine.registry import init_default_scope

WIDTH = 16


@pytest.fixture(scope='module')
def toy_detr():
    """MMDetection's DETR with a narrow ResNet-18, two layers and five queries."""
    init_default_scope('mmdet')
    model = get_config('mmdet::detr/detr_r50_8xb2-150e_coco.py').model
    model.backbone.update(depth=18, base_channels=4, stem_channels=4, init_cfg=None, frozen_stages=-1)
    model.neck.update(in_channels=[32], out_channels=WIDTH)
    model.positional_encoding.num_feats = WIDTH // 2
    model.num_queries = model.test_cfg.max_per_img = 5
    model.bbox_head.update(embed_dims=WIDTH, num_classes=3)
    for part in (model.encoder, model.decoder):
        part.num_layers = 2
        for name, cfg in part.layer_cfg.items():
            cfg.update(embed_dims=WIDTH, **(dict(num_heads=2) if 'attn' in name else {}))
    return model


@pytest.fixture(scope='module')
def checkpoint(toy_detr, tmp_path_factory):
    torch.manual_seed(0)
    detector = MODELS.build(deepcopy(toy_detr))
    detector.init_weights()
    file = tmp_path_factory.mktemp('detr') / 'detr.pth'
    torch.save(dict(state_dict=detector.state_dict(), meta=dict(epoch=1)), file)
    return str(file)


def build(toy_detr, **kwargs):
    model = MODELS.build(dict(type='DETRFeatures', model=toy_detr, **kwargs))
    model.init_weights()
    return model.eval()


@pytest.mark.parametrize('source', ['backbone', 'encoder', 'decoder'])
def test_features_are_those_of_detection(toy_detr, checkpoint, source):
    model = build(toy_detr, source=source, checkpoint=checkpoint)
    image = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = model(image)

        detector = MODELS.build(deepcopy(toy_detr)).eval()
        detector.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
        seen = {}
        parts = dict(backbone=detector.backbone, encoder=detector.encoder, decoder=detector.decoder)
        parts['attention'] = detector.decoder.layers[1].cross_attn.attn
        for name, part in parts.items():
            part.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
        meta = dict(img_shape=(96, 64), batch_input_shape=(96, 64), ori_shape=(96, 64), scale_factor=(1, 1))
        detector.predict(image, [DetDataSample(metainfo=meta) for _ in image])

    assert features.shape == (2, 32 if source == 'backbone' else WIDTH, 3, 2)
    for b in range(2):
        for y in range(3):
            for x in range(2):
                if source == 'backbone':
                    expected = seen['backbone'][-1][b, :, y, x]
                elif source == 'encoder':
                    expected = seen['encoder'][b, 2 * y + x]
                else:
                    weights = seen['attention'][1][b, :, 2 * y + x]
                    rows = [weight * row for weight, row in zip(weights, seen['decoder'][-1][b])]
                    expected = sum(rows) / weights.sum()
                torch.testing.assert_close(features[b, :, y, x], expected)
    assert (features[0] - features[1]).abs().max() > 1e-3 * features.abs().max()


def test_weights_that_do_not_fit_are_refused(toy_detr, checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    del content['state_dict']['encoder.layers.0.norms.0.bias']
    torch.save(content, tmp_path / 'part.pth')
    with pytest.raises(RuntimeError, match=r'(?s)part\.pth.*missing: encoder\.layers\.0\.norms\.0\.bias'):
        build(toy_detr, checkpoint=str(tmp_path / 'part.pth'))


def test_pretrained_parts_are_not_read_when_a_checkpoint_is(toy_detr, checkpoint):
    """The config's ImageNet weights would be downloaded in vain."""
    missing = deepcopy(toy_detr)
    missing.backbone.init_cfg = dict(type='Pretrained', checkpoint='nowhere/resnet.pth')
    model = build(missing, checkpoint=checkpoint)
    saved = torch.load(checkpoint, weights_only=True)['state_dict']
    assert torch.equal(model.detector.backbone.conv1.weight, saved['backbone.conv1.weight'])


def test_mmdetections_detr_is_the_default():
    model = MODELS.build(dict(type='DETRFeatures'))
    assert round(sum(p.numel() for p in model.detector.parameters()) / 1e6, 1) == 41.6
    assert model.image_preprocessor.mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])


def test_what_has_no_such_features_is_named(toy_detr):
    with pytest.raises(ValueError, match=r"source must be one of .*'encoder'.*got 'neck'"):
        build(toy_detr, source='neck')
    with pytest.raises(ValueError, match='model or config'):
        build(toy_detr, config='detr.py')
    stock = get_config('mmdet::atss/atss_r18_fpn_8xb8-amp-lsj-200e_coco.py').model
    with pytest.raises(ValueError, match="source='encoder' needs a DETR, got ATSS"):
        MODELS.build(dict(type='DETRFeatures', model=stock, source='encoder'))
