"""Where processes meet, by what the launcher's environment says; real launchers are in tests/cluster."""

import os
from pathlib import Path

import pytest

from mmav.engine.distributed import interface_towards, open_gloo, set_meeting_point

SCONTROL = """#!/usr/bin/env bash
# as scontrol of Slurm 22.05: a line for each node
[ "$*" = "show hostnames gpu[07-08]" ] && printf 'gpu07\\ngpu08\\n'
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The variables of a step's process, and a program that knows the nodes."""
    (tmp_path / 'scontrol').write_text(SCONTROL)
    (tmp_path / 'scontrol').chmod(0o755)
    monkeypatch.setattr(os, 'environ', dict(PATH=f'{tmp_path}:{os.environ["PATH"]}'))
    os.environ.update(SLURM_JOB_ID='4711', SLURM_STEP_ID='2', SLURM_STEP_NODELIST='gpu[07-08]')
    return os.environ


def test_a_slurm_step_meets_at_its_first_node(slurm):
    set_meeting_point('slurm')
    assert slurm['MASTER_ADDR'] == 'gpu07'
    port = slurm.pop('MASTER_PORT')
    assert 20000 <= int(port) < 30000
    slurm['SLURM_STEP_ID'] = '3'
    set_meeting_point('slurm')
    assert slurm['MASTER_PORT'] != port


def test_what_the_user_sets_stays(slurm):
    slurm.update(MASTER_ADDR='10.0.0.9', MASTER_PORT='1234')
    set_meeting_point('slurm')
    assert (slurm['MASTER_ADDR'], slurm['MASTER_PORT']) == ('10.0.0.9', '1234')


def test_an_unknown_node_is_asked_for(slurm):
    slurm['SLURM_STEP_NODELIST'] = 'elsewhere'
    slurm.update(SLURM_PROCID='0', SLURM_NTASKS='2', SLURM_LOCALID='0')
    with pytest.raises(RuntimeError, match='MASTER_ADDR'):
        open_gloo('slurm')


def test_interfaces():
    assert interface_towards('127.0.0.1') is None
    assert interface_towards('no.such.host.invalid') is None
    # the kernel's table: name, destination, ... of each route
    table = [line.split() for line in Path('/proc/net/route').read_text().splitlines()[1:]]
    default = [row[0] for row in table if row[1] == '00000000']
    assert interface_towards('192.0.2.1') in (default or [None])
