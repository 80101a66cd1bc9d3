import functools
import importlib.util
import json
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'
DETECTOR = dict(
    config=str(BENCHMARKS.parent / 'configs' / 'avd' / 'av_faster_rcnn_r18_sim.py'),
    size=64,
    batch=2,
    repeats=2,
)


@pytest.fixture(scope='module')
def benchmarks():
    """The modules of the benchmarks, which lie beside the tool and not in the package."""
    sys.path.insert(0, str(BENCHMARKS))
    names = ('acoustic_image', 'detectors', 'loader', 'loader_http', 'log_mel', 'mavd_files', 'pairs')
    names = (*names, 'published_loader')
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield {name: importlib.import_module(f'speed.{name}') for name in names}
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope='module')
def frames(benchmarks, tmp_path_factory):
    """Two frames of jpg thermal images and two of 16-bit ones."""
    roots = {bits: tmp_path_factory.mktemp(f'mavd_{bits}') for bits in (8, 16)}
    for bits, root in roots.items():
        benchmarks['mavd_files'].write_mavd(root, 2, bits)
    return roots


def test_acoustic_images_are_those_of_the_equations(benchmarks):
    found = benchmarks['acoustic_image'].acoustic_image(repeats=1, batch=1)
    assert [comparison.kind for comparison in found] == ['gain', 'cost'] * 3
    assert all('largest difference' in comparison.checked for comparison in found[::2])


def test_ratios_and_verdicts(benchmarks):
    comparison = benchmarks['pairs'].Comparison(
        'name',
        'case',
        'a',
        'b',
        'cost',
        target=1.1,
        ours_values=[2.0, 3.0, 8.0],
        reference_values=[2.0, 2.0, 2.0],
    )
    assert comparison.ratios == [1.0, 1.5, 4.0]
    summary = comparison.summary()
    assert (summary['ratio_median'], summary['ratio_min'], summary['ratio_max']) == (1.5, 1.0, 4.0)
    assert comparison.reached is False and 'MISSED' in str(comparison)
    comparison.kind, comparison.target = 'gain', 0.6
    assert comparison.ratios == [1.0, 2 / 3, 0.25]
    assert comparison.reached is True and 'reached' in str(comparison)
    comparison.target = None
    assert comparison.reached is None and 'target' not in str(comparison)


def test_pairs_take_turns(benchmarks):
    calls = []
    ours, reference = benchmarks['pairs'].time_pairs(
        lambda: calls.append('a'), lambda: calls.append('b'), repeats=3, number=2
    )
    assert ''.join(calls) == 'ab' + 'aabb' * 3
    assert len(ours) == len(reference) == 3 and min(ours + reference) >= 0


def test_threads_are_pinned_and_given_back(benchmarks):
    before = torch.get_num_threads()
    with benchmarks['pairs'].pinned_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_machine_is_named(benchmarks):
    machine = benchmarks['pairs'].describe_machine()
    assert machine['torch'] == torch.__version__
    assert machine['cores'] >= 1 and machine['processor']


def test_avd_step(benchmarks):
    (comparison,) = benchmarks['detectors'].avd_step(**DETECTOR, profiled=1)
    assert len(comparison.ratios) == 2 and all(value > 0 for value in comparison.ratios)
    assert 'loss_rpn_cls' in comparison.checked
    assert 'convolution' in '\n'.join(comparison.notes)
    assert 'GFLOP' in comparison.notes[-1]


def test_unequal_training_steps_are_noticed(benchmarks):
    detectors = benchmarks['detectors']
    options = {key: DETECTOR[key] for key in ('config', 'size', 'batch')}
    pair = detectors.build_detectors(**options)
    steps = detectors.training_steps(pair)
    detectors.check_same_training(pair, *steps)
    with torch.no_grad():
        pair.stock.rpn_head.rpn_cls.bias += 1
    with pytest.raises(AssertionError):
        detectors.check_same_training(pair, *steps)


def test_config_options_reach_both_detectors(benchmarks):
    options = {key: DETECTOR[key] for key in ('config', 'size', 'batch')}
    pair = benchmarks['detectors'].build_detectors(
        **options, options={'model.train_cfg.rcnn.sampler.num': 16}
    )
    assert pair.ours.roi_head.bbox_sampler.num == pair.stock.roi_head.bbox_sampler.num == 16


def test_inference(benchmarks):
    (comparison,) = benchmarks['detectors'].inference(**DETECTOR)
    assert len(comparison.ratios) == 2
    assert 'bit for bit' in comparison.checked


