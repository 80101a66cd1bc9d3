"""The rig of recordings: compared with those of model and training, or steered with.

Shapes: M microphones.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from logging import WARNING
from pathlib import Path

from mmengine.logging import print_log
from mmengine.model import BaseModel

from mmav.structures.rig_comparison import check_same_rig, rig_of_metainfo, rig_of_model
from mmav.utils.errors import SampleError

from ..models.layers import AcousticImage
from ..structures import Rig
from ..structures.rig import RIG_FILE
from .audio_clips import AudioClip

_ALLOW = 'allow_other_rig=True (--allow-other-rig) makes a warning of it'


def adopt_rig(
    model: BaseModel, rig: Rig | None, dataset_meta: Mapping | None = None, allow_other_rig: bool = False
) -> Rig | None:
    """Compare the rigs of recordings, model and training; steer the model's acoustic images with the first.

    Args:
        model: The model. Where it makes acoustic images and ``rig`` is another than its own, which must be
            allowed, its layer is replaced by one of ``rig``.
        rig: That of the recordings; None: they are taken for the model's, or for the training's.
        dataset_meta: Of the checkpoint; holds the rig of the training data, or none.
        allow_other_rig: Whether a difference is a warning instead of an error.

    Returns:
        The rig that recordings are taken to be of; None where nobody knows one.

    Raises:
        ValueError: If rigs differ, or the model cannot be steered with ``rig``.
    """
    own, trained_with = rig_of_model(model), rig_of_metainfo(dataset_meta)
    warn = _warn if allow_other_rig else None
    training = {"checkpoint's training data": trained_with}
    check_same_rig(
        own, training, "model's acoustic images", f'Give the config the rig of the training; {_ALLOW}', warn
    )
    if rig is None:
        return own or trained_with
    remedy = (
        f'{_ALLOW}, and acoustic images are then steered with the rig of the recordings'
        if own is not None
        else f'{_ALLOW}; spectrograms do not know of the rig'
    )
    known = {'model': own} if own is not None else training
    check_same_rig(rig, known, 'recordings', remedy, warn)
    if own is not None and own.differences(rig):
        _steer_with(model, rig)
    return rig


def _steer_with(model: BaseModel, rig: Rig) -> None:
    preprocessor = model.data_preprocessor
    layer = preprocessor.acoustic_image
    if layer.learnable:
        raise ValueError(
            'the model has learnt corrections of its own microphones (learnable=True), which say nothing of '
            'those of another rig: leave rig out'
        )
    number = len(rig.microphone_positions)
    if preprocessor.log_mel is not None and number != layer.num_microphones:
        raise ValueError(
            f'beside acoustic images the model takes spectrograms of {layer.num_microphones} microphones, '
            f'but the rig of the recordings has {number}'
        )
    other = AcousticImage(**{**layer.settings(), 'rig': rig})
    preprocessor.acoustic_image = other.to(layer.window.device)


def fit_microphones(rig: Rig, num_channels: int, replaced: bool) -> int:
    """Number of channels of recordings.

    Args:
        rig: The rig that is steered with, or that the user names.
        num_channels: What the config's LoadMultichannelAudio expects.
        replaced: Whether acoustic images are made with the user's rig, whatever the config expects.

    Raises:
        ValueError: If the numbers differ.
    """
    number = len(rig.microphone_positions)
    if number != num_channels and not replaced:
        raise ValueError(
            f"the rig has {number} microphones, but the config's LoadMultichannelAudio expects "
            f'{num_channels}: make them agree (num_channels)'
        )
    return number


def fit_camera(
    rig: Rig, crop: tuple[int, ...] | None, image_size: tuple[int, int] | None, replaced: bool
) -> tuple[tuple[int, ...] | None, tuple[int, int]]:
    """Crop of the camera images, and (width, height) in pixels that boxes refer to.

    Args:
        rig: The rig that is steered with, or that the user names.
        crop: (x1, y1, x2, y2) of the config's test set, or None.
        image_size: (width, height) that the user names, or None: that of ``crop``.
        replaced: Whether the user names the rig; its crop then takes the place of the config's.

    Raises:
        ValueError: If the crop or the size is another one than the rig's.
    """
    if not replaced and rig.crop != crop:
        raise ValueError(
            f"crop: that of the model's rig is {rig.crop}, that of the config's test set {crop}, and boxes "
            'refer to the cropped image: make them agree'
        )
    size: tuple[int, ...] = rig.cropped_size
    if image_size is not None:
        size = tuple(image_size)
    elif crop is not None:
        size = (crop[2] - crop[0], crop[3] - crop[1])
    if size != rig.cropped_size:
        raise ValueError(
            f'the cropped image of the rig has (width, height) = {rig.cropped_size}, but boxes refer to '
            f'{size}: give the rig a crop of that size, or image_size={rig.cropped_size}'
        )
    return rig.crop, size


def check_recordings(clips: Sequence[AudioClip], rig: Rig | None, allow_other_rig: bool = False) -> None:
    """Compare each ``rig.json`` in a recording's folder, or in the folder above it, with the rig in use.

    It is not used by itself: give it as ``rig``.

    Args:
        clips: The recordings; arrays have no folder.
        rig: The rig in use; None: there is nothing to compare.
        allow_other_rig: Whether a difference is a warning instead of an error.

    Raises:
        SampleError: If one differs, or describes no possible rig.
    """
    sources = [source for clip in clips for source in clip.sources if isinstance(source, (str, Path))]
    folders = {Path(source).absolute().parent for source in sources}
    places = [next(filter(Path.is_file, (f / RIG_FILE, f.parent / RIG_FILE)), None) for f in sorted(folders)]
    for path in dict.fromkeys(filter(None, places)) if rig is not None else ():
        remedy = f'Give it as rig (--rig); {_ALLOW}'
        warn = partial(_warn, source=f'{path}: ') if allow_other_rig else None
        try:
            check_same_rig(Rig.from_file(path), {'detector': rig}, 'recordings beside it', remedy, warn)
        except ValueError as error:
            raise SampleError(str(path), str(error).removeprefix(f'{path}: ')) from error


def _warn(message: str, source: str = '') -> None:
    print_log(f'{source}{message}', 'current', WARNING)
