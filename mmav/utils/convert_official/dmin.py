"""DMIN and DCMR as their authors publish them: fully and weakly supervised, A2V and V2A."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from .renaming import rename_all

ENCODER_LAYERS = 2
LSTM_LAYERS = 2
WEIGHT_AND_BIAS = ('weight', 'bias')
ATTENTION = ('in_proj_weight', 'in_proj_bias', 'out_proj.weight', 'out_proj.bias')
LAYER = tuple(
    f'{name}.{part}' for name in ('linear1', 'linear2', 'norm1', 'norm2') for part in WEIGHT_AND_BIAS
)
LSTM = tuple(
    f'{kind}_l{layer}{way}'
    for layer in range(LSTM_LAYERS)
    for way in ('', '_reverse')
    for kind in ('weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')
)
MODALITIES = dict(video='visual', audio='audio')
AGTA = dict(
    affine_video_1='channel_visual',
    affine_audio_1='channel_audio',
    affine_bottleneck='channel_squeeze',
    affine_v_c_att='channel_excite',
    affine_video_2='mfb_visual',
    affine_audio_2='mfb_audio',
    affine_v_s_att='spatial_score',
    Linear_visual='temporal_visual',
    Linear_audio='temporal_audio',
)
DIMA_LAYER = dict(linear1='ffn.layers.0.0', linear2='ffn.layers.1', norm1='norm1', norm2='norm2')

Pairs = Iterator[tuple[str, str]]


def _each(published: str, ours: str, parts: tuple[str, ...] = WEIGHT_AND_BIAS) -> Pairs:
    for part in parts:
        yield f'{published}.{part}', f'{ours}.{part}'


def _interaction() -> Pairs:
    for theirs, ours in MODALITIES.items():
        yield from _each(f'{theirs}_encoder.affine_matrix', f'interaction.input_proj.{ours}')
        yield from _each(f'{theirs}_decoder.affine_matrix', f'interaction.query_proj.{ours}')
        for layer in range(ENCODER_LAYERS):
            published = f'{theirs}_encoder.encoder.layers.{layer}'
            name = f'interaction.encoder.{ours}.layers.{layer}'
            yield from _each(f'{published}.self_attn', f'{name}.self_attn', ATTENTION)
            yield from _each(published, name, LAYER)
        published, name = f'{theirs}_decoder.decoder.layers.0', f'interaction.dima.{ours}'
        yield from _each(f'{published}.multihead_attn', f'{name}.attention', ATTENTION)
        for part, our_part in DIMA_LAYER.items():
            yield from _each(f'{published}.{part}', f'{name}.{our_part}')


def _unused_interaction() -> Iterator[str]:
    """The layers that the authors' encoders and decoders are copied from, and a part that is not called."""
    for theirs in MODALITIES:
        layer = f'{theirs}_encoder.encoder_layer'
        yield from (f'{layer}.self_attn.{part}' for part in ATTENTION)
        yield from (f'{layer}.{part}' for part in LAYER)
        layer = f'{theirs}_decoder.decoder_layer'
        yield from (f'{layer}.multihead_attn.{part}' for part in ATTENTION)
        yield from (f'{layer}.{part}' for part in LAYER)
        for place in (layer, f'{theirs}_decoder.decoder.layers.0'):
            yield from (f'{place}.self_attn.{part}' for part in ATTENTION)


def _event_parts(weakly: bool) -> Pairs:
    """What DMIN has beside; published checkpoints of DCMR hold it too, but never use it."""
    yield from _each('v_fc', 'visual_fc.0')
    for theirs, ours in AGTA.items():
        yield from _each(f'spatial_channel_att.{theirs}', f'agta.{ours}')
    yield from _each('spatial_channel_att.lstm', 'agta.lstm', LSTM)
    yield from _each('AVInter.video_multihead', 'fusion.attention', ATTENTION)
    yield from _each('AVInter.norm1', 'fusion.norm')
    yield from _each('localize_module.event_classifier', 'category_head')
    yield from _each('localize_module.event_self', 'unimodal_head')
    if weakly:
        yield from _each('localize_module.classifier_self', 'unimodal_relevance_head')


def _converter(names: Mapping[str, str], unused: frozenset[str]) -> Callable[..., dict[str, Tensor]]:
    # the unused must be there as well: without them it is a checkpoint of something else
    every = {**names, **{name: name for name in unused}}

    def convert(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        renamed = rename_all(state_dict, every)
        return {name: renamed[name] for name in names.values()}

    return convert


def convert_dmin(weakly: bool) -> Callable[..., dict[str, Tensor]]:
    """The converter of a DMIN trained with labels of seconds or, ``weakly``, of videos.

    The result is for ``DMIN(protocol='official')``. What the published network holds but never uses is left
    out: the layers that others are copied from, and the attention of images to sound.
    """
    names = dict([*_interaction(), *_event_parts(weakly)])
    names.update(_each('localize_module.classifier', 'relevance_head'))
    return _converter(names, frozenset([*_unused_interaction(), *_video_guided()]))


def convert_dcmr() -> Callable[..., dict[str, Tensor]]:
    """The converter of DCMR, of either direction: they are published with the same names and shapes.

    The result is for ``DCMR(protocol='official')``. The published network carries all of DMIN's parts; what
    is not used is left out.
    """
    names = dict(_interaction())
    names.update(_each('localize_module.classifier', 'relevance_head'))
    unused = [*_unused_interaction(), *_video_guided(), *dict(_event_parts(weakly=False))]
    return _converter(names, frozenset(unused))


def _video_guided() -> Iterator[str]:
    for index in (1, 2):
        yield from (f'spatial_channel_att.affine_video_guided_{index}.{part}' for part in WEIGHT_AND_BIAS)
