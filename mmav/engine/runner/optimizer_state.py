"""Whether the state of an optimizer in a checkpoint belongs to the parameters that are trained."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

# what optimizers of torch keep of each parameter, in its own shape
_LIKE_PARAMETER = frozenset(
    'exp_avg exp_avg_sq max_exp_avg_sq momentum_buffer square_avg grad_avg acc_delta sum exp_inf prev'.split()
)


def check_optimizer_state(
    state: Mapping[str, Any], optimizer: Optimizer, model: nn.Module, source: str
) -> None:
    """Compare a state dict of an optimizer with the parameters of the one that is to take it.

    Torch loads moments of other shapes without a word, and fails in the first step.

    Args:
        state: ``optimizer.state_dict()`` of a checkpoint.
        optimizer: The optimizer that is resumed.
        model: The model whose parameters it trains, for their names.
        source: File of the checkpoint.

    Raises:
        ValueError: Groups or parameters are of another number, or a moment of another shape; the message
            names the checkpoint and the parameter.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    try:
        groups = [list(group['params']) for group in state['param_groups']]
        moments = {number: dict(values) for number, values in state['state'].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'{source} cannot be resumed: it holds no state of an optimizer ({error!r})'
        ) from error
    found = [len(group) for group in groups]
    wanted = [len(group['params']) for group in optimizer.param_groups]
    if found != wanted:
        raise ValueError(
            f'{source} cannot be resumed: its optimizer has groups of {found} parameters, the config makes '
            f'groups of {wanted}'
        )
    for numbers, group in zip(groups, optimizer.param_groups):
        for number, parameter in zip(numbers, group['params']):
            for key, value in moments.get(number, {}).items():
                if key in _LIKE_PARAMETER and isinstance(value, Tensor) and value.shape != parameter.shape:
                    raise ValueError(
                        f'{source} cannot be resumed: {key} of {names.get(id(parameter), number)} has shape '
                        f'{tuple(value.shape)}, the parameter {tuple(parameter.shape)}'
                    )
