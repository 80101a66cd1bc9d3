"""Classes that stand on mmpretrain: known without it, imported when they are built."""

import subprocess
import sys

import pytest
from mmdet.registry import METRICS, MODELS
from mmengine.registry import Registry

from mmav.compat import register_lazily

pytestmark = pytest.mark.stack

WITHOUT_MMPRETRAIN = """
import sys
from importlib import metadata
sys.modules['mmpretrain'] = None
read = metadata.version
def version(name):
    if 'mmpretrain' in name:
        raise metadata.PackageNotFoundError(name)
    return read(name)
metadata.version = version
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == 'mmpretrain' else find(name, *rest)

import mmav
from mmdet.registry import METRICS, MODELS, TRANSFORMS
names = ('AudioClassifier', 'CountMetric', 'PackClassInputs')
for registry, name in zip((MODELS, METRICS, TRANSFORMS), names):
    try:
        registry.build(dict(type=name))
    except ImportError as error:
        print(error)
print(MODELS.build(dict(type='AVDLoss')).__class__.__name__)
"""


def test_a_built_object_is_of_the_class(tmp_path, monkeypatch):
    (tmp_path / 'shapes.py').write_text(
        'class Circle:\n    def __init__(self, radius, unit="m"):\n        self.text = f"{radius} {unit}"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry('shape')
    register_lazily(registry, 'Circle', 'shapes')
    assert 'shapes' not in sys.modules
    circle = registry.build(dict(type='Circle', radius=3))
    assert type(circle) is sys.modules['shapes'].Circle and circle.text == '3 m'


def test_the_class_takes_the_place_once_it_is_imported():
    from mmav.evaluation import CountMetric
    from mmav.evaluation.metrics import CountMetric as FromMetrics
    from mmav.models.classifiers import AudioClassifier

    assert METRICS.get('CountMetric') is CountMetric is FromMetrics
    assert MODELS.get('AudioClassifier') is AudioClassifier


def test_without_mmpretrain_only_what_needs_it_fails():
    result = subprocess.run([sys.executable, '-c', WITHOUT_MMPRETRAIN], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    *refused, built = result.stdout.splitlines()
    for name, message in zip(('AudioClassifier', 'CountMetric', 'PackClassInputs'), refused, strict=True):
        assert f'{name} needs mmpretrain, which is not installed. Run: pip install "' in message
    assert built == 'AVDLoss'
