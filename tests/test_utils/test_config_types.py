"""Configs out of checkpoints build nothing that is not registered by trusted packages."""

import sys

import pytest
from mmengine.registry import MODELS, init_default_scope

from mmav.utils.config_text import parse_config_text
from mmav.utils.config_types import check_config_types

pytestmark = pytest.mark.stack

HIDDEN = dict(type='os.system', command='touch victim')


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmdet')


@pytest.mark.parametrize(
    ('config', 'place'),
    [
        (dict(model=HIDDEN), r'model\.type'),
        (dict(model=dict(type='FasterRCNN', backbone=HIDDEN)), r'model\.backbone\.type'),
        (
            dict(model=dict(type='FasterRCNN', data_preprocessor=dict(batch_augments=[HIDDEN]))),
            r'batch_augments\.0',
        ),
        (dict(model=dict(type='FasterRCNN', test_cfg=dict(rcnn=(dict(a={'b': HIDDEN}),)))), r'a\.b\.type'),
        (dict(test_dataloader=dict(dataset=dict(pipeline=[HIDDEN]))), r'pipeline\.0\.type'),
        (dict(test_dataloader=dict(collate_fn=HIDDEN)), r'collate_fn\.type'),
        (dict(default_hooks=dict(logger=HIDDEN)), r'logger\.type'),
        (dict(optim_wrapper=dict(type='OptimWrapper', constructor='os.system')), 'constructor'),
        (dict(runner_type='os.system'), 'runner_type'),
        (dict(default_scope='os'), 'default_scope'),
        (dict(model=dict(type='FasterRCNN', _scope_='os')), '_scope_'),
    ],
)
def test_refuses_at_every_depth(config, place):
    with pytest.raises(ValueError, match=rf'e\.pth names .*{place}.*trusted_packages'):
        check_config_types(config, 'e.pth')


@pytest.mark.parametrize(
    'name',
    [
        'os.system',
        'subprocess.Popen',
        'builtins.exec',
        'antigravity',
        'mmengine.os.system',
        'mmengine.Config.fromfile',
        'mmengine.config.Config',
        'mmengine.runner.load_checkpoint',
        'mmengine.runner.Runner',
        'mmdet.apis.init_detector',
        'torch.load',
        'torch.hub.load',
        'torchvision.models.get_model',
        'mmav.utils.fileio.write_json',
        'mmdet.os.system',
        'FasterRCNN ',
        '',
        None,
        ['FasterRCNN'],
        # registered, but their constructors unpickle or evaluate what the config says
        'KnowledgeDistillationSingleStageDetector',
        'mmdet.LAD',
        'BertModel',
        'CameraMotionCompensation',
        'mmpretrain.TIMMBackbone',
        'mmpretrain.HuggingFaceClassifier',
        # registered, but nothing that a model is made of
        'StrictRunner',
        'MAVDDataset',
    ],
)
def test_refuses_as_a_part_of_a_model(name):
    with pytest.raises(ValueError, match=r'e\.pth names'):
        check_config_types(dict(model=dict(type='FasterRCNN', neck=dict(type=name))), 'e.pth')


@pytest.mark.parametrize('name', ["__import__('os').system('touch victim')", 'os.system', 'ResNet'])
@pytest.mark.parametrize('key', ['nms', 'roi_layer'])
def test_refuses_operators_that_there_are_not(key, name):
    config = dict(model=dict(type='FasterRCNN', test_cfg=dict(rcnn={key: dict(type=name)})))
    with pytest.raises(ValueError, match=rf'rcnn\.{key}\.type'):
        check_config_types(config, 'e.pth')


@pytest.mark.parametrize(
    'name',
    [
        'FasterRCNN',
        'mmdet.FasterRCNN',
        'mmpretrain.ResNet',
        'mmdet.models.detectors.FasterRCNN',
        'mmdet.models.detectors.faster_rcnn.FasterRCNN',
        'mmav.models.detectors.AudioVisualFasterRCNN',
        'BN',
        'torch.nn.BatchNorm2d',
    ],
)
def test_takes_registered_names_and_paths(name):
    check_config_types(dict(model=dict(type=name)), 'good.pth')


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A user's package that registers a model."""
    (tmp_path / 'bats').mkdir()
    (tmp_path / 'bats/__init__.py').write_text(
        'from mmengine.registry import MODELS\n\n\n@MODELS.register_module()\nclass BatDetector:\n    pass\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield 'bats'
    sys.modules.pop('bats', None)
    MODELS.module_dict.pop('BatDetector', None)


TEXT = (
    "custom_imports = dict(imports=['bats'], allow_failed_imports=False)\nmodel = dict(type='BatDetector')\n"
)


def test_imports_a_package_only_where_it_is_named(package):
    with pytest.raises(ValueError, match=r"bat\.pth names 'bats' \(custom_imports\)"):
        parse_config_text(TEXT, 'bat.pth')
    assert 'bats' not in sys.modules
    assert parse_config_text(TEXT, 'bat.pth', ['bats']).model.type == 'BatDetector'
    # imported by now, and yet trusted only where it is named
    with pytest.raises(ValueError, match='BatDetector'):
        parse_config_text("model = dict(type='BatDetector')", 'bat.pth')


@pytest.mark.parametrize('imports', [['os'], dict(imports='os'), dict(imports=['mmav', 7]), 'os'])
def test_refuses_imports(imports):
    with pytest.raises(ValueError, match='custom_imports'):
        parse_config_text(f'custom_imports = {imports!r}', 'e.pth')
