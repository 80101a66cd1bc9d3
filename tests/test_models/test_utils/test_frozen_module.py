import copy

import torch
from torch import nn

from mmav.models.utils.frozen_module import FrozenModule, HiddenSubmodules, build_frozen


class Frozen(FrozenModule):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.freeze()


class Holder(HiddenSubmodules):
    def __init__(self):
        super().__init__()
        self.own = nn.Linear(2, 2)
        self.hide('held', Frozen())


def test_a_frozen_module_stays_in_evaluation_mode():
    module = Frozen().train()
    assert not module.training and not module.norm.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_hidden_modules_move_along_and_are_in_no_checkpoint():
    holder = Holder().double()
    assert holder.held.norm.weight.dtype == torch.float64
    assert set(holder.state_dict()) == {'own.weight', 'own.bias'}
    assert len(list(holder.parameters())) == 2 and 'held' not in dict(holder.named_modules())
    twin = copy.deepcopy(holder).float()
    # a copy moves its own
    assert (twin.held.norm.weight.dtype, holder.held.norm.weight.dtype) == (torch.float32, torch.float64)


def test_a_network_is_built_from_a_copy_of_its_config_without_synchronized_normalization():
    config = dict(type='mmdet.ResNet', depth=18, norm_cfg=dict(type='SyncBN'))
    network = build_frozen(config)
    assert config == dict(type='mmdet.ResNet', depth=18, norm_cfg=dict(type='SyncBN'))
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in network.modules())
