"""The scripts for Slurm on a real cluster of one machine: training, testing, a job that is requeued."""

import pickle
import subprocess
import time
from pathlib import Path

import pytest
import torch
from small_detector import ROOT, assert_same_end, await_step, environment, read_losses, write_config

pytestmark = pytest.mark.cluster
TWO_TASKS = dict(GPUS='2', GPUS_PER_NODE='0', CPUS_PER_TASK='1')


def run(command: list, **variables: str) -> str:
    """Run a command; returns its output, which a failure shows."""
    done = subprocess.run(
        [str(word) for word in command],
        env=environment(**{**TWO_TASKS, **variables}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope='module')
def undisturbed(slurm, data, tmp_path_factory) -> Path:
    """The work folder of a training of two tasks."""
    folder = tmp_path_factory.mktemp('undisturbed')
    config = write_config(folder / 'small.py', data, batch_size=2)
    run([ROOT / 'tools/slurm_train.sh', 'cpu', 'small', config, folder / 'run'])
    return folder / 'run'


def test_two_tasks_share_the_samples(undisturbed):
    first, second = (read_losses(undisturbed, rank) for rank in (0, 1))
    assert list(first) == list(second) == list(range(1, 9))
    for iteration, step in first.items():  # 12 frames: those of three steps are all different
        assert not set(step['frames']) & set(second[iteration]['frames'])
        assert len(step['frames']) == len(second[iteration]['frames']) == 2


def test_two_tasks_test_like_one_process(undisturbed, data, tmp_path):
    config = write_config(tmp_path / 'small.py', data, batch_size=2)
    for tasks in ('1', '2'):
        arguments = ['cpu', 'test', config, undisturbed / 'iter_8.pth', '--work-dir', tmp_path / tasks]
        run([ROOT / 'tools/slurm_test.sh', *arguments, '--out', tmp_path / f'{tasks}.pkl'], GPUS=tasks)
    one, two = (pickle.loads((tmp_path / f'{tasks}.pkl').read_bytes()) for tasks in ('1', '2'))
    assert [frame['frame_id'] for frame in one] == [frame['frame_id'] for frame in two] and len(one) == 4
    for frames in zip(one, two):
        for key in ('bboxes', 'scores'):
            found = [frame['pred_instances'][key] for frame in frames]
            assert len(found[0]) > 0
            torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)


def test_requeued_job_goes_on(undisturbed, data, tmp_path):
    go_on, out = tmp_path / 'go_on', tmp_path / 'run'
    config = write_config(tmp_path / 'small.py', data, batch_size=2, hold_at=5, go_on=str(go_on))
    script = f'{ROOT}/tools/slurm_train.sh cpu small {config} {out} --resume'
    options = ['--parsable', '--requeue', '--open-mode=append', '--ntasks=2', f'--output={tmp_path}/job.log']
    job = run(['sbatch', *options, '--wrap', script]).strip()
    await_step(out, 5)
    run(['scontrol', 'requeue', job])
    go_on.touch()
    await_end(job)
    log = (tmp_path / 'job.log').read_text()
    assert 'iter: 4' in log, log[-3000:]
    assert_same_end(out, undisturbed, 8)
    lines = (out / 'losses.0.jsonl').read_text().splitlines()
    assert len(lines) == 5 + 4  # the checkpoint was that of iteration 4: the fifth is made again


def await_end(job: str, seconds: float = 180) -> None:
    """Wait for the end of a job, which must be good."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        words = dict(
            word.split('=', 1) for word in run(['scontrol', 'show', 'job', job]).split() if '=' in word
        )
        if words['JobState'] in ('COMPLETED', 'FAILED', 'CANCELLED', 'NODE_FAIL'):
            assert words['JobState'] == 'COMPLETED' and words['Restarts'] == '1', words
            return
        time.sleep(0.5)
    raise TimeoutError(f'job {job} has not ended in {seconds} s: {words}')
