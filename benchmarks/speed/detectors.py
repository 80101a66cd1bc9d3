"""Benchmarks of the AVD detector: the cost of a training step and of a prediction by sound.

Shapes: B samples, S side of the network's square input in pixels.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch import Tensor, nn

from .breakdown import breakdown, count_flops
from .pairs import Comparison, pinned_threads, time_pairs
from .variants import FP32, Variant

NUM_MICROPHONES = 8


@dataclass
class Detectors:
    """Two detectors with the same weights, a plain visual stream, and a batch for them.

    Attributes:
        ours: ``AudioVisualFasterRCNN``.
        stock: mmdet's ``FasterRCNN`` on 8 channels, with the weights of the audio path of ``ours``.
        stream: Backbone and neck alone, with the weights of the visual stream of ``ours``.
        inputs: ``audio`` (B, 8, S, S) and ``rgb`` (B, 3, S, S).
        samples: Data samples with ground truth.
    """

    ours: nn.Module
    stock: nn.Module
    stream: nn.Module
    inputs: dict[str, Tensor]
    samples: list[DetDataSample]


def build_detectors(
    config: str, size: int, batch: int, device: str = 'cpu', options: dict | None = None
) -> Detectors:
    """Build the pair from a config of the AVD detector with RGB, from scratch.

    Args:
        config: Path of the config.
        size: S, in pixels.
        batch: B.
        device: Where everything lives.
        options: Settings of the config to override, by dotted key, for both detectors.

    Returns:
        The pair.
    """
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    # From scratch, and the inputs are made ready here.
    cfg.model.update(init_cfg=None, data_preprocessor=None)
    # Building writes into the config.
    stock_cfg = copy.deepcopy(cfg.model)
    ours = MODELS.build(cfg.model)
    ours.init_weights()

    stock_cfg.type = 'FasterRCNN'
    stock_cfg.backbone.update(type='ResNet', in_channels=NUM_MICROPHONES)
    stock_cfg.roi_head.type = 'StandardRoIHead'
    visual = stock_cfg.pop('visual_streams').rgb
    parts = ('fusion', 'loss_avd', 'avd_loss_weight', 'visual_loss_weight', 'scope', 'visual_bbox_head')
    for name in (*parts, 'class_agnostic_groups'):
        stock_cfg.roi_head.pop(name, None)
    stock = MODELS.build(stock_cfg)
    state = ours.state_dict()
    stock.load_state_dict({name: state[name] for name in stock.state_dict()})
    stream = nn.Sequential(MODELS.build(visual.backbone), MODELS.build(visual.neck))
    rgb = ours.visual_streams.rgb
    stream[0].load_state_dict(rgb.backbone.state_dict())
    stream[1].load_state_dict(rgb.neck.state_dict())

    generator = torch.Generator().manual_seed(1)
    inputs = dict(
        audio=torch.rand(batch, NUM_MICROPHONES, size, size, generator=generator),
        rgb=torch.randn(batch, 3, size, size, generator=generator),
    )
    samples = [make_sample(size, generator).to(device) for _ in range(batch)]
    return Detectors(
        ours=ours.to(device).train(),
        stock=stock.to(device).train(),
        stream=stream.to(device).train(),
        inputs={name: value.to(device) for name, value in inputs.items()},
        samples=samples,
    )


def make_sample(size: int, generator: torch.Generator, num_boxes: int = 3) -> DetDataSample:
    """Ground truth as MAVD's: a few vehicles, an eighth to a third of the image wide."""
    center = torch.rand(num_boxes, 2, generator=generator) * 0.6 + 0.2
    extent = torch.rand(num_boxes, 2, generator=generator) * 0.2 + 0.12
    boxes = torch.cat([center - extent / 2, center + extent / 2], dim=1) * size
    shape = (size, size)
    sample = DetDataSample(
        metainfo=dict(
            img_shape=shape,
            ori_shape=shape,
            batch_input_shape=shape,
            pad_shape=shape,
            scale_factor=(1.0, 1.0),
        )
    )
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(num_boxes, dtype=torch.long))
    return sample


def training_steps(pair: Detectors) -> tuple[Callable[[], dict], Callable[[], dict]]:
    """One training step of each side: forward, loss, backward; no optimizer.

    The reference is what the AVD detector is made of, nothing of which training with two modalities can
    do without: mmdet's ``FasterRCNN`` on the sound (stream, RPN, one box head, losses, backward), and a
    stream on the image, forward and backward from the levels that a box head reads.

    Args:
        pair: The detectors.

    Returns:
        Functions of ours and of the reference; both return their losses.
    """
    num_levels = pair.stock.roi_head.bbox_roi_extractor.num_inputs
    with torch.no_grad():
        shapes = [level.shape for level in pair.stream(pair.inputs['rgb'])[:num_levels]]
    gradients = [torch.full(shape, 1e-6, device=pair.inputs['rgb'].device) for shape in shapes]

    def ours() -> dict:
        pair.ours.zero_grad(set_to_none=True)
        torch.manual_seed(2)  # the same RoIs are sampled
        losses = pair.ours.loss(pair.inputs, pair.samples)
        pair.ours.parse_losses(losses)[0].backward()
        return losses

    def reference() -> dict:
        pair.stock.zero_grad(set_to_none=True)
        pair.stream.zero_grad(set_to_none=True)
        torch.manual_seed(2)
        losses = pair.stock.loss(pair.inputs['audio'], pair.samples)
        pair.stock.parse_losses(losses)[0].backward()
        levels = pair.stream(pair.inputs['rgb'])[:num_levels]
        torch.autograd.backward(levels, [g.to(level.dtype) for g, level in zip(gradients, levels)])
        return losses

    return ours, reference


