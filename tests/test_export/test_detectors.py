"""The exportable way from a network's input to boxes against mmdet's ``predict``, and as an ONNX file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmav.export.detectors import exportable_boxes, hearing_detector
from mmav.export.errors import ExportError
from mmav.export.onnx_file import onnx_bytes, run_onnx
from mmav.export.parity import BoxDifferences

pytestmark = pytest.mark.stack

CONFIGS = Path(__file__).parents[2] / 'configs'
KEYS = ('bboxes', 'scores', 'labels')

# config, side of the network's input, changes
CASES = {
    'small': ('avd/faster_rcnn_r18_sim_acoustic.py', 96, {}),
    'AVD': ('avd/av_faster_rcnn_r18_sim.py', 96, {}),
    'agnostic': ('avd/faster_rcnn_r18_sim_audio.py', 96, {'roi_head.bbox_head.reg_class_agnostic': True}),
    'three classes': ('avd/faster_rcnn_r18_sim_audio.py', 96, {'roi_head.bbox_head.num_classes': 3}),
    'R-50': ('avd/faster_rcnn_r50_fpn_mavd.py', 128, {}),
    'EfficientDet-D2': (
        'mm_distillnet/efficientdet_d2_mavd_audio.py',
        128,
        {'bbox_head.num_classes': 4},
    ),
}


def build(config: str, changes: dict) -> nn.Module:
    """A network of random weights whose scores differ from box to box."""
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIGS / config)
    cfg.merge_from_dict({f'model.{key}': value for key, value in {'init_cfg': None, **changes}.items()})
    if cfg.model.get('backbone', {}).get('init_cfg') is not None:
        cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    detector = MODELS.build(cfg.model).eval()
    for name, parameter in detector.named_parameters():
        if name.endswith(('rpn_cls.weight', 'fc_cls.weight')):
            parameter.data.mul_(10)
    return detector


class Network(nn.Module):
    """From the network's input to boxes."""

    def __init__(self, model: nn.Module, inputs: torch.Tensor, side: int, scale: tuple[float, float]) -> None:
        super().__init__()
        self.detector = hearing_detector(model)
        levels = self.detector.neck(self.detector.backbone(inputs))
        sizes = [tuple(map(int, level.shape[-2:])) for level in levels]
        self.boxes = exportable_boxes(model, sizes, (side - 4, side - 9), scale)  # the rest is padding

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.boxes(self.detector.neck(self.detector.backbone(inputs)))


def rows(outputs) -> list[dict[str, np.ndarray]]:
    """Boxes of each image, without what is no box."""
    boxes, scores, labels = map(np.asarray, outputs)
    return [
        dict(bboxes=box[score >= 0], scores=score[score >= 0], labels=label[score >= 0])
        for box, score, label in zip(boxes, scores, labels)
    ]


def normalize(network: nn.Module, inputs: torch.Tensor) -> None:
    """Fit what random features of EfficientDet need so as not to die away, nor to saturate the scores."""
    if not hasattr(network, 'bbox_head'):
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train().momentum = 1.0
    head = network.bbox_head
    outputs = head(network.neck(network.backbone(inputs)))
    for levels, layer, wanted in zip(outputs, (head.conv_cls, head.conv_reg), (1.5, 0.1)):
        layer.pointwise.weight.mul_(wanted / torch.cat([level.flatten() for level in levels]).std())
    head.conv_cls.pointwise.bias.fill_(-5.0)  # fewer boxes than may be at most
    network.eval()


@pytest.mark.parametrize('case', CASES)
def test_gives_the_boxes_of_predict(case):
    config, side, changes = CASES[case]
    model = build(config, changes)
    scale = (side / 608, side / 260)
    channels = hearing_detector(model).backbone.state_dict()
    channels = next(iter(channels.values())).shape[1]
    stride = getattr(model.data_preprocessor, 'acoustic_stride', 1)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(3, channels, side // stride, side // stride, generator=generator)
    with torch.no_grad():
        normalize(hearing_detector(model), inputs)
        network = Network(model, inputs, side, scale)
        metainfo = dict(
            img_shape=(side - 4, side - 9),
            ori_shape=(260, 608),
            scale_factor=scale,
            batch_input_shape=(side, side),
        )
        predictions = hearing_detector(model).predict(
            inputs, [DetDataSample(metainfo=metainfo) for _ in inputs]
        )
        found = rows(network(inputs))
    differences = BoxDifferences()
    for sample, boxes in zip(predictions, found, strict=True):
        expected = sample.pred_instances
        differences.add({key: expected[key].numpy() for key in KEYS}, boxes)
    assert differences.boxes > 20 and differences.unpaired == 0, differences
    assert differences.pixels < 0.01 and differences.score < 1e-5, differences

    content = onnx_bytes(network, dict(inputs=inputs), KEYS)
    for some in (inputs, inputs[1:2]):  # the number of images is free
        outputs = run_onnx(content, dict(inputs=some.numpy()))
        differences = BoxDifferences()
        for expected, boxes in zip(found[1:2] if len(some) == 1 else found, rows(outputs), strict=True):
            differences.add(expected, boxes)
        assert differences.unpaired == 0 and differences.pixels < 0.1 and differences.score < 1e-4, (
            differences
        )


@pytest.mark.parametrize(
    ('config', 'changes', 'message'),
    [
        (
            'avd/faster_rcnn_r18_sim_audio.py',
            {'test_cfg.rcnn.nms.type': 'soft_nms'},
            r'nms .*soft_nms.* cannot be exported',
        ),
        (
            'avd/av_faster_rcnn_r18_sim.py',
            {'test_modalities': 'audio_visual'},
            'needs cameras',
        ),
        ('avc/avc_r18_sim_no_teacher.py', {}, 'AVCLocalizer cannot be exported: it is no one- or two-stage'),
    ],
)
def test_what_cannot_be_exported_is_named(config, changes, message):
    model = build(config, changes)
    with pytest.raises(ExportError, match=message):
        exportable_boxes(model, [(12, 12), (6, 6), (3, 3), (2, 2)], (96, 96), (1.0, 1.0))


def test_differences_are_of_paired_boxes():
    first = dict(
        bboxes=np.array([[0, 0, 10, 10], [50, 50, 60, 60.0]]),
        scores=np.array([0.9, 0.8]),
        labels=np.array([0, 0]),
    )
    second = dict(
        bboxes=np.array([[50, 50, 60, 60.5], [0, 0, 10, 10], [5, 5, 6, 6.0]]),
        scores=np.array([0.82, 0.9, 0.1]),
        labels=np.array([0, 0, 1]),
    )
    differences = BoxDifferences()
    differences.add(first, second)
    assert (differences.frames, differences.boxes, differences.unpaired) == (1, 2, 1)
    assert differences.pixels == 0.5 and differences.score == pytest.approx(0.02)
