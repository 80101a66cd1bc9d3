"""Models of segments and localizers as ONNX files, by onnxruntime against PyTorch."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmav.export.errors import ExportError
from mmav.export.named_tensors import NamedTensors, example_inputs, input_shapes
from mmav.export.onnx_file import largest_differences, onnx_bytes

CONFIGS = Path(__file__).parents[2] / 'configs'


def build(config: str):
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(Config.fromfile(CONFIGS / config).model).eval().float()


@pytest.mark.parametrize(
    'config',
    [
        'dmin/dmin_sim.py',
        'dmin/dmin_sim_weakly.py',
        'dmin/dcmr_sim_a2v.py',
        'dmin/dcmr_sim_v2a.py',
        'avvp/han_sim.py',
        'avvp/adv_skip_gcaa_sim.py',
        'avc/avc_r18_sim_no_teacher.py',
    ],
)
def test_equals_the_model_for_any_batch_size(config):
    model = build(config)
    shapes = input_shapes(model)
    module, inputs = NamedTensors(model, shapes), example_inputs(shapes)
    module(*inputs.values())
    content = onnx_bytes(module, inputs, module.outputs)
    for batch_size in (1, 4):
        torch.manual_seed(batch_size)
        differences = largest_differences(module, content, example_inputs(shapes, batch_size), module.outputs)
        assert set(differences) == set(module.outputs)
        assert max(differences.values()) < 1e-4, differences


def test_queries_of_other_lengths_and_places():
    model = build('dmin/dcmr_sim_a2v.py')
    shapes = input_shapes(model)
    module, inputs = NamedTensors(model, shapes), example_inputs(shapes)
    module(*inputs.values())
    content = onnx_bytes(module, inputs, module.outputs)
    inputs['query_mask'] = torch.zeros(3, 10)
    for row, places in enumerate((slice(0, 1), slice(4, 9), slice(0, 10))):
        inputs['query_mask'][row, places] = 1
    assert max(largest_differences(module, content, inputs, module.outputs).values()) < 1e-4


def test_what_cannot_be_exported_is_named():
    with pytest.raises(ExportError, match='AVGPretrainer cannot be exported'):
        input_shapes(build('avvp/avg_multi_sim.py'))

    class Determinants(torch.nn.Module):
        def forward(self, x):
            return (torch.linalg.eigvalsh(x),)

    with pytest.raises(ExportError, match='linalg_eigvalsh'):
        onnx_bytes(Determinants(), dict(x=torch.eye(2).expand(3, 2, 2)), ['values'])


def test_a_frozen_batch_size_is_an_error():
    class Frozen(torch.nn.Module):
        def forward(self, x):
            return (x * torch.zeros(x.shape[0], 2).add(len(x)),)

    with pytest.raises(ExportError, match='size of the batch'):
        onnx_bytes(Frozen(), dict(x=torch.ones(3, 2)), ['y'])
