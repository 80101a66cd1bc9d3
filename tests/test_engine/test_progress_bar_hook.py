from types import SimpleNamespace

import torch

from mmav.engine import ProgressBarHook


def test_training_bar_starts_where_a_resumed_run_stands(capsys):
    runner = SimpleNamespace(max_iters=10, iter=4, train_loop=None)
    hook = ProgressBarHook(name='sound')
    hook.before_train(runner)
    for index in range(6):
        hook.after_train_iter(runner, index, outputs=dict(loss=torch.tensor(0.5)))
    assert hook.bar.n == hook.bar.total == 10
    hook.after_train(runner)
    assert hook.bar is None
    shown = capsys.readouterr().err
    assert 'sound train' in shown and '10/10' in shown and 'loss=0.500' in shown


def test_testing_bar_counts_batches(capsys):
    runner = SimpleNamespace(test_dataloader=[None] * 3)
    hook = ProgressBarHook()
    hook.before_test_epoch(runner)
    for index in range(3):
        hook.after_test_iter(runner, index)
    hook.after_test_epoch(runner)
    assert '3/3' in capsys.readouterr().err
