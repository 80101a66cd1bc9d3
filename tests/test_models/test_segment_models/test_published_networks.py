"""DMIN and DCMR as published, through the converter and a strict load, against the stored vectors."""

from functools import cache

import numpy as np
import pytest
import torch
from golden import GOLDEN, golden_input, golden_parameter, golden_state_dict
from mmdet.registry import MODELS

from mmav.models.layers import DenseInterModalityAttention
from mmav.utils import convert_official_state_dict

NETWORKS = dict(
    dmin_supervised=dict(type='DMIN', supervision='fully', protocol='official'),
    dmin_weakly=dict(type='DMIN', supervision='weakly', protocol='official'),
    dcmr_a2v=dict(type='DCMR', direction='a2v', protocol='official'),
    dcmr_v2a=dict(type='DCMR', direction='v2a', protocol='official'),
)
TIME_FIRST = {'fused', 'a_cross', 'v_cross', 'official_is_event_logits'}


@cache
def stored(name):
    """The stored vectors of a network, batch first."""
    with np.load(GOLDEN / f'{name}.npz') as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file if key != 'seed'}
    for key in TIME_FIRST | ({'is_event_logits'} if name == 'dmin_supervised' else set()):
        if key in arrays:
            arrays[key] = arrays[key].transpose(0, 1)
    return arrays


def network_inputs(name):
    shape = (2, 10, 512) if name.startswith('dcmr') else (2, 10, 7, 7, 512)
    inputs = dict(visual=golden_input('visual', shape).abs(), audio=golden_input('audio', (2, 10, 128)).abs())
    if name.startswith('dcmr'):
        inputs['query_mask'] = stored(name)['labels'].double()
    return inputs


@cache
def network(name):
    model = MODELS.build(NETWORKS[name]).double()  # before the weights: they are doubles
    model.load_state_dict(convert_official_state_dict(name, golden_state_dict(name)), strict=True)
    return model.eval()


@pytest.mark.parametrize('name', NETWORKS)
def test_outputs_equal_the_published_networks(name):
    with torch.no_grad():
        outputs = network(name)(network_inputs(name), mode='tensor')
    expected = {key: value for key, value in stored(name).items() if key != 'labels'}
    assert len(expected) >= 3
    for key, value in expected.items():
        torch.testing.assert_close(outputs[key], value, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize('name', NETWORKS)
def test_single_precision_does_as_well(name):
    inputs = {key: value.float() for key, value in network_inputs(name).items()}
    model = MODELS.build(NETWORKS[name]).eval()
    model.load_state_dict(network(name).state_dict())
    with torch.no_grad():
        outputs = model(inputs, mode='tensor')
    for key, value in stored(name).items():
        if key != 'labels':
            assert outputs[key].dtype == torch.float32
            torch.testing.assert_close(
                outputs[key].double(), value, rtol=1e-4, atol=1e-4 * float(value.std())
            )


def test_dima_attention_equals_the_published():
    attention = DenseInterModalityAttention(256, 4, protocol='official').double().eval()
    shapes = {key: value.shape for key, value in attention.state_dict().items()}
    attention.load_state_dict({key: golden_parameter(key, tuple(shape)) for key, shape in shapes.items()})
    query, memory = golden_input('fcpp.query', (10, 3, 256)), golden_input('fcpp.memory', (20, 3, 256))
    other, own = memory.transpose(0, 1).split(10, 1)
    output, weights = attention(query.transpose(0, 1), own, other)
    arrays = stored('dmin_dima_attention')
    torch.testing.assert_close(output, arrays['output'].transpose(0, 1), rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(weights, arrays['attention_mean_over_heads'], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize('name', NETWORKS)
def test_whole_published_checkpoints_alone_are_converted(name):
    published = golden_state_dict(name)
    lacking = {key: value for key, value in published.items() if 'affine_video_guided_1' not in key}
    with pytest.raises(ValueError, match=r'missing: .*affine_video_guided_1'):
        convert_official_state_dict(name, lacking)
    with pytest.raises(ValueError, match='left over: another'):
        convert_official_state_dict(name, {**published, 'another': torch.zeros(1)})
    parallel = {f'module.{key}': value for key, value in published.items()}
    assert set(convert_official_state_dict(name, parallel)) == set(network(name).state_dict())
