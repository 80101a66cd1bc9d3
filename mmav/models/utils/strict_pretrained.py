"""Initialization from a checkpoint: safe, strict, and for inputs of any number of channels."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from mmengine.logging import print_log
from mmengine.model import kaiming_init, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from mmav.utils.checkpoint import load_strict, read_checkpoint, select_state_dict

# Names of the first convolution of mmdet's ResNets, plain and with a deep stem, and of its EfficientNets.
INPUT_CONVS = ('conv1.weight', 'stem.0.weight', 'layers.0.conv.weight')


def adapt_in_channels(weight: Tensor, in_channels: int) -> Tensor:
    """Make a convolution's weight (out, old, kh, kw) fit another number of input channels.

    The mean over the old channels is repeated and scaled by old/new, so that an input with the same
    image in every channel gives the same output as before. The weight itself if the number is the same.
    """
    old = weight.shape[1]
    if old == in_channels:
        return weight
    return weight.mean(1, keepdim=True).repeat(1, in_channels, 1, 1) * (old / in_channels)


# In mmengine's root registry: a parent's registry is searched whatever scope a model is built in.
@WEIGHT_INITIALIZERS.register_module()
class StrictPretrained:
    """Initialize a module, or some of its submodules, from a checkpoint.

    What mmengine's ``Pretrained`` does, but nothing of the checkpoint is executed, and a missing,
    unexpected or misshapen parameter is an error instead of a line in the log. For ``init_cfg`` of any
    module; in that of a detector one entry warm-starts several parts::

        init_cfg=[
            dict(type='StrictPretrained', checkpoint='audio.pth',
                 submodules={'backbone': 'backbone', 'neck': 'neck', 'rpn_head': 'rpn_head',
                             'roi_head.bbox_head': 'roi_head.bbox_head'}),
            dict(type='StrictPretrained', checkpoint='rgb.pth',
                 submodules={'visual_streams.rgb.backbone': 'backbone', 'visual_streams.rgb.neck': 'neck',
                             'roi_head.visual_bbox_head': 'roi_head.bbox_head'})]

    Args:
        checkpoint: Path, see :func:`mmav.utils.checkpoint.read_checkpoint`. None, for configs whose users
            must name theirs, is an error when the weights are initialized.
        prefix: Name of the part of the checkpoint that the module is loaded from; '' for all of it.
        submodules: Instead of ``prefix``: names of submodules of the module (or patterns with ``*``, for
            all that match), each with the prefix in the checkpoint that it is loaded from.
        in_channels: What to do with a ResNet's or EfficientNet's first convolution that has another number
            of input channels than the checkpoint's: 'strict': an error; 'adapt': the checkpoint's mean over
            channels, see :func:`adapt_in_channels`; 'new': keep it untrained. Defaults to 'strict'.
        drop: Starts of names in the checkpoint that are left out where the module has none of that
            name. Defaults to the classifier of torchvision's ResNets.

    Raises:
        ValueError: If ``in_channels`` is none of the three or ``prefix`` and ``submodules`` are both given.
    """

    def __init__(
        self,
        checkpoint: str | None,
        prefix: str = '',
        submodules: Mapping[str, str] | None = None,
        in_channels: str = 'strict',
        drop: Sequence[str] = ('fc.',),
    ) -> None:
        if in_channels not in ('strict', 'adapt', 'new'):
            raise ValueError(
                f"StrictPretrained: in_channels must be 'strict', 'adapt' or 'new', got {in_channels!r}"
            )
        if prefix and submodules:
            raise ValueError('StrictPretrained: give prefix or submodules, not both')
        self.checkpoint = checkpoint
        self.submodules = dict(submodules) if submodules else {'': prefix}
        self.in_channels = in_channels
        self.drop = tuple(drop)

    def __call__(self, module: nn.Module) -> None:
        """Load into the module whose ``init_cfg`` this is.

        Raises:
            AttributeError: If a submodule does not exist.
            KeyError: If the checkpoint has nothing under a prefix.
            RuntimeError: If names or shapes do not fit; the message lists them.
            ValueError: If no checkpoint is given.
        """
        if self.checkpoint is None:
            raise ValueError(
                f'the weights of {list(self.submodules)} come from a checkpoint of yours: '
                '--cfg-options model.init_cfg.checkpoint=FILE (without: model.init_cfg=None)'
            )
        print_log(f'load {list(self.submodules.values())} from {self.checkpoint}', logger='current')
        checkpoint = read_checkpoint(self.checkpoint)
        for target, prefix in self._targets(module):
            source = f'{self.checkpoint} ({prefix})' if prefix else self.checkpoint
            state_dict = select_state_dict(checkpoint, prefix, self.checkpoint)
            self._fit_input_conv(target, state_dict)
            load_strict(target, state_dict, source, allow_unexpected=self.drop)
            # mmengine initializes children after their parent: it must not undo what is loaded here.
            for child in target.modules():
                if child is not module and hasattr(child, 'init_weights'):
                    child.is_init = True  # type: ignore[assignment]  # torch's stubs know modules and tensors
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'StrictPretrained: loaded from {self.checkpoint}')

    def _targets(self, module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
        for pattern, prefix in self.submodules.items():
            names = [name for name, _ in module.named_modules() if fnmatchcase(name, pattern)]
            if not names:
                raise AttributeError(
                    f'StrictPretrained: {type(module).__name__} has no submodule {pattern!r}'
                )
            for name in names:
                yield module.get_submodule(name), prefix

    def _fit_input_conv(self, target: nn.Module, state_dict: dict[str, Tensor]) -> None:
        if self.in_channels == 'strict':
            return
        for name in INPUT_CONVS:
            if name not in state_dict:
                continue
            conv: Any = target.get_submodule(name.rpartition('.')[0])
            if conv.in_channels == state_dict[name].shape[1]:
                continue
            if self.in_channels == 'adapt':
                state_dict[name] = adapt_in_channels(state_dict[name], conv.in_channels)
            else:
                kaiming_init(conv)
                state_dict[name] = conv.weight.detach()
