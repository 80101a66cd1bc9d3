"""The published HAN: what is used keeps its values, what is not is dropped by name, nothing else passes."""

import pytest
import torch
from golden import golden_state_dict
from mmdet.registry import MODELS
from mmengine.logging import MMLogger

from mmav.utils import convert_official_state_dict
from mmav.utils.convert_official.han import UNUSED


@pytest.fixture(scope='module')
def official():
    return golden_state_dict('han')


def test_used_tensors_keep_their_values_and_unused_modules_are_named_in_the_log(official, monkeypatch):
    lines = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'log', lambda level, message, **_: lines.append(message))
    converted = convert_official_state_dict('han', official)

    dropped = [name for name in official if name.startswith(UNUSED)]
    assert len(converted) == len(official) - len(dropped) == 30
    kept = [value for name, value in official.items() if name not in dropped]
    assert all(any(value is theirs for theirs in kept) for value in converted.values())
    assert len({id(value) for value in converted.values()}) == len(kept)
    (line,) = lines
    assert f'dropped {len(dropped)} tensors' in line and all(module in line for module in UNUSED)
    parser = MODELS.build(dict(type='HybridAttentionParser'))
    shapes = {name: value.shape for name, value in parser.state_dict().items()}
    assert shapes == {name: value.shape for name, value in converted.items()}


def test_unused_modules_may_be_gone_and_used_ones_may_not(official):
    slim = {name: value for name, value in official.items() if not name.startswith(UNUSED)}
    converted = convert_official_state_dict('han', slim)
    expected = convert_official_state_dict('han', official)
    assert list(converted) == list(expected)
    assert all(torch.equal(value, expected[name]) for name, value in converted.items())

    del slim['fc_prob.bias']
    slim['fc_other.bias'] = torch.zeros(1)
    with pytest.raises(ValueError, match=r'(?s)missing: fc_prob\.bias.*left over: fc_other\.bias'):
        convert_official_state_dict('han', slim)


def test_a_layer_more_than_published_is_refused(official):
    extra = {**official, 'hat_encoder.layers.1.linear1.bias': torch.zeros(512)}
    with pytest.raises(ValueError, match=r'left over: hat_encoder\.layers\.1\.linear1\.bias'):
        convert_official_state_dict('han', extra)


def test_options_of_other_networks_are_refused(official):
    with pytest.raises(ValueError, match='han: there is no option classes for this network'):
        convert_official_state_dict('han', official, classes=[6])