def test_unequal_boxes_are_noticed(benchmarks):
    detectors = benchmarks['detectors']
    options = {key: DETECTOR[key] for key in ('config', 'size', 'batch')}
    pair = detectors.build_detectors(**options)
    pair.ours.eval(), pair.stock.eval()
    with torch.no_grad():
        pair.stock.roi_head.bbox_head.fc_cls.bias[0] += 1e-3
        with pytest.raises(AssertionError):
            detectors.check_same_boxes(
                lambda: pair.ours.predict(dict(audio=pair.inputs['audio']), pair.samples),
                lambda: pair.stock.predict(pair.inputs['audio'], pair.samples),
            )


def test_log_mel(benchmarks):
    comparisons = benchmarks['log_mel'].log_mel(seconds=0.2, repeats=2, number=1)
    assert [comparison.target for comparison in comparisons] == [3.0, None, None]
    assert all('dB' in comparison.checked for comparison in comparisons)


def test_kept_filters_change_nothing(benchmarks):
    waveform = np.random.default_rng(0).standard_normal((2, 8820)).astype(np.float32)
    filters = librosa.filters.mel(sr=44100, n_fft=1024, n_mels=80)
    anew = benchmarks['log_mel'].librosa_log_mel(waveform)
    kept = benchmarks['log_mel'].librosa_log_mel(waveform, filters=filters)
    assert anew.shape == (2, 80, 35)
    np.testing.assert_allclose(kept, anew, atol=1e-4)


@pytest.mark.parametrize('thermal_bits', [8, 16])
def test_both_loaders_end_in_the_same_input(benchmarks, frames, thermal_bits):
    loader, root = benchmarks['loader'], frames[thermal_bits]
    dataset, published = (
        loader.build_dataset(root, 96),
        benchmarks['published_loader'].PublishedLoader(root, 96),
    )
    preprocessor = loader.build_preprocessor(96)
    assert len(dataset) == len(published) == 2
    assert 'gray levels' in loader.check_same_input(dataset, preprocessor, published)
    np.testing.assert_allclose(
        dataset[0]['data_samples'].gt_instances.bboxes.numpy()[:, :2], published[0]['boxes'][:, :2], rtol=2e-2
    )
    published.boxes, published.ids = published.boxes[::-1], published.ids[::-1]
    with pytest.raises(AssertionError):
        loader.check_same_input(dataset, preprocessor, published)


def test_loader(benchmarks):
    comparisons = benchmarks['loader'].loader(size=64, frames=2, repeats=1, workers=1)
    targets = {comparison.case: comparison.target for comparison in comparisons if comparison.target}
    assert targets == {
        'a sample from files, one process': 3.0,
        'a sample from the prepared store, one process': 15.0,
    }
    assert all(comparison.checked for comparison in comparisons)


def test_the_loader_over_http_gives_the_same(benchmarks, frames):
    loader, root = benchmarks['loader'], frames[8]
    with benchmarks['loader_http'].serve(root, 0.001) as url:
        local, remote = loader.build_dataset(root, 96), loader.build_dataset(url, 96)
        assert loader.check_same_values(local, remote) == 'both give the same, bit for bit'
        assert remote[0]['data_samples'].img_path.startswith(url)


def test_bytes(benchmarks):
    three, sound = benchmarks['loader'].bytes_per_sample(size=64)
    assert three.ours_values == [8 * 44100 * 2 + 7 * 64 * 64]
    assert three.reference_values == [(8 + 7) * 64 * 64 * 4]
    assert sound.ours_values == [8 * 44100 * 2]


def test_command_writes_json(tmp_path, benchmarks, capsys):
    spec = importlib.util.spec_from_file_location('bench_tool', BENCHMARKS / 'bench.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    path = tmp_path / 'bench.json'
    assert tool.main(['--only', 'inference', 'bytes', '--quick', '--size', '64', '--json', str(path)]) == 0
    content = json.loads(path.read_text())
    assert content['machine']['torch'] == torch.__version__
    assert [result['benchmark'] for result in content['results']] == ['inference', 'bytes', 'bytes']
    for result in content['results']:
        assert result['pairs'] == 1 and result['ratio_min'] <= result['ratio_median'] <= result['ratio_max']
        assert result['target'] is None
    assert 'inference: prediction' in capsys.readouterr().out


def test_start_up(benchmarks, monkeypatch):
    module = importlib.import_module('speed.start_up')
    monkeypatch.setattr(module, '_seconds', functools.cache(module._seconds))  # each program once
    (comparison,) = module.start_up(repeats=1)
    assert min(comparison.ours_values + comparison.reference_values) > 0
    assert comparison.notes[0].startswith('adds ')
