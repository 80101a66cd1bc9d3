"""Sound localizers in the layout that EZ-VSL publishes: two torchvision ResNet-18, one projection each."""

from collections.abc import Mapping

from torch import Tensor

from .renaming import rename_all

BATCH_NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
# Names here by published ones; ResNets have the same names within.
PARTS = dict(imgnet='visual_backbone', audnet='audio_backbone', img_proj='visual_proj', aud_proj='audio_proj')


def _resnet18() -> list[str]:
    names = ['conv1.weight', *(f'bn1.{part}' for part in BATCH_NORM)]
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            for conv in (1, 2):
                start = f'layer{layer}.{block}'
                names += [f'{start}.conv{conv}.weight', *(f'{start}.bn{conv}.{part}' for part in BATCH_NORM)]
            if layer > 1 and block == 0:
                start = f'layer{layer}.0.downsample'
                names += [f'{start}.0.weight', *(f'{start}.1.{part}' for part in BATCH_NORM)]
    return names


NAMES = {
    f'{published}.{name}': f'{ours}.{name}'
    for published, ours in PARTS.items()
    for name in (_resnet18() if published.endswith('net') else ('weight', 'bias'))
}


def convert_avc(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a published sound localizer of two ResNet-18.

    The result is for ``AVCLocalizer`` with ``embed_channels`` as in the checkpoint: 2048 in
    ``configs/_base_/models/avc_r18.py``, 512 in the checkpoints of EZ-VSL itself. ValueError if names are
    missing or left over, or a network's input has other channels.
    """
    converted = rename_all(state_dict, NAMES)
    for part, channels in (('visual', 3), ('audio', 1)):
        stem = converted[f'{part}_backbone.conv1.weight']
        if stem.shape[1:2] != (channels,):
            raise ValueError(
                f'the first convolution of {part}_backbone is {tuple(stem.shape)}: '
                f'its input has not {channels} channel(s)'
            )
    return converted
