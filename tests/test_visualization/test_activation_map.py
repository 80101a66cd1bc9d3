"""Maps beside the library's own, finite differences, and a network that looks at a known place."""

import copy
import importlib

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pytorch_grad_cam import GradCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget, FasterRCNNBoxScoreTarget
from torch import nn

from mmav.visualization.activation_map import (
    ActivationMap,
    BatchedScoreCAM,
    DetectorGradCAM,
    TappedDetector,
    activation_map,
    to_camera_image,
    undetached,
)

nms = importlib.import_module('mmcv.ops.nms')  # the package has a function of that name
RED, GREEN = (44, 20), (12, 52)  # rows and columns of two bright spots


class RedDetector(nn.Module):
    """Finds one box wherever the image is red; green it sees and does not mind."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(8)
        self.weight = nn.Parameter(torch.tensor([8.0, 0.0, 0.0]))

    def predict(self, inputs, samples, rescale):
        assert rescale is False
        heights = (self.pool(inputs).amax((2, 3)) * self.weight).sum(1)
        for sample, score in zip(samples, torch.sigmoid(heights - 4)):
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([[10.0, 30.0, 30.0, 50.0]]), scores=score[None], labels=torch.tensor([0])
            )
        return samples


def two_spots() -> torch.Tensor:
    image = torch.zeros(1, 3, 64, 64)
    for channel, (row, column) in enumerate((RED, GREEN)):
        image[0, channel, row - 4 : row + 4, column - 4 : column + 4] = 1
    return image


@pytest.mark.parametrize('method', ['score_cam', 'grad_cam'])
def test_the_map_is_highest_where_the_network_looks(method):
    found = activation_map(RedDetector(), two_spots(), DetDataSample(), method, 'pool')
    assert found.values.shape == (64, 64) and found.values.min() >= 0 and found.values.max() <= 1
    row, column = np.unravel_index(found.values.argmax(), found.values.shape)
    assert abs(row - RED[0]) <= 4 and abs(column - RED[1]) <= 4
    # Grad-CAM gives the other spot nothing; Score-CAM less, for its softmax is never 0
    assert found.values[GREEN] < (0.01 if method == 'grad_cam' else 0.7) * found.values[RED]
    assert found.bboxes.tolist() == [[10, 30, 30, 50]] and found.labels.tolist() == [0]


def test_no_confident_box_no_map():
    found = activation_map(RedDetector(), torch.zeros(1, 3, 64, 64), DetDataSample(), layer='pool')
    assert not found.values.any() and len(found.bboxes) == len(found.scores) == 0


def test_frozen_networks_have_gradients_too():
    detector = RedDetector().requires_grad_(False)
    free = activation_map(RedDetector(), two_spots(), DetDataSample(), 'grad_cam', 'pool').values
    frozen = activation_map(detector, two_spots(), DetDataSample(), 'grad_cam', 'pool').values
    np.testing.assert_array_equal(frozen, free)


@pytest.mark.parametrize('batch_size', [1, 4, 100])
def test_score_cam_is_the_librarys(batch_size):
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 10, 3, stride=2)
    network = nn.Sequential(
        nn.Conv2d(2, 8, 3),
        nn.ReLU(),
        layer,
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(40, 3),
    )
    images = torch.rand(2, 2, 30, 41)
    targets = [ClassifierOutputTarget(2), ClassifierOutputTarget(0)]
    with ScoreCAM(network, [layer]) as theirs:
        expected = theirs(images, targets)
    with BatchedScoreCAM(network, [layer], batch_size) as ours:
        result = ours(images, targets)
        assert len(ours.activations_and_grads.activations) == 1
    assert expected.std() > 0.05
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.fixture
def detector_and_input(toy_config, build_detector):
    """A shipped two-stage or one-stage detector, shrunk, with weights at random and boxes to find."""

    def make(kind: str):
        if kind == 'EfficientDet':
            options = {'model.test_cfg.score_thr': 0.0, 'model.test_cfg.max_per_img': 20}
            cfg = toy_config('mm_distillnet/efficientdet_d2_mavd_rgb.py', options)
        else:
            cfg = toy_config('avd/faster_rcnn_r18_sim_rgb.py', {'model.test_cfg.rcnn.score_thr': 0.0})
        if kind == 'RetinaNet':
            model = cfg.model
            for part in ('rpn_head', 'roi_head', 'train_cfg'):
                model.pop(part)
            anchors = dict(type='AnchorGenerator', scales=[1.5], ratios=[1.0], strides=[8, 16, 32, 64])
            model.update(
                type='RetinaNet',
                bbox_head=dict(
                    type='RetinaHead',
                    num_classes=1,
                    in_channels=16,
                    feat_channels=16,
                    stacked_convs=1,
                    anchor_generator=anchors,
                    bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
                ),
                test_cfg=dict(
                    nms_pre=100,
                    min_bbox_size=0,
                    score_thr=0.0,
                    nms=dict(type='nms', iou_threshold=0.5),
                    max_per_img=20,
                ),
            )
        detector = build_detector(cfg).double().eval()
        torch.manual_seed(1)
        for name, parameter in detector.named_parameters():
            if name.endswith('_head.fc_cls.weight') or 'retina_cls' in name or 'rpn_cls' in name:
                nn.init.normal_(parameter, std=0.1)
        size = 128 if kind == 'EfficientDet' else 64
        if kind == 'EfficientDet':  # whose untrained layers pass hardly anything on
            for module in detector.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = 1.0
            detector.train()
            detector.bbox_head(detector.extract_feat(torch.randn(8, 3, size, size, dtype=torch.float64)))
            detector.eval()
        sample = DetDataSample(metainfo=dict(img_shape=(size, size), batch_input_shape=(size, size)))
        return detector, torch.randn(1, 3, size, size, dtype=torch.float64), sample

    return make


@pytest.fixture
def nms_of_doubles(monkeypatch):
    """mmcv's non-maximum suppression for double precision, which finite differences need."""
    kernel = nms.ext_module.nms
    monkeypatch.setattr(nms.ext_module, 'nms', lambda b, s, **k: kernel(b.float(), s.float(), **k))


