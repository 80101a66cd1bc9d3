import importlib
import sys
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / 'configs' / 'mm_distillnet' / 'distillnet_r18_sim.py')


@pytest.fixture(scope='module')
def distillation():
    """The module of the benchmark, which lies beside the tool and not in the package."""
    sys.path.insert(0, str(ROOT / 'benchmarks'))
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield importlib.import_module('speed.distillation')
    sys.path.remove(str(ROOT / 'benchmarks'))


def test_every_way_to_labels_trains_the_same(distillation):
    results = distillation.distill_step(CONFIG, size=64, batch=2, repeats=1)
    cases = [(result.case.split(', ')[1], result.ours.split(', ')[1], result.target) for result in results]
    assert cases == [
        ('tensors at hand', 'no teacher', 2.0),
        ('tensors at hand', 'features of the teachers on line', None),
        ('with the loading from files', 'no teacher', 2.0),
        ('with the loading from files', 'features of the teachers on line', None),
    ]
    assert all(len(result.ratios) == 1 and 'loss_mta' in result.checked for result in results)


def test_other_labels_are_noticed(distillation, monkeypatch):
    label = distillation.label_offline

    def one_less(distiller, batch):
        labeled = label(distiller, batch)
        labeled[0].gt_instances = labeled[0].gt_instances[1:]
        return labeled

    monkeypatch.setattr(distillation, 'label_offline', one_less)
    with pytest.raises(AssertionError, match='close'):
        distillation.distill_step(CONFIG, size=64, batch=1, repeats=1)
