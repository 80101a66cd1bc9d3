"""tools/dist_train.sh on two hosts: like one process, and what happens when one of them is lost."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_detector import EXACT, ROOT, assert_same_end, await_step, environment, read_losses, write_config

pytestmark = pytest.mark.cluster
TIMEOUT = 15  # seconds that processes wait for each other, where a test shortens it


def start(
    hosts: Path, config: Path, work_dir: Path, *arguments: str, **variables: str
) -> list[subprocess.Popen]:
    """Start a training on both hosts, a process each."""
    started = []
    for host in ('0', '1'):
        command = [
            hosts,
            'run',
            host,
            ROOT / 'tools/dist_train.sh',
            config,
            '1',
            '--work-dir',
            work_dir,
            *arguments,
        ]
        meeting = dict(NNODES='2', NODE_RANK=host, MASTER_ADDR='10.77.0.1')
        log = config.with_name(f'{work_dir.name}.{host}.log').open('a')
        started.append(
            subprocess.Popen(
                [str(word) for word in command],
                env=environment(**{**meeting, **variables}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        )
    return started


def finish(started: list[subprocess.Popen], seconds: float = 240) -> None:
    """Wait for the good end of both."""
    assert [process.wait(seconds) for process in started] == [0, 0]


@pytest.fixture(scope='module')
def undisturbed(hosts, data, tmp_path_factory) -> Path:
    """The work folder of a training on both hosts, with two samples on each."""
    folder = tmp_path_factory.mktemp('undisturbed')
    config = write_config(folder / 'two.py', data, batch_size=2, changes=EXACT)
    finish(start(hosts, config, folder / 'run'))
    return folder / 'run'


def test_two_hosts_train_like_one_process(undisturbed, data, tmp_path):
    config = write_config(tmp_path / 'one.py', data, batch_size=4, changes=EXACT)
    command = [sys.executable, ROOT / 'tools/train.py', config, '--work-dir', tmp_path / 'one']
    subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=240)
    one, hosts = read_losses(tmp_path / 'one'), [read_losses(undisturbed, rank) for rank in (0, 1)]
    assert list(one) == list(hosts[0]) == list(hosts[1]) == list(range(1, 9))
    for iteration, step in one.items():
        parts = [steps[iteration] for steps in hosts]
        assert sorted(parts[0]['frames'] + parts[1]['frames']) == step['frames']
        for name, value in step['losses'].items():
            assert value > 0
            mean = sum(part['losses'][name] for part in parts) / 2
            torch.testing.assert_close(mean, value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('lost', [0, 1])
def test_the_death_of_a_host_ends_the_other_and_resume_goes_on(undisturbed, hosts, data, tmp_path, lost):
    go_on, out = tmp_path / 'go_on', tmp_path / 'run'
    config = write_config(tmp_path / 'two.py', data, batch_size=2, changes=EXACT, hold_at=5, go_on=str(go_on))
    started = start(hosts, config, out)
    for rank in (0, 1):
        await_step(out, 5, rank)
    pids = subprocess.check_output(['ip', 'netns', 'pids', f'mmav{lost}'], text=True).split()
    assert len(pids) >= 2  # torchrun and the training
    subprocess.run(['kill', '-9', *pids], check=True)
    go_on.touch()
    begin = time.monotonic()
    assert started[1 - lost].wait(60) != 0
    print(f'host {lost} killed: the other ended after {time.monotonic() - begin:.1f} s')
    finish(start(hosts, config, out, '--resume'))
    assert_same_end(out, undisturbed, 8)


def test_a_cut_connection_ends_both_hosts_after_the_time_out(hosts, data, tmp_path):
    go_on, out = tmp_path / 'go_on', tmp_path / 'run'
    config = write_config(tmp_path / 'two.py', data, batch_size=2, hold_at=3, go_on=str(go_on))
    started = start(hosts, config, out, '--cfg-options', f'env_cfg.dist_cfg.timeout={TIMEOUT}')
    for rank in (0, 1):
        await_step(out, 3, rank)
    subprocess.run([hosts, 'cut'], check=True)
    try:
        go_on.touch()
        begin = time.monotonic()
        for host in (0, 1):
            assert started[host].wait(TIMEOUT + 60) != 0
            print(f'connection cut: host {host} ended after {time.monotonic() - begin:.1f} s')
        assert time.monotonic() - begin > TIMEOUT - 5
    finally:
        subprocess.run([hosts, 'join'], check=True)


def test_torchrun_restarts_a_killed_process(undisturbed, hosts, data, tmp_path):
    """Both hosts start anew, from the last checkpoint, and count one of three restarts."""
    go_on, out = tmp_path / 'go_on', tmp_path / 'run'
    config = write_config(tmp_path / 'two.py', data, batch_size=2, changes=EXACT, hold_at=5, go_on=str(go_on))
    started = start(hosts, config, out, '--resume', TORCHRUN_ARGS='--max-restarts=3')
    for rank in (0, 1):
        await_step(out, 5, rank)
    found = subprocess.check_output(['ip', 'netns', 'pids', 'mmav1'], text=True).split()
    training = [pid for pid in found if b'train.py\0' in Path(f'/proc/{pid}/cmdline').read_bytes()]
    workers = [pid for pid in training if b'distributed.run' not in Path(f'/proc/{pid}/cmdline').read_bytes()]
    assert len(workers) == 1
    subprocess.run(['kill', '-9', *workers], check=True)
    go_on.touch()
    finish(started)
    assert_same_end(out, undisturbed, 8)
