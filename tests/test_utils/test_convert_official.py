"""Published checkpoints: all of it under our names, or an error that lists what does not fit."""

import pytest
import torch
from golden import golden_state_dict

from mmav.utils import convert_official_state_dict
from mmav.utils.convert_official import CONVERTERS

NAME = 'efficientdet_d2_audio'
BOXES = 'bbox_head.conv_reg.pointwise'
SCORES = 'bbox_head.conv_cls.pointwise'


@pytest.fixture(scope='module')
def official():
    return golden_state_dict(NAME)


def test_nothing_is_lost_and_nothing_invented(official):
    before = {name: value.clone() for name, value in official.items()}
    converted = convert_official_state_dict(NAME, official)
    assert len(converted) == len(official) == 1076
    rows = sorted((tuple(v.shape), float(v.double().sum())) for v in official.values())
    again = sorted((tuple(v.shape), float(v.double().sum())) for v in converted.values())
    for a, b in zip(rows, again):
        assert a[0] == b[0] and a[1] == pytest.approx(b[1], abs=1e-9)
    assert all(torch.equal(before[name], official[name]) for name in before)


@pytest.mark.parametrize('wrap', [dict, lambda s: {'state_dict': s}, lambda s: {'model': s, 'epoch': 3}])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_published_forms_give_the_same(official, wrap, prefix):
    expected = convert_official_state_dict(NAME, official)
    given = wrap({prefix + name: value for name, value in official.items()})
    result = convert_official_state_dict(NAME, given)
    assert list(result) == list(expected)
    assert all(torch.equal(result[name], expected[name]) for name in expected)


def test_box_rows_change_places(official):
    converted = convert_official_state_dict(NAME, official)
    theirs = official['regressor.header.pointwise_conv.conv.bias']
    for anchor in range(9):
        dy, dx, dh, dw = theirs[4 * anchor : 4 * anchor + 4]
        assert converted[f'{BOXES}.bias'][4 * anchor : 4 * anchor + 4].tolist() == [dx, dy, dw, dh]


def test_classes_are_kept_in_the_order_asked_for(official):
    converted = convert_official_state_dict(NAME, official, classes=[6, 2])
    theirs = official['classifier.header.pointwise_conv.conv.weight']
    ours = converted[f'{SCORES}.weight']
    assert ours.shape == (18, 112, 1, 1)
    for anchor in range(9):
        assert torch.equal(ours[2 * anchor], theirs[20 * anchor + 6])
        assert torch.equal(ours[2 * anchor + 1], theirs[20 * anchor + 2])
    assert converted[f'{SCORES}.bias'].shape == (18,)
    for classes in ([20], [-1], []):
        with pytest.raises(ValueError, match='classes must be some of 0 to 19'):
            convert_official_state_dict(NAME, official, classes=classes)


def test_a_part_of_a_checkpoint_is_refused_with_every_name(official):
    kept = [name for name in official if name.startswith('backbone_net.')]
    renamed = {f'other.{name}' if '_blocks.3.' in name else name: official[name] for name in kept}
    with pytest.raises(ValueError) as error:
        convert_official_state_dict(NAME, renamed)
    text = str(error.value)
    missing = [name for name in official if name not in renamed]
    assert len(missing) > 500 and all(f' {name}' in text for name in missing)
    assert all(name in text for name in renamed if name.startswith('other.'))
    assert f'only {1076 - len(missing)} of the 1076' in text


@pytest.mark.parametrize('name', ['efficientdet_d2_rgb', 'efficientdet_d2_thermal', 'efficientdet_d2_depth'])
def test_another_modality_is_refused(official, name):
    with pytest.raises(ValueError, match='of another modality'):
        convert_official_state_dict(name, official)
    channels = 1 if name.endswith('thermal') else 3
    stem = 'backbone_net.model._conv_stem.conv.weight'
    converted = convert_official_state_dict(name, {**official, stem: official[stem][:, :channels]})
    assert converted['backbone.layers.0.conv.weight'].shape == (32, channels, 3, 3)


def test_other_misfits_are_refused(official):
    with pytest.raises(ValueError, match=r"no published network is called 'efficientdet'; there are"):
        convert_official_state_dict('efficientdet', official)
    with pytest.raises(ValueError, match='holds no weights'):
        convert_official_state_dict(NAME, {'state_dict': {}})
    bias = 'regressor.header.pointwise_conv.conv.bias'
    with pytest.raises(ValueError, match='not 9 anchors a cell'):
        convert_official_state_dict(NAME, {**official, bias: official[bias][:35]})
    with pytest.raises(ValueError, match='5 rows an anchor'):
        convert_official_state_dict(NAME, {**official, bias: torch.zeros(45)})
    assert set(CONVERTERS) >= {f'efficientdet_d2_{m}' for m in ('audio', 'rgb', 'thermal', 'depth')}
