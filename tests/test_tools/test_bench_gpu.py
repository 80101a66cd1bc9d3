"""The checks of a GPU, at toy size on the CPU."""

import importlib
import json
import sys
import time
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'


@pytest.fixture(scope='module')
def tool():
    """The command, as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield importlib.import_module('gpu')
    sys.path.remove(str(BENCHMARKS))


@pytest.mark.slow
def test_everything_runs_at_toy_size(tool, tmp_path, capsys):
    path = tmp_path / 'gpu.json'
    assert tool.main(['--quick', '--device', 'cpu', '--iterations', '1', '--json', str(path)]) == 0
    content = json.loads(path.read_text())
    rows = {(row['part'], row['name'].split(',')[0], row['variant']): row for row in content['rows']}
    assert {row['status'] for row in rows.values()} == {'passed'} and content['left_out'] == []
    assert {part for part, *_ in rows} == {'tests', 'training', 'ceilings', 'ratios'}
    # values and gradients, bf16 and fp16 of each of them
    assert rows['tests', 'tests marked gpu', 'fp32, bf16, fp16']['figures']['tests'] > 6
    assert {name for part, name, _ in rows if part == 'training'} == {'AVD', 'distillation'}
    measured = {comparison['benchmark'] for row in content['rows'] for comparison in row['comparisons']}
    assert measured == {'avd-step', 'inference', 'acoustic-image', 'log-mel', 'agta', 'loader-share'}
    (step,) = rows['ratios', 'avd-step', 'bf16']['comparisons']
    assert step['flops'] > 1e6 and 'loss_rpn_cls' in step['checked']
    printed = capsys.readouterr().out
    assert 'share of the convolution ceiling' in printed and 'left out: nothing' in printed


def test_what_fails_or_does_not_fit_is_a_row_with_its_reason(tool):
    told = []
    session = tool.Session(1.0, 'cpu', told.append)

    def fail() -> dict:
        raise ValueError('no such thing\nsecond line\nthird\nfourth')

    assert session.attempt('ratios', 'a', '', 0, lambda: {'value': 1}).figures == {'value': 1}
    failed = session.attempt('ratios', 'b', '', 0, fail)
    assert (failed.status, failed.reason) == ('failed', 'ValueError: no such thing second line third')
    late = session.attempt('ratios', 'c', '', 100, fail)
    assert late.status == 'left out' and late.reason.startswith('100 s needed, ')
    assert session.rows == told and len(told) == 3


def test_what_takes_too_long_is_stopped(tool):
    session = tool.Session(0.5 / 60, 'cpu')
    row = session.attempt('ratios', 'endless', '', 0, lambda: time.sleep(60) or {})
    assert row.status == 'failed' and 'OutOfTimeError: stopped after' in row.reason and row.seconds < 30


def test_failed_tests_fail_the_run(tool, monkeypatch, capsys):
    suite = importlib.import_module('gpu_checks.suite')
    with pytest.raises(suite.FailedTestsError, match='no test was chosen'):
        suite.run_tests('cpu', 300, 'no_such_test')

    def run_tests(*args: object) -> dict:
        raise suite.FailedTestsError('1 of 2 tests failed: test_x')

    monkeypatch.setattr(tool, 'run_tests', run_tests)
    assert tool.main(['--quick', '--device', 'cpu', '--only', 'tests']) == 1
    assert '1 of 2 tests failed: test_x' in capsys.readouterr().out


def test_losses_that_are_not_finite_fail_a_training(tool, monkeypatch, toy_config):
    training = importlib.import_module('gpu_checks.training')
    config, options = tool.CONFIGS / 'avd/av_faster_rcnn_r18_sim.py', dict(tool.SMALL_OPTIONS)
    options['optim_wrapper.optimizer.lr'] = 1e30
    with pytest.raises(FloatingPointError, match=r'loss.* not finite at iteration 2'):
        training.train(str(config), 'cpu', iterations=3, options=options)


def test_share_of_a_ceiling(tool):
    ratios = importlib.import_module('gpu_checks.ratios')
    comparison = importlib.import_module('speed.pairs').Comparison(
        'avd-step', '', '', '', 'cost', ours_values=[2.0], reference_values=[1.0], flops=6e9
    )
    figures = ratios.figures_of(comparison, dict(convolution=1e10))
    assert figures['share of the convolution ceiling'] == 0.3
    assert figures['ours / reference'] == '2 (2..2)'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ([], 'there is no CUDA device; --quick shows'),
        (['--device', 'cpu'], '--device cpu is for --quick'),
        (['--minutes', '0', '--quick', '--device', 'cpu'], '--minutes must be above 0'),
    ],
)
def test_options_that_make_no_sense(tool, options, message, monkeypatch, capsys):
    monkeypatch.setattr(tool.torch.cuda, 'is_available', lambda: False)
    with pytest.raises(SystemExit):
        tool.parse_args(options)
    assert message in capsys.readouterr().err
