"""The cluster of `make test-cluster`: Slurm's daemons, two hosts, and data for the small detector."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_detector import HERE, simulate


@pytest.fixture(scope='session')
def data(tmp_path_factory) -> Path:
    return simulate(tmp_path_factory.mktemp('data') / 'simulated')


@pytest.fixture(scope='session')
def packages() -> None:
    subprocess.run([HERE / 'slurm.sh', 'install'], check=True)


@pytest.fixture(scope='module')
def slurm(packages, tmp_path_factory) -> Iterator[None]:
    """Slurm on this machine alone, with two CPUs."""
    folder, script = tmp_path_factory.mktemp('slurm'), HERE / 'slurm.sh'
    try:
        subprocess.run([script, 'start', folder], check=True)
        os.environ['SLURM_CONF'] = str(folder / 'slurm.conf')
        yield
    finally:
        os.environ.pop('SLURM_CONF', None)
        subprocess.run([script, 'stop', folder], check=True)


@pytest.fixture(scope='module')
def hosts(packages) -> Iterator[Path]:
    """The script that runs commands on one of two hosts."""
    script = HERE / 'hosts.sh'
    subprocess.run([script, 'down'], check=True)  # what a killed run left
    try:
        subprocess.run([script, 'up'], check=True)
        yield script
    finally:
        subprocess.run([script, 'down'], check=True)
