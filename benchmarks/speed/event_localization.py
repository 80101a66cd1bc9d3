"""Benchmarks of DMIN: closed and batched forms against the loops that they stand for.

Shapes: B videos, T segments, L locations of a segment's feature map, d channels of a head.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.models.event_localizers import DMIN
from mmav.models.layers import (
    AudioGuidedTripletAttention,
    DenseInterModalityAttention,
    dense_fusion_attention,
    factorized_bilinear_pooling,
)
from mmav.structures import SegmentDataSample

from .breakdown import count_flops
from .pairs import Comparison, pinned_threads, time_pairs
from .variants import FP32, Variant

HEADS = 4
HEAD_CHANNELS = 64


def looped_dense_fusion_attention(query: Tensor, key: Tensor, alpha: float = 0.5) -> Tensor:
    """Dense fusion attention as d shifted products for each query, added up; protocol 'paper'.

    Args:
        query: (..., T, d).
        key: (..., S, d).
        alpha: Weight of the shift by 0; the others share 1 - alpha.

    Returns:
        (..., T, S).
    """
    channels = query.shape[-1]
    rows = []
    for segment in query.unbind(-2):
        scores = []
        for shift in range(channels):
            weight = alpha if shift == 0 else (1 - alpha) / (channels - 1)
            shifted = segment.roll(-shift, dims=-1).unsqueeze(-2)
            scores.append(weight * (shifted * key).sum(-1))
        rows.append(torch.stack(scores, -1).sum(-1))
    return torch.stack(rows, -2)


class LoopedAGTA(AudioGuidedTripletAttention):
    """AGTA whose bilinear pooling and LSTM run once for each location."""

    def _mfb_correlation(self, visual: Tensor, audio: Tensor) -> Tensor:
        audio = F.relu(self.mfb_audio(audio))
        places = F.relu(self.mfb_visual(visual)).unbind(2)
        settings = (self.factors, self.dropout, self.training, self.protocol)
        return torch.stack([factorized_bilinear_pooling(place, audio, *settings) for place in places], 2)

    def _temporal_correlation(self, visual: Tensor, audio: Tensor) -> Tensor:
        audio = F.relu(self.temporal_audio(audio)).transpose(0, 1)
        places = F.relu(self.temporal_visual(visual)).transpose(0, 1).unbind(2)
        outputs = [self.lstm(torch.cat([place + audio, audio], -1))[0] for place in places]
        return torch.stack(outputs, 2).transpose(0, 1)


class LoopedDIMA(DenseInterModalityAttention):
    """DIMA with :func:`looped_dense_fusion_attention`."""

    def _score(self, query: Tensor, key: Tensor, kind: str) -> Tensor:
        if kind == 'dot':
            return super()._score(query, key, kind)
        return looped_dense_fusion_attention(query, key, self.alpha)


def looped(network: nn.Module) -> nn.Module:
    """A copy of a network with all loops, same weights.

    Args:
        network: AGTA, or a network that holds it and DIMA.
    """
    network = copy.deepcopy(network)
    forms = {AudioGuidedTripletAttention: LoopedAGTA, DenseInterModalityAttention: LoopedDIMA}
    for module in network.modules():
        module.__class__ = forms.get(type(module), type(module))
    return network


def check_same(
    name: str,
    ours: Callable[[], list[Tensor]],
    reference: Callable[[], list[Tensor]],
    tolerance: float = 1e-3,
) -> str:
    """Make sure that both give the same tensors, but for single precision's rounding.

    Elements are not compared: square roots of numbers near 0 have slopes that rounding moves far.

    Raises:
        AssertionError: If the difference is longer than ``tolerance`` times the tensor.
    """
    for index, (a, b) in enumerate(zip(ours(), reference(), strict=True)):
        difference = float((a.double() - b.double()).norm() / b.double().norm().clamp(min=1e-12))
        if not difference <= tolerance:
            raise AssertionError(
                f'{name}: tensor {index} is off by {difference:.2g} of its length, not close'
            )
    return name


def _features(
    batch: int, segments: int, side: int, channels: int, dtype: torch.dtype, device: str
) -> tuple[Tensor, Tensor]:
    """Images' (B, T, side, side, channels) and sound's (B, T, 128)."""
    generator = torch.Generator().manual_seed(0)
    visual = torch.rand(batch, segments, side, side, channels, generator=generator)
    audio = torch.rand(batch, segments, 128, generator=generator)
    return visual.to(device, dtype), audio.to(device, dtype)


def _forward_backward(module: nn.Module, visual: Tensor, audio: Tensor) -> list[Tensor]:
    """Output and all gradients."""
    module.zero_grad(set_to_none=True)
    leaf = visual.detach().requires_grad_()  # as behind the first fully connected layer
    output = module(leaf, audio)[0]
    output.square().sum().backward()
    return [output.detach(), leaf.grad, *(parameter.grad for parameter in module.parameters())]


def dfa(
    batch: int = 32,
    repeats: int = 5,
    threads: int = 1,
    device: str = 'cpu',
    segments: int = 10,
    number: int = 20,
) -> list[Comparison]:
    """Dense fusion attention of all heads, closed against looped.

    Args:
        batch: B.
        repeats: Pairs.
        threads: Threads.
        device: Where it runs.
        segments: T.
        number: Calls in each measurement: ours alone is too short to time.

    Returns:
        Forward alone, and with the backward pass.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (batch * HEADS, segments, HEAD_CHANNELS)
    pair = [torch.randn(shape, generator=generator).to(device) for _ in range(2)]
    leaves = [values.clone().requires_grad_() for values in pair]

    def forward(function: Callable) -> list[Tensor]:
        return [function(*pair)]

    def backward(function: Callable) -> list[Tensor]:
        for values in leaves:
            values.grad = None
        scores = function(*leaves)
        scores.square().sum().backward()
        return [scores.detach(), *(values.grad for values in leaves)]

    results = []
    with pinned_threads(threads):
        for what, run in (('forward', forward), ('forward and backward', backward)):
            runs = [partial(run, form) for form in (dense_fusion_attention, looped_dense_fusion_attention)]
            checked = check_same('scores' if run is forward else 'scores and gradients', *runs)
            mine, theirs = time_pairs(*runs, repeats, number=number)
            results.append(
                Comparison(
                    'dfa',
                    f'dense fusion attention, {what}',
                    'one matrix product',
                    f'{HEAD_CHANNELS} shifted products for each query',
                    'gain',
                    target=50.0,
                    ours_values=mine,
                    reference_values=theirs,
                    settings=dict(batch=batch, segments=segments, threads=threads, device=device),
                    checked=checked,
                )
            )
    return results


