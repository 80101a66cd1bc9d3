"""CNN14 beside the module of the package panns-inference."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from torch import nn


@pytest.fixture(scope='module')
def reference():
    """The package's class; the package itself must not be imported: it downloads a file then."""
    folder = Path(importlib.util.find_spec('torchlibrosa').origin).parents[1] / 'panns_inference'
    spec = importlib.util.spec_from_file_location(
        'reference_panns', folder / '__init__.py', submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules['reference_panns'] = package
    models = importlib.util.spec_from_file_location('reference_panns.models', folder / 'models.py')
    module = importlib.util.module_from_spec(models)
    sys.modules['reference_panns.models'] = module
    try:
        models.loader.exec_module(module)
        torch.manual_seed(0)
        network = module.Cnn14(32000, 1024, 320, 64, 50, 14000, 527)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)  # Xavier's would let the clips' difference die away
            elif isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 1.5)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, 0, 0.1)
        network.bn0.running_mean.fill_(-20)  # decibel
        network.bn0.running_var.fill_(100)
        yield network.eval()
    finally:
        for name in [name for name in sys.modules if name.startswith('reference_panns')]:
            del sys.modules[name]


def test_loads_the_published_names_and_gives_the_same_embedding(reference, tmp_path):
    file = tmp_path / 'Cnn14.pth'
    torch.save(dict(iteration=600000, model=reference.state_dict()), file)
    model = MODELS.build(dict(type='CNN14', checkpoint=str(file)))
    model.init_weights()
    generator = torch.Generator().manual_seed(1)
    waveform = torch.randn(2, 11200, generator=generator) * torch.tensor([[0.3], [0.003]])
    with torch.no_grad():
        expected = reference(waveform)['embedding']
        embedding = model.eval()(waveform)
    assert embedding.shape == (2, 2048)
    assert (expected[0] - expected[1]).abs().max() > 0.1 * expected.abs().max()
    torch.testing.assert_close(embedding, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_a_checkpoint_of_other_filters_or_names_is_refused(tmp_path):
    toy = dict(type='CNN14', base_channels=2)
    state_dict = MODELS.build(toy).state_dict()
    filters = dict(f_max=8000.0, sample_rate=16000)
    other = MODELS.build(dict(toy, **filters)).log_mel.filters.t()
    file = str(tmp_path / 'a.pth')
    torch.save(dict(model={**state_dict, 'logmel_extractor.melW': other}), file)
    with pytest.raises(ValueError, match=r'a\.pth was trained on other mel filters'):
        MODELS.build(dict(toy, checkpoint=file)).init_weights()
    MODELS.build(dict(toy, checkpoint=file, **filters)).init_weights()

    state_dict['fc2.weight'] = state_dict.pop('fc1.weight')
    torch.save(dict(model=state_dict), file)
    with pytest.raises(RuntimeError, match=r'(?s)missing: fc1\.weight.*unexpected: fc2\.weight'):
        MODELS.build(dict(toy, checkpoint=file)).init_weights()
    with pytest.raises(ValueError, match='checkpoint or init_cfg'):
        MODELS.build(dict(toy, checkpoint=file, init_cfg=dict(type='Xavier')))


def test_a_toy_is_32_times_as_wide_as_its_first_block_and_trains():
    torch.manual_seed(0)
    model = MODELS.build(dict(type='CNN14', base_channels=2)).train()
    model.init_weights()
    assert model.fc1.bias.abs().max() == 0
    embedding = model(torch.randn(3, 9920) * 0.1)
    assert embedding.shape == (3, 64)
    embedding.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.conv_block1.parameters())


def test_waveforms_that_cannot_be_embedded_are_named():
    model = MODELS.build(dict(type='CNN14', base_channels=1))
    with pytest.raises(ValueError, match=r'needs 32 frames, 9920 samples; the clips have 9919'):
        model(torch.zeros(1, 9919))
    with pytest.raises(ValueError, match=r'mono waveforms \(B, L\)'):
        model(torch.zeros(1, 2, 32000))
