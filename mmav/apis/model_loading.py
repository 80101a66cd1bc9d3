"""The model of an inferencer: from a config, a checkpoint, or a checkpoint alone."""

import copy
from collections.abc import Sequence

from mmdet.registry import MODELS
from mmengine import ConfigDict
from mmengine.model import BaseModel, revert_sync_batchnorm

from ..utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from ..utils.config_text import parse_config_text


def load_model(
    cfg: ConfigDict,
    weights: str | None,
    device: str,
    allow_missing: Sequence[str] = (),
    left_out: Sequence[str] = (),
    trusted_packages: Sequence[str] = (),
) -> tuple[BaseModel, dict]:
    """Build a model and load its checkpoint, safely and strictly.

    Args:
        cfg: Config. An empty one is filled with that of the checkpoint, which is read as plain
            values and not run.
        weights: Checkpoint. None: random weights.
        device: Where the model goes.
        allow_missing: Prefixes of parameters that the checkpoint may lack. Defaults to none.
        left_out: Parts of the model's config that only training needs, as dotted keys; they
            become None where they occur. Defaults to none.
        trusted_packages: Packages beside OpenMMLab's whose classes a config out of the checkpoint may build;
            see :func:`mmav.utils.config_types.check_config_types`. Defaults to none.

    Returns:
        The model, in evaluation mode, with the config as ``cfg``; and the checkpoint's ``meta``.

    Raises:
        ValueError: The checkpoint is damaged, there is no config, or its config names what is not trusted.
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
    """
    checkpoint = None if weights is None else read_checkpoint(str(weights))
    meta = {} if checkpoint is None else checkpoint.get('meta', {})
    if not cfg:
        if meta.get('cfg') is None:
            raise ValueError(f'{weights} holds no config: give the config as model')
        text = parse_config_text(meta['cfg'], f'the config in {weights}', trusted_packages)
        if not isinstance(text.get('model'), dict):
            raise ValueError(f'the config in {weights} has no model: give the config as model')
        cfg.update(text._cfg_dict)
    model_cfg = copy.deepcopy(cfg.model)
    for key in left_out:
        *parents, last = key.split('.')
        node = model_cfg
        for parent in parents:
            node = node.get(parent) or {}
        if last in node:
            node[last] = None
    model = MODELS.build(model_cfg)
    if checkpoint is not None:
        state_dict = select_state_dict(checkpoint, source=str(weights))
        load_strict(model, state_dict, str(weights), allow_missing=allow_missing)
    model = revert_sync_batchnorm(model)
    model.cfg = cfg
    return model.to(device).eval(), meta
