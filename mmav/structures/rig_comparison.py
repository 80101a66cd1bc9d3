"""Comparison of the rigs of data, models and checkpoints."""

from collections.abc import Callable, Mapping
from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn

from . import Rig


def check_same_rig(
    rig: Rig | None,
    known: Mapping[str, Rig | None],
    owner: str,
    remedy: str,
    warn: Callable[[str], None] | None = None,
) -> None:
    """Compare a rig with others; those that are None are not known and agree with all.

    Args:
        rig: The rig in question.
        known: The rigs that it must equal, by the names of their owners.
        owner: Owner of ``rig``, for messages.
        remedy: Sentence that the error ends with: what to do.
        warn: Is called with each message instead of raising a ValueError, which names the fields.

    Example:
        >>> from dataclasses import replace
        >>> rig = Rig([[0, 0, 0], [0.1, 0, 0]], [[9, 0, 5], [0, 9, 5], [0, 0, 1]], np.eye(4), (10, 10))
        >>> other = replace(rig, speed_of_sound=340.0)
        >>> check_same_rig(rig, {'model': other}, 'data', 'Choose other data.', warn=print)
        the rig of the data is not that of the model: speed_of_sound: 340.0 here, 343.0 there
    """
    for name, other in known.items():
        differences = [] if rig is None or other is None else other.differences(rig)
        if not differences:
            continue
        message = f'the rig of the {owner} is not that of the {name}: {"; ".join(differences)}'
        if warn is None:
            raise ValueError(f'{message}. {remedy}')
        warn(message)


def rig_of_metainfo(metainfo: Mapping | None) -> Rig | None:
    """The rig in a metainfo, as :class:`MAVDDataset` and checkpoints hold it; None if there is none."""
    rig = (metainfo or {}).get('rig')
    return None if rig is None else Rig.from_dict(rig)


def rig_of_model(model: nn.Module) -> Rig | None:
    """The rig that a model's acoustic images are made with; None for other models. It may be in a wrapper."""
    inner: Any = model.module if is_model_wrapper(model) else model
    if isinstance(inner, BaseTTAModel):
        inner = inner.module
    layer = getattr(getattr(inner, 'data_preprocessor', None), 'acoustic_image', None)
    return getattr(layer, 'rig', None)
