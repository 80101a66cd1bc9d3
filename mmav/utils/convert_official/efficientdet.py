"""EfficientDet-D2 as the MM-DistillNet authors publish it: student and teachers.

Shapes: A anchors of a cell, K classes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

from torch import Tensor

from .renaming import rename_all

ANCHORS = 9
CELLS = 5
TOWER = 3
LEVELS = range(3, 8)  # P3 to P7
BACKBONE_LEVELS = range(3, 6)
# Blocks of EfficientNet-B2 by stage of mmdet's.
STAGES = (2, 3, 3, 8, 7)
BATCH_NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')

Pairs = Iterator[tuple[str, str]]


def _batch_norm(published: str, ours: str) -> Pairs:
    for part in BATCH_NORM:
        yield f'{published}.{part}', f'{ours}.{part}'


def _conv(published: str, ours: str, bias: bool) -> Pairs:
    for part in ('weight', 'bias') if bias else ('weight',):
        yield f'{published}.conv.{part}', f'{ours}.{part}'


def _separable(published: str, ours: str) -> Pairs:
    yield from _conv(f'{published}.depthwise_conv', f'{ours}.depthwise', bias=False)
    yield from _conv(f'{published}.pointwise_conv', f'{ours}.pointwise', bias=True)


def _backbone() -> Pairs:
    model = 'backbone_net.model'
    yield from _conv(f'{model}._conv_stem', 'backbone.layers.0.conv', bias=False)
    yield from _batch_norm(f'{model}._bn0', 'backbone.layers.0.bn')
    index = 0
    for stage, number in enumerate(STAGES, start=1):
        for block in range(number):
            published, ours = f'{model}._blocks.{index}', f'backbone.layers.{stage}.{block}'
            if stage > 1:  # the blocks of the first stage do not expand
                yield from _conv(f'{published}._expand_conv', f'{ours}.expand_conv.conv', bias=False)
                yield from _batch_norm(f'{published}._bn0', f'{ours}.expand_conv.bn')
            yield from _conv(f'{published}._depthwise_conv', f'{ours}.depthwise_conv.conv', bias=False)
            yield from _batch_norm(f'{published}._bn1', f'{ours}.depthwise_conv.bn')
            yield from _conv(f'{published}._se_reduce', f'{ours}.se.conv1.conv', bias=True)
            yield from _conv(f'{published}._se_expand', f'{ours}.se.conv2.conv', bias=True)
            yield from _conv(f'{published}._project_conv', f'{ours}.linear_conv.conv', bias=False)
            yield from _batch_norm(f'{published}._bn2', f'{ours}.linear_conv.bn')
            index += 1


def _lateral(published: str, ours: str) -> Pairs:
    yield from _conv(f'{published}.0', f'{ours}.conv', bias=True)
    yield from _batch_norm(f'{published}.1', f'{ours}.bn')


def _neck() -> Pairs:
    finest, coarsest = LEVELS[0], LEVELS[-1]
    for level in BACKBONE_LEVELS:
        yield from _lateral(f'bifpn.0.p{level}_down_channel', f'neck.lateral_convs.{level - finest}')
    for index, level in enumerate(BACKBONE_LEVELS[1:]):
        yield from _lateral(f'bifpn.0.p{level}_down_channel_2', f'neck.bottom_up_lateral_convs.{index}')
    yield from _lateral('bifpn.0.p5_to_p6', 'neck.extra_convs.0')
    for cell, index in product(range(CELLS), range(coarsest - finest)):
        down, up = finest + index, finest + index + 1
        ways = (('top_down', down, 'up', 1), ('bottom_up', up, 'down', 2))
        for ours_way, level, published_way, weight in ways:
            published, ours = f'bifpn.{cell}.conv{level}_{published_way}', f'neck.cells.{cell}.{ours_way}'
            yield f'bifpn.{cell}.p{level}_w{weight}', f'{ours}_weights.{index}'
            yield from _separable(published, f'{ours}_convs.{index}')
            yield from _batch_norm(f'{published}.bn', f'{ours}_convs.{index}.bn')


def _head() -> Pairs:
    for published, ours in (('classifier', 'cls'), ('regressor', 'reg')):
        for conv in range(TOWER):
            yield from _separable(f'{published}.conv_list.{conv}', f'bbox_head.{ours}_convs.{conv}')
        for level, conv in product(range(len(LEVELS)), range(TOWER)):
            yield from _batch_norm(
                f'{published}.bn_list.{level}.{conv}', f'bbox_head.{ours}_norms.{level}.{conv}'
            )
        yield from _separable(f'{published}.header', f'bbox_head.conv_{ours}')


def _by_anchor(rows: Tensor, name: str) -> Tensor:
    """(A * K, ...) as (A, K, ...)."""
    if rows.shape[0] % ANCHORS:
        raise ValueError(f'{name} is {tuple(rows.shape)}: not {ANCHORS} anchors a cell')
    return rows.unflatten(0, (ANCHORS, -1))


def convert_efficientdet_d2(in_channels: int) -> Callable[..., dict[str, Tensor]]:
    """The converter of a network with 8 (microphones), 3 (RGB, colored depth) or 1 (thermal) input channels.

    The result is for ``configs/_base_/models/efficientdet_d2.py``; ``classes`` are those to keep. The
    published boxes are (dy, dx, dh, dw), mmdet's are (dx, dy, dw, dh): their rows change places.
    """
    names = dict([*_backbone(), *_neck(), *_head()])

    def convert(state_dict: Mapping[str, Tensor], classes: Sequence[int] | None = None) -> dict[str, Tensor]:
        converted = rename_all(state_dict, names)
        stem = converted['backbone.layers.0.conv.weight']
        if stem.shape[1:2] != (in_channels,):
            raise ValueError(
                f'the first convolution is {tuple(stem.shape)}: its input has not {in_channels} channels, '
                'so the checkpoint is of another modality'
            )
        for part in ('weight', 'bias'):
            name = f'bbox_head.conv_reg.pointwise.{part}'
            rows = _by_anchor(converted[name], name)
            if rows.shape[1] != 4:
                raise ValueError(f'{name} has {rows.shape[1]} rows an anchor, not 4')
            converted[name] = rows[:, [1, 0, 3, 2]].flatten(0, 1)
            name = f'bbox_head.conv_cls.pointwise.{part}'
            rows = _by_anchor(converted[name], name)
            if classes is not None:
                if not classes or not all(0 <= number < rows.shape[1] for number in classes):
                    raise ValueError(f'classes must be some of 0 to {rows.shape[1] - 1}, got {list(classes)}')
                converted[name] = rows[:, list(classes)].flatten(0, 1)
        return converted

    return convert
