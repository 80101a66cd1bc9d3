"""Gradients that are accumulated when a checkpoint is saved between two steps of the optimizer."""

from collections.abc import Mapping

from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn


def accumulated_gradients(
    model: nn.Module, optim_wrapper: OptimWrapper | OptimWrapperDict
) -> dict[str, Tensor]:
    """What ``accumulative_counts`` iterations have added up since the optimizer's last step.

    All processes call it: each has gradients of its own samples until the step, whose mean over the processes
    stands for them.

    Args:
        model: The model, without a wrapper.
        optim_wrapper: Its optimizers.

    Returns:
        Gradients by the parameters' names, on the CPU; empty after a step.
    """
    wrappers = optim_wrapper.values() if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
    if all(wrapper.should_update() for wrapper in wrappers):
        return {}
    gradients = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            gradient = (
                parameter.new_zeros(parameter.shape) if parameter.grad is None else parameter.grad.clone()
            )
            all_reduce(gradient, 'mean')
            gradients[name] = gradient.cpu()
    return gradients


def restore_gradients(model: nn.Module, gradients: Mapping[str, Tensor]) -> None:
    """Give a model the gradients of :func:`accumulated_gradients`.

    Args:
        model: The model, without a wrapper.
        gradients: Gradients by the parameters' names.
    """
    parameters = dict(model.named_parameters())
    for name, gradient in gradients.items():
        parameters[name].grad = gradient.to(parameters[name])