def _check_and_time(
    what: str,
    modules: Sequence[nn.Module],
    runs: Sequence[Callable],
    repeats: int,
    device: str,
    tolerance: float = 1e-3,
) -> tuple[list[float], list[float], str]:
    """Seconds of two runs in training mode, and what the check says that they have in common, on a CPU."""
    for module in modules:
        module.eval()  # the same dropout: none
    checked = check_same(what, *runs, tolerance=tolerance) if device == 'cpu' else ''
    for module in modules:
        module.train()
    mine, theirs = time_pairs(*runs, repeats, warm_up=0 if checked else 1)  # the check warms up
    return mine, theirs, checked


def agta(
    batch: int = 32,
    repeats: int = 3,
    threads: int = 1,
    device: str = 'cpu',
    segments: int = 10,
    side: int = 7,
    channels: int = 512,
    variant: Variant = FP32,
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
) -> list[Comparison]:
    """AGTA, all locations at once against one after the other; single and double precision.

    Args:
        batch: B.
        repeats: Pairs.
        threads: Threads.
        device: Where it runs.
        segments: T.
        side: Rows and columns of a segment's feature map.
        channels: Of the images' features.
        variant: Autocast's precision, and whether both sides are compiled.
        dtypes: Of weights and inputs.
    """
    results = []
    with pinned_threads(threads):
        for dtype in dtypes:
            torch.manual_seed(0)
            module = AudioGuidedTripletAttention(channels).to(device, dtype)
            other = looped(module)
            visual, audio = _features(batch, segments, side, channels, dtype, device)
            runs = [partial(_forward_backward, part, visual, audio) for part in (module, other)]
            pair = module, other
            # forward and twice as much backward; the counter does not know the LSTM
            weights = sum(p.numel() for name, p in module.lstm.named_parameters() if 'weight' in name)
            flops = count_flops(runs[0]) + 3 * 2 * weights * batch * segments * side**2
            variant.prepare(*pair)
            runs = [variant.within(run, device) for run in runs]
            mine, theirs, checked = _check_and_time(
                'output and gradients', pair, runs, repeats, device, 1e-3 if variant == FP32 else 0.1
            )
            results.append(
                Comparison(
                    'agta',
                    f'audio-guided triplet attention, forward and backward, {str(dtype)[6:]}',
                    f'{side * side} locations at once',
                    'one location after the other',
                    'gain',
                    target=4.0,
                    ours_values=mine,
                    reference_values=theirs,
                    settings=dict(batch=batch, segments=segments, threads=threads, device=device),
                    checked=checked,
                    flops=flops,
                )
            )
    return results


