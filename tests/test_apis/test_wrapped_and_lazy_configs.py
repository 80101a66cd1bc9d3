"""Inferencers and tools with test sets that wrap others, and with configs of pure Python."""

import copy
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet import registry
from mmengine.config import Config
from mmengine.registry import Registry

from mmav.apis import AudioDetInferencer
from mmav.datasets import LLP_CLASSES
from mmav.utils.config_text import parse_config_text, plain_config, read_config_file

ROOT = Path(__file__).parents[2]
WAVE = (np.random.default_rng(0).standard_normal((8, 44100)) * 3000).astype(np.int16)
ALL_BOXES = {
    'model.test_cfg.rcnn.score_thr': 0.0,
    'model.test_cfg.rcnn.max_per_img': 5,
    'model.data_preprocessor.audio_size': (96, 96),
}


def pure_python(cfg: Config, kind: str = 'class') -> str:
    """Text of a config of the new style: types are classes that it imports, or names of another form."""
    registries = [value for value in vars(registry).values() if isinstance(value, Registry)]
    imports: dict[str, str] = {}

    def name(text: str) -> str:
        found = next((item for item in (one.get(text) for one in registries) if item is not None), None)
        if found is None or text in ('nms', 'RoIAlign'):  # looked up elsewhere
            return repr(text)
        imports[found.__name__] = found.__module__
        return found.__name__ if kind == 'class' else repr(f'{found.__module__}.{found.__name__}')

    def write(value: object) -> str:
        if isinstance(value, dict):
            parts = ', '.join(
                f'{key!r}: {name(item) if key == "type" and isinstance(item, str) else write(item)}'
                for key, item in value.items()
            )
            return f'{{{parts}}}'
        if isinstance(value, (list, tuple)):
            text = ''.join(f'{write(item)}, ' for item in value)
            return f'[{text}]' if isinstance(value, list) else f'({text})'
        return repr(value)

    lines = [f'{key} = {write(value)}' for key, value in cfg.to_dict().items() if key != 'runner_type']
    lines.append('metainfo_of_data = dict(classes=LLP_CLASSES)')  # a value that is imported
    imports['LLP_CLASSES'] = 'mmav.datasets.llp'
    head = [f'from {module} import {item}' for item, module in imports.items()] if kind == 'class' else []
    if kind != 'class':
        lines.pop()
    return '\n'.join([*head, *lines]) + '\n'


@pytest.fixture
def trained(tmp_path, toy_config, build_detector) -> tuple[Config, str]:
    cfg = toy_config('avd/av_faster_rcnn_r18_sim.py', ALL_BOXES)
    torch.save(dict(state_dict=build_detector(cfg).state_dict()), tmp_path / 'model.pth')
    return cfg, str(tmp_path / 'model.pth')


def predict(cfg, weights: str | None) -> dict:
    return AudioDetInferencer(cfg, weights, device='cpu', show_progress=False)(WAVE)['predictions'][0]


def wrap(dataset: dict) -> list[dict]:
    """Ways in which a test set wraps another."""
    other = dict(copy.deepcopy(dataset), data_root='elsewhere')
    for step in other['pipeline']:
        step['type'] = f'mmdet.{step["type"]}'  # written otherwise, but the same
    joined = dict(type='ConcatDataset', datasets=[dataset, other])
    mixed = dict(dataset, pipeline=dataset['pipeline'][:1])
    return [
        joined,
        dict(type='RepeatDataset', times=2, dataset=joined),
        dict(type='ClassBalancedDataset', oversample_thr=0.1, dataset=dataset),
        dict(type='MultiImageMixDataset', dataset=mixed, pipeline=dataset['pipeline'][1:]),
    ]


def test_detectors_of_wrapped_test_sets(trained):
    cfg, weights = trained
    expected = predict(cfg, weights)
    assert len(expected['bboxes']) == 5
    dataset = cfg.test_dataloader.dataset.to_dict()
    for wrapped in wrap(dataset):
        cfg.test_dataloader.dataset = wrapped
        assert predict(cfg, weights) == expected, wrapped['type']
    other = copy.deepcopy(dataset)
    other['metainfo'] = dict(classes=('tram',))
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[dataset, other])
    with pytest.raises(ValueError, match=r"differ in classes: .*\('vehicle',\), .*\('tram',\)"):
        predict(cfg, weights)
    other['metainfo'], other['pipeline'][0]['sample_rate'] = {}, 22050
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[dataset, other])
    with pytest.raises(ValueError, match=r'differ in pipeline: .*22050'):
        predict(cfg, weights)
    cfg.pop('test_dataloader')
    with pytest.raises(ValueError, match=r'no test_dataloader\.dataset'):
        predict(cfg, weights)


@pytest.mark.parametrize('kind', ['class', 'path'])
def test_detectors_of_configs_of_pure_python(tmp_path, trained, kind):
    cfg, weights = trained
    expected = predict(cfg, weights)
    file = tmp_path / 'pure.py'
    file.write_text(pure_python(cfg, kind))
    if kind == 'path':
        assert predict(str(file), weights) == expected
        return
    own = Config.fromfile(file)
    # mmengine's own text of it, with paths that hide classes behind functions, as a checkpoint has it
    assert 'mmdet.models.losses.smooth_l1_loss.L1Loss' in own.pretty_text
    content = dict(torch.load(weights, weights_only=True), meta=dict(cfg=own.pretty_text))
    torch.save(content, tmp_path / 'alone.pth')
    assert predict(None, str(tmp_path / 'alone.pth')) == expected
    assert parse_config_text(read_config_file(file).pretty_text).to_dict() == plain_config(own).to_dict()


def test_imported_values_are_written_as_they_are(tmp_path, trained):
    file = tmp_path / 'pure.py'
    file.write_text(pure_python(trained[0]))
    cfg = read_config_file(file)
    assert cfg.metainfo_of_data.classes == LLP_CLASSES and 'AudioVisualFasterRCNN' not in cfg
    assert parse_config_text(cfg.pretty_text).metainfo_of_data.classes == LLP_CLASSES
    assert plain_config(trained[0]) is trained[0]  # of the other style: as it is


def load_tool(path: str):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / 'tools' / path)
    tool = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = tool
    spec.loader.exec_module(tool)
    return tool


@pytest.mark.parametrize('kind', ['name', 'class'])
def test_tools_strip_and_augment_them(tmp_path, trained, kind):
    cfg, _ = trained
    if kind == 'class':
        (tmp_path / 'pure.py').write_text(pure_python(cfg))
        cfg = Config.fromfile(tmp_path / 'pure.py')
    stripped = load_tool('model_converters/strip_visual.py').deployed_config(cfg)
    assert 'visual_streams' not in stripped.model and stripped.model.data_preprocessor.modality == 'audio'
    dataset = plain_config(cfg).test_dataloader.dataset.to_dict()
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[dataset, copy.deepcopy(dataset)])
    load_tool('test.py').use_tta(cfg)
    for part in cfg.test_dataloader.dataset.datasets:
        *first, last = part.pipeline
        assert last.type == 'TestTimeAug' and len(first) == 2
        assert [step.type for step in last.transforms[0]] == ['MirrorFlip', 'MirrorFlip']
        assert len(last.transforms) == 3  # flips, then the loading of annotations and the packing
