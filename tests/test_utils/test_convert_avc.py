"""Published sound localizers: all of it under our names, or an error that says what does not fit.

That the converted network computes the same is tested with the localizer.
"""

import pytest
import torch
import torchvision
from golden import golden_state_dict

from mmav.utils import convert_official_state_dict


@pytest.fixture(scope='module')
def official():
    return golden_state_dict('avc')


def test_nothing_is_lost_and_nothing_invented(official):
    wrapped = {'model': {f'module.{name}': value for name, value in official.items()}, 'epoch': 3}
    for given in (official, wrapped):
        converted = convert_official_state_dict('avc', given)
        assert len(converted) == len(official) == 244
        assert {id(value) for value in converted.values()} == {id(value) for value in official.values()}
    resnet = {name for name in torchvision.models.resnet18().state_dict() if not name.startswith('fc.')}
    for ours, published in (('visual', 'imgnet'), ('audio', 'audnet')):
        for name in resnet:
            assert converted[f'{ours}_backbone.{name}'] is official[f'{published}.{name}']


def test_misfits_are_refused(official):
    with pytest.raises(
        ValueError, match=r'only 243 of the 244[^\n]*\n *missing: aud_proj.bias\n *left over: extra'
    ):
        convert_official_state_dict(
            'avc', {**{k: v for k, v in official.items() if k != 'aud_proj.bias'}, 'extra': torch.zeros(1)}
        )
    color = torch.zeros(64, 3, 7, 7)
    with pytest.raises(ValueError, match=r'audio_backbone is \(64, 3, 7, 7\): its input has not 1 channel'):
        convert_official_state_dict('avc', {**official, 'audnet.conv1.weight': color})