def check_same_training(
    pair: Detectors, ours: Callable[[], dict], reference: Callable[[], dict], tolerance: float = 1e-5
) -> str:
    """Make sure that both steps compute the same: losses of the audio path, features of the image.

    Args:
        pair: The detectors.
        ours: From :func:`training_steps`.
        reference: From :func:`training_steps`.
        tolerance: Relative difference of the losses; the features' are compared where it is the default.

    Raises:
        AssertionError: If they differ.
    """
    mine, theirs = ours(), reference()
    for name, value in theirs.items():
        torch.testing.assert_close(mine[name], value, rtol=tolerance, atol=1e-6)
    if tolerance > 1e-5:
        return f'{", ".join(sorted(theirs))}, to {tolerance:g}'
    with torch.no_grad():
        rgb = pair.inputs['rgb']
        torch.testing.assert_close(pair.ours.visual_streams.rgb(rgb), pair.stream(rgb))
    return f'{", ".join(sorted(theirs))}; the visual pyramid'


def avd_step(
    config: str,
    size: int = 576,
    batch: int = 1,
    repeats: int = 5,
    threads: int = 1,
    device: str = 'cpu',
    options: dict | None = None,
    profiled: int = 3,
    variant: Variant = FP32,
) -> list[Comparison]:
    """The training step against two plain streams and one head.

    Args:
        config: Path of an AVD config with RGB.
        size: Side of the input in pixels.
        batch: Samples.
        repeats: Pairs.
        threads: Threads.
        device: Where it runs.
        options: Settings of the config to override, by dotted key.
        profiled: Pairs to profile for the breakdown; 0: none.
        variant: Precision, memory format, compiled or not; of both sides.

    Returns:
        One, with a breakdown by kind of operation in its notes.
    """
    with pinned_threads(threads):
        pair = build_detectors(config, size, batch, device, options)
        steps = training_steps(pair)
        flops = tuple(count_flops(step) for step in steps)
        _prepare(pair, variant)
        ours, reference = (variant.within(step, device) for step in steps)
        checked = check_same_training(pair, ours, reference, variant.tolerance)
        mine, theirs = time_pairs(ours, reference, repeats, warm_up=0)  # the check warms up
        notes = breakdown(ours, reference, flops, profiled) if profiled else []
    return [
        Comparison(
            'avd-step',
            'training step: forward, losses, backward',
            'AudioVisualFasterRCNN',
            'mmdet FasterRCNN on sound + a stream on the image',
            'cost',
            target=1.10,
            ours_values=mine,
            reference_values=theirs,
            settings=dict(size=size, batch=batch, threads=threads, device=device, **(options or {})),
            checked=checked,
            notes=notes,
            flops=flops[0],
        )
    ]


def _prepare(pair: Detectors, variant: Variant) -> None:
    """Prepare both sides; the parts with fixed shapes are what is compiled."""
    heads = [
        part for model in (pair.ours, pair.stock) for part in (model.backbone, model.neck, model.rpn_head)
    ]
    variant.prepare(*heads, *pair.ours.visual_streams.values(), pair.stream)
    pair.inputs.update({name: variant.images(value) for name, value in pair.inputs.items()})


def inference(
    config: str,
    size: int = 576,
    batch: int = 1,
    repeats: int = 7,
    threads: int = 1,
    device: str = 'cpu',
    options: dict | None = None,
) -> list[Comparison]:
    """Prediction by sound against mmdet's Faster R-CNN with the same weights.

    Args:
        config: Path of an AVD config with RGB.
        size: Side of the input in pixels.
        batch: Samples.
        repeats: Pairs.
        threads: Threads.
        device: Where it runs.
        options: Settings of the config to override, by dotted key.

    Returns:
        One.
    """
    with pinned_threads(threads), torch.inference_mode():
        pair = build_detectors(config, size, batch, device, options)
        pair.ours.eval()
        pair.stock.eval()
        audio = pair.inputs['audio']

        def ours() -> list[DetDataSample]:
            return pair.ours.predict(dict(audio=audio), pair.samples)

        def reference() -> list[DetDataSample]:
            return pair.stock.predict(audio, pair.samples)

        checked = check_same_boxes(ours, reference)
        mine, theirs = time_pairs(ours, reference, repeats, warm_up=0)  # the check warms up
    return [
        Comparison(
            'inference',
            'prediction by sound alone',
            'AudioVisualFasterRCNN.predict',
            'mmdet FasterRCNN.predict on 8 channels, same weights',
            'cost',
            target=1.02,
            ours_values=mine,
            reference_values=theirs,
            settings=dict(size=size, batch=batch, threads=threads, device=device, **(options or {})),
            checked=checked,
        )
    ]


def check_same_boxes(ours: Callable[[], list], reference: Callable[[], list]) -> str:
    """Make sure that both predict the same boxes, scores and classes, bit for bit, and some.

    Raises:
        AssertionError: If they do not.
    """
    mine = [sample.pred_instances.clone() for sample in ours()]
    theirs = [sample.pred_instances for sample in reference()]
    count = 0
    for a, b in zip(mine, theirs):
        for name in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(a[name], b[name], rtol=0, atol=0)
        count += len(a)
    assert count, 'nothing was detected, so nothing was compared'
    return f'{count} boxes with scores and classes, bit for bit'
