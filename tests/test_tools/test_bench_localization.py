import importlib
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parents[2]
RESNET = dict(depth=18, base_channels=8, stem_channels=8, num_stages=4, out_indices=(3,), norm_eval=False)
SMALL = dict(
    visual_backbone=dict(type='ResNet', **RESNET),
    audio_backbone=dict(type='AudioResNet', in_channels=1, **RESNET),
    visual_channels=64,
    audio_channels=64,
    embed_channels=64,
)


@pytest.fixture(scope='module')
def benchmarks():
    """The modules of the benchmarks, which lie beside the tool and not in the package."""
    sys.path.insert(0, str(ROOT / 'benchmarks'))
    names = ('ciou', 'log_spectrogram', 'avc_step')
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield {name: importlib.import_module(f'speed.{name}') for name in names}
    sys.path.remove(str(ROOT / 'benchmarks'))


@pytest.fixture
def teachers(tmp_path) -> str:
    """A config of small teachers: ResNets, one of the student's spectrogram."""
    visual = dict(SMALL['visual_backbone'])
    audio = dict(SMALL['audio_backbone'])
    text = f"teachers = dict(type='AVCTeachers', visual={visual}, audio={audio}, audio_input='spectrogram')\n"
    (tmp_path / 'teachers.py').write_text(text)
    return str(tmp_path / 'teachers.py')


def test_made_up_maps(benchmarks):
    maps, truth = benchmarks['ciou'].made_up_maps(3, side=29)
    cells = np.random.default_rng(0).standard_normal((3, 7, 7)).astype(np.float32)
    np.testing.assert_allclose(maps[:, ::14, ::14], cells[:, ::3, ::3], atol=1e-5)
    assert set(np.unique(truth)) == {0, 1}
    for target in truth:
        assert cv2.connectedComponents(target.astype(np.uint8))[0] == 2, 'one box'


def test_ciou(benchmarks):
    comparisons = benchmarks['ciou'].ciou_metric(maps=4, repeats=2, looped=2)
    assert [comparison.target for comparison in comparisons] == [20, 20, None]
    assert [len(comparison.ratios) for comparison in comparisons] == [2, 2, 2]
    assert all('difference' in comparison.checked for comparison in comparisons)
    assert 'reading both arrays once' in comparisons[1].notes[-1]


def test_unequal_scores_are_noticed(benchmarks, monkeypatch):
    module = benchmarks['ciou']
    monkeypatch.setattr(module, 'pixel_by_pixel', lambda maps, truth: np.zeros(len(maps)))
    with pytest.raises(AssertionError, match='scores differ'):
        module.ciou_metric(maps=2, repeats=1)


def test_log_spectrogram(benchmarks):
    double, single = benchmarks['log_spectrogram'].log_spectrogram(clips=2, seconds=0.5, repeats=2)
    assert len(double.ratios) == len(single.ratios) == 2
    assert 'largest difference' in double.checked and 'double_precision=False' in single.ours


def test_avc_step(benchmarks, teachers):
    online, alone = benchmarks['avc_step'].avc_step(
        teachers, size=64, batch=2, repeats=2, seconds=0.5, localizer=SMALL
    )
    assert (online.kind, alone.kind) == ('gain', 'cost')
    assert online.checked == 'loss_audio_hint, loss_similarity, loss_visual_hint'
    assert alone.checked == 'loss_similarity'
    assert min(online.ratios + alone.ratios) > 0


def test_unequal_steps_are_noticed(benchmarks, teachers, monkeypatch):
    module = benchmarks['avc_step']
    make = module.make_batches

    def other_embeddings(*args) -> dict:
        batches = make(*args)
        batches['offline']['inputs']['teacher_audio'][0] *= -1
        return batches

    monkeypatch.setattr(module, 'make_batches', other_embeddings)
    with pytest.raises(AssertionError):
        module.avc_step(teachers, size=64, batch=2, repeats=1, seconds=0.5, localizer=SMALL)