def _training_step(
    network: DMIN, inputs: dict[str, Tensor], samples: list[SegmentDataSample]
) -> list[Tensor]:
    network.zero_grad(set_to_none=True)
    losses = network(inputs, samples, mode='loss')
    network.parse_losses(losses)[0].backward()
    return [*(loss.detach() for loss in losses.values()), network.visual_fc[0].weight.grad]


def dmin_step(
    batch: int = 32,
    repeats: int = 3,
    threads: int = 1,
    device: str = 'cpu',
    segments: int = 10,
    side: int = 7,
    channels: int = 512,
) -> list[Comparison]:
    """DMIN's training step: forward, losses, backward.

    Args:
        batch: B.
        repeats: Pairs.
        threads: Threads.
        device: Where it runs.
        segments: T.
        side: Rows and columns of a segment's feature map.
        channels: Of the images' features.

    Returns:
        Against the looped form in the same precision, against the looped form in doubles
        (as published), and single against double precision.
    """
    torch.manual_seed(0)
    network = MODELS.build(dict(type='DMIN', visual_channels=channels))
    networks, inputs = {}, {}
    for dtype in (torch.float32, torch.float64):
        for loops in (False, True):
            one = looped(network) if loops else copy.deepcopy(network)
            networks[dtype, loops] = one.to(device, dtype)
        visual, audio = _features(batch, segments, side, channels, dtype, device)
        inputs[dtype] = dict(visual=visual, audio=audio)
    samples = _labeled(batch, segments, device)

    def step(dtype: torch.dtype, loops: bool) -> list[Tensor]:
        return _training_step(networks[dtype, loops], inputs[dtype], samples)

    single, double = torch.float32, torch.float64
    cases = [
        ('single precision', 'closed and batched', 'loops', (single, False), (single, True)),
        ('as published', 'closed and batched, float32', 'loops, float64', (single, False), (double, True)),
        ('precision', 'float32', 'float64', (single, False), (double, False)),
    ]
    results = []
    with pinned_threads(threads):
        for case, ours, reference, mine, theirs in cases:
            runs = [partial(step, *key) for key in (mine, theirs)]
            pair = networks[mine], networks[theirs]
            *times, checked = _check_and_time('losses and a gradient', pair, runs, repeats, device)
            results.append(
                Comparison(
                    'dmin-step',
                    f'training step, {case}',
                    ours,
                    reference,
                    'gain',
                    ours_values=times[0],
                    reference_values=times[1],
                    settings=dict(batch=batch, segments=segments, threads=threads, device=device),
                    checked=checked,
                )
            )
    return results


def _labeled(batch: int, segments: int, device: str) -> list[SegmentDataSample]:
    """For each video an event from its second segment on."""
    samples = []
    for index in range(batch):
        labels = torch.zeros(segments, 29, device=device)
        labels[0, 28], labels[1:, index % 28] = 1, 1
        sample = SegmentDataSample(metainfo=dict(video_id=str(index)))
        sample.gt_segments = labels
        samples.append(sample)
    return samples
