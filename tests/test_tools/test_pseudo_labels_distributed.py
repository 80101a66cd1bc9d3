"""The pseudo-label tool in several processes, killed and started again with another number of them."""

import json
import os
import subprocess
import sys

import pytest
from forked_script import finish, start_script
from free_port import free_port
from pycocotools.coco import COCO
from tiny_teachers import NUM_FRAMES, TOOL, arguments, make_killable, write_frames, write_teacher


@pytest.fixture
def setting(tmp_path):
    """Environment of a child process, and arguments for an output file but for the launcher."""
    write_frames(tmp_path)
    config, checkpoint = write_teacher(tmp_path, 'rgb', 1)
    teachers = dict(
        rgb=(make_killable(tmp_path, config), checkpoint), thermal=write_teacher(tmp_path, 'thermal', 2)
    )
    environment = dict(
        os.environ,
        PYTHONPATH=f'{tmp_path}{os.pathsep}{TOOL.parents[2]}',
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
        MASTER_ADDR='127.0.0.1',
    )

    def command(out):
        return [str(TOOL), *arguments(out, tmp_path, teachers, '--batch-size', 2, '--shard-frames', 2)]

    return environment, command


def start_slurm_task(environment, command, rank, count, port, output):
    variables = dict(SLURM_PROCID=rank, SLURM_NTASKS=count, SLURM_LOCALID=rank, MASTER_PORT=port)
    environment = {**environment, **{name: str(value) for name, value in variables.items()}}
    environment.pop('LOCAL_RANK', None)
    return start_script([*command, '--launcher', 'slurm'], output, environment)


@pytest.mark.slow
def test_killed_processes_and_others_after_them_write_the_bytes_of_one(setting, tmp_path):
    environment, command = setting
    alone = tmp_path / 'alone.json'
    assert finish(start_script(command(alone), tmp_path / 'alone.log', environment), timeout=300) == 0

    out = tmp_path / 'shared.json'
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone']
    killed = subprocess.run(
        [*torchrun, *command(out), '--launcher', 'pytorch'],
        env=dict(environment, KILL_AT='fl_rgb_6'),  # in the second batch of the second process
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert killed.returncode != 0 and not out.exists()
    shards = {file.name: json.loads(file.read_text()) for file in out.parent.glob('*.parts/shard_*.json')}
    assert list(shards['shard_000000002.json']) == ['2', '3'] and 'shard_000000006.json' not in shards

    logs = [tmp_path / f'{rank}.log' for rank in range(3)]
    port = free_port()
    tasks = [start_slurm_task(environment, command(out), rank, 3, port, logs[rank]) for rank in range(3)]
    assert [finish(task, timeout=300) for task in tasks] == [0, 0, 0]
    assert out.read_bytes() == alone.read_bytes()
    assert not out.with_name('shared.json.parts').exists()

    coco = COCO(str(out))
    assert len(coco.dataset['images']) == NUM_FRAMES and coco.dataset['annotations']
    statistics = coco.dataset['info']['statistics']
    summary = f'frames labeled by teachers {NUM_FRAMES}, of them without any box'
    # the first process alone speaks
    assert [summary in log.read_text() for log in logs] == [True, False, False]
    for name, counts in statistics['modalities'].items():
        assert counts['kept'] == sum(ann['modality'] == name for ann in coco.dataset['annotations'])


def test_a_launcher_that_did_not_start_the_process_is_named(setting, tmp_path):
    environment, command = setting
    environment = {key: value for key, value in environment.items() if not key.startswith('SLURM_')}
    log = tmp_path / 'log'
    process = start_script([*command(tmp_path / 'a.json'), '--launcher', 'slurm'], log, environment)
    assert finish(process) == 1 and "['SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID']" in log.read_text()
