"""AudioResNet is mmdet's ResNet but for the first convolution's pretrained weights."""

import pytest
import torch
import torchvision
from mmdet.models.backbones import ResNet
from mmdet.registry import MODELS

from mmav.models.backbones import AudioResNet


@pytest.fixture
def imagenet(tmp_path):
    """A checkpoint with torchvision's names, classifier included."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18()
    torch.save(model.state_dict(), tmp_path / 'resnet18.pth')
    return model.eval(), str(tmp_path / 'resnet18.pth')


@pytest.mark.parametrize('in_channels', [1, 3, 8])
def test_pretrained_features_are_torchvisions(imagenet, in_channels):
    model, path = imagenet
    backbone = AudioResNet(
        18, in_channels, out_indices=(3,), init_cfg=dict(type='Pretrained', checkpoint=path)
    )
    backbone.init_weights()
    gray = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    layers = list(model.children())[:-2]
    expected = torch.nn.Sequential(*layers)(gray.repeat(1, 3, 1, 1))
    backbone.eval()
    (result,) = backbone(gray.repeat(1, in_channels, 1, 1))
    torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-3)


def test_three_channels_are_copied(imagenet):
    model, path = imagenet
    backbone = AudioResNet(18, 3, init_cfg=dict(type='Pretrained', checkpoint=path))
    backbone.init_weights()
    assert torch.equal(backbone.conv1.weight, model.conv1.weight)


def test_from_a_detectors_checkpoint(imagenet, tmp_path):
    model, _ = imagenet
    state_dict = {f'backbone.{k}': v for k, v in model.state_dict().items() if not k.startswith('fc.')}
    torch.save(dict(state_dict={**state_dict, 'neck.x': torch.zeros(1)}), tmp_path / 'detector.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'detector.pth'), prefix='backbone')
    backbone = AudioResNet(18, init_cfg=init_cfg)
    backbone.init_weights()
    assert torch.equal(backbone.layer1[0].conv1.weight, model.layer1[0].conv1.weight)
    with pytest.raises(RuntimeError, match='backbone'):
        AudioResNet(18, init_cfg=dict(type='Pretrained', checkpoint=init_cfg['checkpoint'])).init_weights()


def test_another_depth_is_refused(imagenet):
    with pytest.raises(RuntimeError, match='missing'):
        AudioResNet(34, init_cfg=dict(type='Pretrained', checkpoint=imagenet[1])).init_weights()


def test_from_scratch_is_mmdets_resnet():
    torch.manual_seed(0)
    ours = AudioResNet(18)
    ours.init_weights()
    torch.manual_seed(0)
    theirs = ResNet(18, in_channels=8)
    theirs.init_weights()
    assert ours.conv1.in_channels == 8
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values()))


def test_config_is_not_changed():
    init_cfg = dict(type='Pretrained', checkpoint='torchvision://resnet18')
    MODELS.build(dict(type='mmdet.AudioResNet', depth=18, init_cfg=init_cfg))
    assert init_cfg == dict(type='Pretrained', checkpoint='torchvision://resnet18')


def test_an_input_of_stride_two_gives_maps_of_the_same_strides():
    torch.manual_seed(0)
    full, half = AudioResNet(18, 5, stem_kernel=1), AudioResNet(18, 5, stem_kernel=1, input_stride=2)
    full.eval()
    half.eval()
    half.load_state_dict(full.state_dict())
    coarse = torch.randn(2, 5, 32, 48)
    # every second pixel of the image is all that a convolution of one pixel and stride 2 sees
    fine = coarse.repeat_interleave(2, -1).repeat_interleave(2, -2)
    for ours, expected in zip(half(coarse), full(fine), strict=True):
        torch.testing.assert_close(ours, expected)


def test_stems_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match='input_stride'):
        AudioResNet(18, input_stride=3)
    with pytest.raises(ValueError, match='stem_kernel'):
        AudioResNet(18, stem_kernel=4)
    with pytest.raises(ValueError, match='deep_stem'):
        AudioResNet(18, input_stride=2, deep_stem=True)