@pytest.mark.usefixtures('nms_of_doubles')
@pytest.mark.parametrize('kind', ['FasterRCNN', 'RetinaNet', 'EfficientDet'])
def test_predictions_of_mmdet_keep_true_gradients(kind, detector_and_input):
    """The gradient that Grad-CAM averages is how the target changes when a channel is lifted everywhere."""
    detector, inputs, sample = detector_and_input(kind)
    if kind == 'FasterRCNN':  # whose proposals are taken as given
        features = detector.extract_feat(inputs)
        proposals = detector.rpn_head.predict(features, [sample], rescale=False)
        detector.rpn_head.predict = lambda *args, **kwargs: copy.deepcopy(proposals)
    with TappedDetector(detector, 'backbone:-1', sample.metainfo) as model, undetached(detector):
        best = model(inputs)[0]
        keep = best['scores'].topk(3).indices
        target = FasterRCNNBoxScoreTarget(best['labels'][keep], best['boxes'][keep].detach())
        with DetectorGradCAM(model, [model.tap]) as cam:
            cam(inputs, [target])
            (grads,) = cam.activations_and_grads.gradients
            weights = cam.get_cam_weights(inputs, None, None, None, grads.numpy())[0]
        gradient = weights * grads[0, 0].numel()

        lift = torch.zeros(1, grads.shape[1], 1, 1, dtype=torch.float64)
        model.tap.register_forward_hook(lambda module, args, output: output + lift)
        assert np.abs(gradient).max() > 1e-4
        for channel in np.abs(gradient).argsort()[-12:]:
            values = []
            for lifted in (1e-6, -1e-6):
                lift[0, channel] = lifted
                with torch.no_grad():
                    values.append(target(model(inputs)[0]).item())
            lift[0, channel] = 0
            np.testing.assert_allclose(gradient[channel], (values[0] - values[1]) / 2e-6, rtol=1e-4)


