"""Networks that are never trained, and modules that a model holds without owning them."""

import copy
from collections.abc import Callable

from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from mmengine.config import ConfigDict
from mmengine.model.utils import revert_sync_batchnorm
from torch import nn


def build_frozen(config: ConfigType) -> nn.Module:
    """Build a network that is used and not trained, from a config, which is not changed.

    Plain batch normalization takes the place of synchronized: its statistics stay as they are.
    """
    return revert_sync_batchnorm(MODELS.build(ConfigDict(copy.deepcopy(config))))


class FrozenModule(nn.Module):
    """Base of modules that stay in evaluation mode and whose parameters take no gradients."""

    def freeze(self) -> None:
        """Freeze all that the module holds; to be called at the end of ``__init__``."""
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> 'FrozenModule':
        """Stay in evaluation mode."""
        return super().train(False)


class HiddenSubmodules(nn.Module):
    """Base of models that hold modules which are neither in ``parameters()`` nor in checkpoints.

    Optimizers, gradient clipping and checkpoints then know nothing of them; they go with the model to other
    devices and precisions.

    Example:
        >>> class Student(HiddenSubmodules):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hide('teacher', nn.Linear(2, 2))
        >>> student = Student().double()
        >>> len(list(student.parameters())), student.teacher.weight.dtype
        (0, torch.float64)
    """

    def hide(self, name: str, module: nn.Module) -> None:
        """Set an attribute to a module that is not to become a submodule."""
        object.__setattr__(self, name, module)  # past nn.Module, which would register it
        self.__dict__.setdefault('_hidden', []).append(module)

    def _apply(self, fn: Callable, recurse: bool = True) -> 'HiddenSubmodules':
        for module in self.__dict__.get('_hidden', ()):
            module._apply(fn)
        return super()._apply(fn, recurse)
