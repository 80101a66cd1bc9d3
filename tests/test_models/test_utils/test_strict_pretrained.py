"""Warm starts: which parameters come from where, and what is refused."""

from pathlib import Path

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmengine.config import Config

from mmav.models.utils.strict_pretrained import StrictPretrained, adapt_in_channels

pytestmark = pytest.mark.stack

CONFIGS = Path(__file__).parents[3] / 'configs'
RGB_PARTS = {
    'visual_streams.rgb.backbone': 'backbone',
    'visual_streams.rgb.neck': 'neck',
    'roi_head.visual_bbox_head': 'roi_head.bbox_head',
}
AUDIO_PARTS = {name: name for name in ('backbone', 'neck', 'rpn_head', 'roi_head.bbox_head')}


@pytest.mark.parametrize('in_channels', [1, 3, 8])
def test_adapted_convolution_answers_equal_channels_alike(in_channels):
    weight = torch.randn(4, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    image = torch.randn(2, 1, 16, 16)
    adapted = adapt_in_channels(weight, in_channels)
    expected = torch.nn.functional.conv2d(image.repeat(1, 3, 1, 1), weight)
    result = torch.nn.functional.conv2d(image.repeat(1, in_channels, 1, 1), adapted)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)
    if in_channels == 8:  # mean over RGB, repeated, times 3/8
        torch.testing.assert_close(adapted[:, 5], weight.mean(1) * 3 / 8)


def save_detector(name, path, toy_config, build_detector, seed):
    detector = build_detector(toy_config(f'avd/{name}.py'), seed=seed)
    torch.save(dict(state_dict=detector.state_dict()), path)
    return detector.state_dict()


def test_detector_starts_from_an_audio_and_an_rgb_checkpoint(tmp_path, toy_config, build_detector):
    paths = [str(tmp_path / name) for name in ('audio.pth', 'rgb.pth')]
    audio = save_detector('faster_rcnn_r18_sim_audio', paths[0], toy_config, build_detector, seed=1)
    rgb = save_detector('faster_rcnn_r18_sim_rgb', paths[1], toy_config, build_detector, seed=2)
    cfg = toy_config('avd/av_faster_rcnn_r18_sim.py')
    cfg.model.init_cfg = [
        dict(type='StrictPretrained', checkpoint=paths[0], submodules=AUDIO_PARTS),
        dict(type='StrictPretrained', checkpoint=paths[1], submodules=RGB_PARTS),
    ]
    started = build_detector(cfg, seed=3).state_dict()

    for parts, source in ((AUDIO_PARTS, audio), (RGB_PARTS, rgb)):
        for ours, theirs in parts.items():
            names = [name for name in source if name.startswith(f'{theirs}.')]
            assert names
            for name in names:
                assert torch.equal(started[ours + name[len(theirs) :]], source[name])
    # what no checkpoint gives is initialized as ever: G as the weighted sum
    assert torch.equal(started['roi_head.fusion.conv.weight'][:, :, 0, 0], torch.eye(16).repeat(1, 2))


@pytest.mark.parametrize('in_channels', ['adapt', 'new', 'strict'])
def test_audio_backbone_from_an_rgb_detector(in_channels, tmp_path, toy_config, build_detector):
    path = str(tmp_path / 'rgb.pth')
    rgb = save_detector('faster_rcnn_r18_sim_rgb', path, toy_config, build_detector, seed=1)
    cfg = toy_config('avd/faster_rcnn_r18_sim_audio.py')
    cfg.model.backbone.init_cfg = dict(
        type='StrictPretrained', checkpoint=path, prefix='backbone', in_channels=in_channels
    )
    if in_channels == 'strict':
        with pytest.raises(RuntimeError, match=r'conv1\.weight \(8, 3, 7, 7\) for \(8, 8, 7, 7\)'):
            build_detector(cfg)
        return
    started = build_detector(cfg).state_dict()
    copied = [name for name in rgb if name.startswith('backbone.') and name != 'backbone.conv1.weight']
    assert all(torch.equal(started[name], rgb[name]) for name in copied)
    expected = adapt_in_channels(rgb['backbone.conv1.weight'], 8)
    assert torch.equal(started['backbone.conv1.weight'], expected) == (in_channels == 'adapt')


def test_pattern_reaches_every_visual_stream(tmp_path, toy_config, build_detector):
    path = str(tmp_path / 'imagenet.pth')
    pretrained = ResNet(50, base_channels=8, stem_channels=8).state_dict()
    torch.save({**pretrained, 'fc.weight': torch.zeros(1000, 9), 'fc.bias': torch.zeros(1000)}, path)
    cfg = toy_config('avd/faster_rcnn_r50_fpn_mavd_rtd.py')
    cfg.model.init_cfg = dict(
        type='StrictPretrained',
        checkpoint=path,
        submodules={'backbone': '', 'visual_streams.*.backbone': ''},
        in_channels='adapt',
    )
    started = build_detector(cfg).state_dict()
    backbones = ['backbone'] + [f'visual_streams.{name}.backbone' for name in ('rgb', 'thermal', 'depth')]
    for backbone, channels in zip(backbones, (8, 3, 1, 3)):
        assert torch.equal(started[f'{backbone}.layer4.0.conv1.weight'], pretrained['layer4.0.conv1.weight'])
        expected = adapt_in_channels(pretrained['conv1.weight'], channels)
        assert torch.equal(started[f'{backbone}.conv1.weight'], expected)


def test_shipped_config_starts_all_backbones_from_imagenet():
    init_cfg = Config.fromfile(CONFIGS / 'avd/faster_rcnn_r50_fpn_mavd_rtd.py').model.init_cfg
    assert init_cfg.checkpoint == 'torchvision://resnet50' and init_cfg.in_channels == 'adapt'
    assert set(init_cfg.submodules) == {'backbone', 'visual_streams.*.backbone'}


def test_refuses_what_does_not_fit(tmp_path):
    path = str(tmp_path / 'x.pth')
    torch.save(ResNet(18).state_dict(), path)
    with pytest.raises(AttributeError, match='neck'):
        StrictPretrained(path, submodules={'neck': ''})(ResNet(18))
    with pytest.raises(RuntimeError, match='missing'):
        StrictPretrained(path)(ResNet(34))
    with pytest.raises(RuntimeError, match='unexpected'):
        StrictPretrained(path)(
            ResNet(18, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))
        )
    with pytest.raises(ValueError, match='in_channels'):
        StrictPretrained(path, in_channels='maybe')
    with pytest.raises(ValueError, match='prefix or submodules'):
        StrictPretrained(path, prefix='a', submodules={'b': 'c'})


def test_a_checkpoint_that_the_user_must_name(build_detector):
    cfg = Config.fromfile(CONFIGS / 'mm_distillnet/distillnet_r18_sim.py')
    cfg.model.init_cfg = dict(
        type='StrictPretrained', checkpoint=None, submodules={'student.backbone': 'backbone'}
    )
    with pytest.raises(ValueError, match=r'student\.backbone.*model\.init_cfg\.checkpoint=FILE'):
        build_detector(cfg)
