"""AudioEfficientNet is mmdet's and mmpretrain's EfficientNet, for any number of input channels."""

import pytest
import torch
from mmdet.models.backbones import EfficientNet
from mmpretrain.models.backbones import EfficientNet as PretrainEfficientNet

from mmav.models.backbones import AudioEfficientNet


@pytest.fixture(scope='module')
def imagenet(tmp_path_factory):
    """A checkpoint as mmpretrain's classifiers have it."""
    torch.manual_seed(0)
    backbone = PretrainEfficientNet('b0', out_indices=(3, 4, 5))
    backbone.init_weights()
    backbone.eval()
    state_dict = {f'backbone.{name}': value for name, value in backbone.state_dict().items()}
    path = tmp_path_factory.mktemp('imagenet') / 'b0.pth'
    torch.save(dict(state_dict={**state_dict, 'head.fc.bias': torch.zeros(1000)}, meta={}), path)
    return backbone, str(path)


def pretrained(path, **kwargs):
    init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone')
    backbone = AudioEfficientNet('b0', out_indices=(3, 4, 5), init_cfg=init_cfg, **kwargs)
    backbone.init_weights()
    return backbone.eval()


@pytest.mark.parametrize(('in_channels', 'size'), [(1, (64, 64)), (3, (32, 64)), (8, (75, 50))])
def test_pretrained_features_are_mmpretrains(imagenet, in_channels, size):
    model, path = imagenet
    backbone = pretrained(path, in_channels=in_channels)
    gray = torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(gray.repeat(1, 3, 1, 1))
        result = backbone(gray.repeat(1, in_channels, 1, 1))
    assert len(result) == 3
    for ours, theirs in zip(result, expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_another_architecture_is_refused(imagenet):
    init_cfg = dict(type='Pretrained', checkpoint=imagenet[1], prefix='backbone')
    with pytest.raises(RuntimeError, match='missing'):
        AudioEfficientNet('b2', out_indices=(3, 4, 5), init_cfg=init_cfg).init_weights()


def test_b2_from_scratch_is_mmdets_with_another_stem():
    ours = AudioEfficientNet(out_indices=(3, 4, 5)).state_dict()
    mmdets = EfficientNet('b2', out_indices=(3, 4, 5)).state_dict()
    assert ours['layers.0.conv.weight'].shape == (32, 8, 3, 3)
    del ours['layers.0.conv.weight'], mmdets['layers.0.conv.weight']
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in mmdets.items()
    }


def test_frozen_stages_stay_in_eval_mode():
    backbone = AudioEfficientNet('b0', out_indices=(3, 4, 5), frozen_stages=2).train()
    assert not backbone.layers[1].training and backbone.layers[2].training
    assert not any(parameter.requires_grad for parameter in backbone.layers[1].parameters())


def test_an_input_of_stride_two_gives_maps_of_the_same_strides():
    torch.manual_seed(0)
    half = AudioEfficientNet('b0', 5, out_indices=(3, 4, 5), input_stride=2).eval()
    full = AudioEfficientNet('b0', 5, out_indices=(3, 4, 5)).eval()
    with torch.no_grad():
        shapes = [level.shape for level in half(torch.randn(1, 5, 32, 48))]
        assert shapes == [level.shape for level in full(torch.randn(1, 5, 64, 96))]
    with pytest.raises(ValueError, match='input_stride'):
        AudioEfficientNet('b0', input_stride=4)
