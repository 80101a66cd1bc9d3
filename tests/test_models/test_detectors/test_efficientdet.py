"""EfficientDet-D2: the authors' outputs from their names of parameters, and a training that learns."""

import numpy as np
import pytest
import torch
from golden import GOLDEN, golden_input, golden_state_dict
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmpretrain.models.backbones import EfficientNet
from tiny_mavd import CROP, TinyMAVD

from mmav.datasets import MAVDDataset
from mmav.utils import convert_official_state_dict

CONFIG = 'mm_distillnet/efficientdet_d2_mavd_audio.py'


@pytest.fixture(scope='module')
def published():
    """The stored outputs of the authors' network."""
    with np.load(GOLDEN / 'efficientdet_d2.npz') as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.fixture(scope='module')
def detector(published):
    """The shipped config, untouched but for the authors' 20 classes, with their parameters."""
    cfg = Config.fromfile(GOLDEN.parents[2] / 'configs' / CONFIG)
    cfg.model.init_cfg = None
    cfg.model.bbox_head.num_classes = 20
    init_default_scope('mmdet')
    detector = MODELS.build(cfg.model).double().eval()
    seed = int(published['seed'])
    official = golden_state_dict('efficientdet_d2_audio', seed)
    detector.load_state_dict(convert_official_state_dict('efficientdet_d2_audio', official), strict=True)
    return detector


@pytest.fixture(scope='module')
def outputs(detector, published):
    """What ours gives: backbone, neck, head by anchor."""
    x = golden_input('spectrogram', (1, 8, 256, 256), 'rand', int(published['seed']))
    with torch.no_grad():
        features = detector.backbone(x)
        levels = detector.neck(features)
        scores, deltas = detector.bbox_head(levels)
    flat = [
        torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in group])
        for group, channels in ((scores, 20), (deltas, 4))
    ]
    return features, levels, flat[0].sigmoid(), flat[1]


def assert_golden(ours, expected):
    scale = float(expected.abs().max())
    torch.testing.assert_close(ours, expected.double(), rtol=1e-5, atol=1e-7 * scale)


def test_backbone_and_neck_are_the_authors(outputs, published):
    features, levels, _, _ = outputs
    for level, name in zip(features, ('p3', 'p4', 'p5')):
        assert_golden(level, published[name])
    for level, name in zip(levels[2:], ('bifpn_p5', 'bifpn_p6', 'bifpn_p7')):
        assert_golden(level, published[name])


def test_scores_deltas_and_anchors_are_the_authors(detector, outputs, published):
    _, levels, scores, deltas = outputs
    swap = [1, 0, 3, 2]  # theirs have y before x, height before width
    assert_golden(scores[-108:], published['cls_prob_last'])
    assert_golden(deltas[-108:, swap], published['reg_last'])
    sizes = [level.shape[-2:] for level in levels]
    anchors = torch.cat(detector.bbox_head.prior_generator.grid_priors(sizes, device='cpu'))
    assert len(anchors) == len(scores) == published['num_anchors']
    torch.testing.assert_close(anchors[-108:, swap], published['anchors_yxyx_last'], rtol=1e-5, atol=1e-4)


def test_training_on_one_batch_learns_its_boxes(toy_config, build_detector, toy_batch):
    cfg = toy_config(CONFIG)
    detector = build_detector(cfg).train()
    wrapper = OptimWrapper(torch.optim.Adam(detector.parameters(), lr=3e-3))
    batch = toy_batch(('audio',))
    losses = [detector.train_step(batch, wrapper)['loss'].item() for _ in range(14)]
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])


@pytest.mark.parametrize('modality', ['audio', 'thermal'])
def test_letterboxed_boxes_come_back_to_the_camera_image(
    modality, tmp_path, toy_config, build_detector, monkeypatch
):
    data = TinyMAVD(tmp_path)
    for _ in range(2):
        data.add_frame()
    data.finish()
    cfg = toy_config(f'mm_distillnet/efficientdet_d2_mavd_{modality}.py')
    options = dict(ResizeModalities=dict(scale=(64, 64)), LoadVisualModalities=dict(crop=CROP))
    pipelines = [
        [{**step, **options.get(step.type, {})} for step in pipeline]
        for pipeline in (cfg.train_pipeline, cfg.test_pipeline)
    ]
    detector = build_detector(cfg)
    files = dict(ann_file='annotations/train.json', data_root=str(tmp_path), crop=CROP)
    train, test = (MAVDDataset(**files, pipeline=pipeline) for pipeline in pipelines)
    batch = pseudo_collate([train[0], train[1]])
    # the box 30, 20, 40 x 30 of 152 x 65 pixels, in 64 x 27 (65 * 64 / 152 = 27.4)
    box = torch.tensor([[30 * 64 / 152, 20 * 27 / 65, 70 * 64 / 152, 50 * 27 / 65]])
    torch.testing.assert_close(batch['data_samples'][0].gt_instances.bboxes.tensor, box)
    losses = detector.train().train_step(batch, OptimWrapper(torch.optim.SGD(detector.parameters(), lr=1e-3)))
    assert all(value.isfinite() for value in losses.values())

    scores = [torch.full((1, 9, n, n), -9.0) for n in (16, 8, 4, 2, 1)]  # padded to 128 x 128
    scores[0][0, 0, 1, 3] = 9.0  # row 1, column 3: center (28, 12); the first anchor is 32 x 32
    deltas = [torch.zeros(1, 36, n, n) for n in (16, 8, 4, 2, 1)]
    monkeypatch.setattr(detector.bbox_head, 'forward', lambda levels: (scores, deltas))
    (result,) = detector.eval().test_step(pseudo_collate([test[0]]))
    expected = torch.tensor([[12 * 152 / 64, 0, 44 * 152 / 64, 65]])  # cut at the image's lower edge
    torch.testing.assert_close(result.pred_instances.bboxes, expected)


def test_starts_from_a_classifier_of_mmpretrain(tmp_path, toy_config, build_detector):
    classifier = EfficientNet('b0')
    torch.nn.init.normal_(classifier.layers[5][0].linear_conv.conv.weight)
    state_dict = {f'backbone.{name}': value for name, value in classifier.state_dict().items()}
    torch.save(dict(state_dict={**state_dict, 'head.fc.bias': torch.zeros(1000)}), tmp_path / 'b0.pth')
    cfg = toy_config(CONFIG)
    cfg.model.init_cfg = Config.fromfile(GOLDEN.parents[2] / 'configs' / CONFIG).model.init_cfg
    cfg.model.init_cfg.checkpoint = str(tmp_path / 'b0.pth')

    backbone = build_detector(cfg).backbone

    theirs, ours = classifier.layers[0].conv.weight, backbone.layers[0].conv.weight
    torch.testing.assert_close(ours, theirs.mean(1, keepdim=True).expand(-1, 8, -1, -1) * 3 / 8)
    del state_dict['backbone.layers.0.conv.weight']
    for name, value in backbone.state_dict().items():
        if name != 'layers.0.conv.weight':
            assert torch.equal(value, state_dict[f'backbone.{name}'])


def test_half_precision_trains(toy_config, build_detector, toy_batch):
    detector = build_detector(toy_config(CONFIG)).train()
    data = detector.data_preprocessor(toy_batch(('audio',)), True)
    with torch.autocast('cpu', torch.bfloat16):
        losses = detector(**data, mode='loss')
    total = sum(sum(values) for values in losses.values())
    total.backward()
    assert total.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in detector.parameters())
