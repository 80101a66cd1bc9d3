"""Checkpoints that the papers' authors published, under this project's names."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..checkpoint import select_state_dict
from .avc import convert_avc
from .dmin import convert_dcmr, convert_dmin
from .efficientdet import convert_efficientdet_d2
from .han import convert_han

__all__ = ['CONVERTERS', 'convert_official_state_dict']

# By name: takes the published state dict, returns ours.
CONVERTERS: dict[str, Callable[..., dict[str, Tensor]]] = {
    'avc': convert_avc,
    'dcmr_a2v': convert_dcmr(),
    'dcmr_v2a': convert_dcmr(),
    'dmin_supervised': convert_dmin(weakly=False),
    'dmin_weakly': convert_dmin(weakly=True),
    **{
        f'efficientdet_d2_{modality}': convert_efficientdet_d2(in_channels)
        for modality, in_channels in dict(audio=8, rgb=3, thermal=1, depth=3).items()
    },
    'han': convert_han,
}


def convert_official_state_dict(
    name: str, state_dict: Mapping[str, Any], **options: Any
) -> 'OrderedDict[str, Tensor]':
    """Give a published checkpoint this project's names and conventions; all of it or nothing.

    The result is for a strict load. The command is ``tools/model_converters/convert_official.py``.

    Args:
        name: Which network it is of: ``efficientdet_d2_audio`` (the MM-DistillNet student),
            ``efficientdet_d2_rgb``, ``efficientdet_d2_thermal``, ``efficientdet_d2_depth`` (its teachers),
            ``avc`` (sound localizers in EZ-VSL's layout), ``dmin_supervised``, ``dmin_weakly``, ``dcmr_a2v``,
            ``dcmr_v2a`` (both directions are published under the same names), ``han`` (the parser of videos).
        state_dict: Names and tensors as published: a bare state dict or a checkpoint that holds one under
            ``state_dict`` or ``model``, with or without a ``module.`` before all names. Not changed.
        **options: Of the network's converter; EfficientDet: ``classes``, the published classes to keep, in
            the order of the labels here. Defaults to all.

    Returns:
        Our names and tensors. Those that are not changed share memory.

    Raises:
        ValueError: If there is no converter of that name, names are missing or left over (all are listed),
            the network's input or output is of another shape, or an option does not fit. Other shapes show in
            the strict load.
    """
    if name not in CONVERTERS:
        raise ValueError(
            f'no published network is called {name!r}; there are {", ".join(sorted(CONVERTERS))}'
        )
    unknown = sorted(options.keys() - inspect.signature(CONVERTERS[name]).parameters.keys())
    if unknown:
        raise ValueError(f'{name}: there is no option {", ".join(unknown)} for this network')
    try:
        published = select_state_dict(state_dict, source=f'the checkpoint of {name}')
    except KeyError as error:
        raise ValueError(f'{name}: the checkpoint holds no weights') from error
    try:
        return OrderedDict(CONVERTERS[name](published, **options))
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