@pytest.mark.parametrize('kind', ['FasterRCNN', 'RetinaNet'])
@pytest.mark.parametrize(('cam', 'method'), [(GradCAM, 'grad_cam'), (ScoreCAM, 'score_cam')])
def test_an_element_of_a_tuple_is_seen_as_a_module_would_be(kind, cam, method, detector_and_input):
    """The first level of an FPN is its first convolution's output: there the library can look itself."""
    detector, inputs, sample = detector_and_input(kind)
    detector, inputs = detector.float(), inputs.float()
    found = activation_map(detector, inputs, sample, method, 'neck:0', score_thr=0.02)
    assert len(found.bboxes) > 0 and found.values.std() > 0.01
    target = FasterRCNNBoxScoreTarget(found.labels, found.bboxes)
    with TappedDetector(detector, 'neck:0', sample.metainfo) as model, undetached(detector):
        with cam(model, [detector.neck.fpn_convs[0].conv]) as library:
            expected = library(inputs, [target])[0]
    np.testing.assert_allclose(found.values, expected, atol=1e-4)


def test_without_undetached_a_one_stage_detector_has_no_gradient(detector_and_input):
    detector, inputs, sample = detector_and_input('RetinaNet')
    with TappedDetector(detector.float(), 'backbone:-1', sample.metainfo) as model:
        with pytest.raises(ValueError, match='have no gradients: use Score-CAM'):
            model(inputs.float().requires_grad_())


def test_a_layer_that_no_box_depends_on_gives_an_empty_map(detector_and_input):
    """All boxes of so small an image are cut from P3: the RPN reads P5, but no gradient comes from there."""
    detector, inputs, sample = detector_and_input('FasterRCNN')
    found = activation_map(detector.float(), inputs.float(), sample, 'grad_cam', 'neck:2', score_thr=0.02)
    assert len(found.bboxes) > 0 and not found.values.any()


@pytest.mark.parametrize(
    ('layer', 'message'),
    [
        ('nek:2', "no layer 'nek:2'"),
        ('neck:two', "no layer 'neck:two'"),
        ('neck:9', 'the layer has 4 outputs'),
        ('neck', "gives no map .* is named 'neck:<number>'"),
        ('rpn_head.rpn_conv', 'runs several times'),
        ('rpn_head.loss_cls', 'has no part in the prediction'),
    ],
)
def test_unfit_layers_are_named(layer, message, detector_and_input):
    detector, inputs, sample = detector_and_input('FasterRCNN')
    with pytest.raises(ValueError, match=message):
        activation_map(detector.float(), inputs.float(), sample, layer=layer)
    assert not any(module._forward_hooks for module in detector.modules())


def test_bad_method_and_batches():
    with pytest.raises(ValueError, match='method must be one of'):
        activation_map(RedDetector(), two_spots(), DetDataSample(), 'cam', 'pool')
    with pytest.raises(ValueError, match='one input'):
        activation_map(RedDetector(), two_spots().repeat(2, 1, 1, 1), DetDataSample(), layer='pool')


def test_letterboxed_maps_go_back_to_their_place():
    """A spot in the letterboxed input lies at spot / scale_factor in the image; the padding is cut off."""
    sample = DetDataSample(metainfo=dict(img_shape=(30, 64), ori_shape=(60, 128), scale_factor=(0.5, 0.5)))
    values = np.zeros((64, 64), np.float32)
    values[10, 40] = 1
    values[50, 5] = 1  # padding
    found = ActivationMap(values, torch.tensor([[40.0, 10.0, 41.0, 11.0]]), torch.ones(1), torch.zeros(1))
    result = to_camera_image(found, sample)
    assert result.values.shape == (60, 128)
    assert result.bboxes.tolist() == [[80, 20, 82, 22]]
    rows, columns = np.nonzero(result.values)
    assert 18 <= rows.min() and rows.max() <= 23 and 78 <= columns.min() and columns.max() <= 83
