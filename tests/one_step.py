"""A step of training, as every config's test takes one."""

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper


def train_a_step(model: BaseModel, batch: dict, lr: float) -> tuple[dict, set[str]]:
    """Train a step by plain gradient descent, and see that it reaches every parameter.

    Args:
        model: Of a config; it gets its initial weights.
        batch: What its data preprocessor takes.
        lr: Learning rate.

    Returns:
        tuple: Logged losses, all finite, and names of the parameters that changed.
    """
    model.init_weights()
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    reached = set()
    for key, parameter in model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, key=key: reached.add(key))

    logs = model.train().train_step(batch, OptimWrapper(torch.optim.SGD(model.parameters(), lr=lr)))

    unfit = {key: value for key, value in logs.items() if not torch.as_tensor(value).isfinite().all()}
    assert not unfit, unfit
    # a parameter without a gradient would stop distributed training
    assert reached == set(before), set(before) - reached
    changed = {key for key, parameter in model.named_parameters() if not torch.equal(parameter, before[key])}
    return logs, changed
