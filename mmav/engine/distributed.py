"""Several processes, on one machine or several, also without a GPU."""

import gc
import os
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta

import torch
from mmengine.config import Config
from torch import distributed as torch_dist

# launcher -> environment variables of (rank, number of processes, rank on this machine)
_RANK_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}
_SIOCGIFADDR = 0x8915  # of Linux: the address of an interface


def is_main_of(launcher: str) -> bool:
    """Whether this process is the first of those that 'none', 'pytorch', 'slurm' or 'mpi' started."""
    return launcher == 'none' or int(os.environ.get(_RANK_VARIABLES[launcher][0], 0)) == 0


def set_meeting_point(launcher: str) -> None:
    """Set where the processes of a Slurm step meet, ``MASTER_ADDR`` and ``MASTER_PORT``, unless they are set.

    The address is that of the step's first node. The port follows from job and step (20000 to 29999), so that
    two jobs on a node do not meet each other.
    """
    if launcher != 'slurm':
        return
    job, step = (int(os.environ.get(name, 0)) for name in ('SLURM_JOB_ID', 'SLURM_STEP_ID'))
    os.environ.setdefault('MASTER_PORT', str(20000 + (10 * job + step) % 10000))
    nodes = os.environ.get('SLURM_STEP_NODELIST') or os.environ.get('SLURM_NODELIST')
    if nodes and 'MASTER_ADDR' not in os.environ:
        with suppress(OSError, subprocess.CalledProcessError):  # open_gloo asks for the address
            command = ['scontrol', 'show', 'hostnames', nodes]
            names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            os.environ['MASTER_ADDR'] = names[0]


def interface_towards(address: str) -> str | None:
    """Name of the network interface by which this machine reaches another one.

    Args:
        address: Name or IPv4 address of the other machine, or of this one.

    Returns:
        The name; None for the loopback, an address of IPv6, one that leads nowhere, and where the system is
        not Linux.
    """
    if sys.platform != 'linux':
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))  # sends nothing
        except OSError:
            return None
        own = socket.inet_aton(probe.getsockname()[0])
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an address
                found = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack('256s', name.encode()))[20:24]
                if found == own:
                    return None if found[0] == 127 else name
    return None


def open_gloo(launcher: str, timeout: timedelta | None = None) -> None:
    """Open the process group that 'pytorch', 'slurm' or 'mpi' started, with gloo, unless it is open.

    ``timeout`` is how long processes wait for each other (None: PyTorch's 30 minutes). RuntimeError if the
    launcher's environment variables are missing.

    Gloo tells the other processes this machine's address, which it takes from the host name. Where the host
    name stands for the loopback (Debian's /etc/hosts has 127.0.1.1), other machines could not connect: unless
    ``GLOO_SOCKET_IFNAME`` is set it becomes the interface that leads to ``MASTER_ADDR``.
    """
    set_meeting_point(launcher)
    names = _RANK_VARIABLES[launcher]
    missing = [name for name in (*names, 'MASTER_ADDR') if name not in os.environ]
    if missing:
        raise RuntimeError(
            f'--launcher {launcher} with gloo needs the environment variables {missing}; start the '
            'program with tools/dist_train.sh or torchrun, or set MASTER_ADDR to the address of the first '
            'machine'
        )
    for standard, name in zip(_RANK_VARIABLES['pytorch'], names):
        os.environ[standard] = os.environ[name]
    os.environ.setdefault('MASTER_PORT', '29500')
    if not torch_dist.is_initialized():
        interface = interface_towards(os.environ['MASTER_ADDR'])
        if interface is not None:
            os.environ.setdefault('GLOO_SOCKET_IFNAME', interface)
        torch_dist.init_process_group(backend='gloo', timeout=timeout)


def join_launcher(launcher: str, device: str, timeout: timedelta | None = None) -> None:
    """Meet the launcher's other processes, with gloo, and choose this one's GPU; for tools without a runner.

    As :func:`open_gloo`; 'none': nothing happens. 'cuda': each process of a machine takes its own GPU.
    """
    if launcher == 'none':
        return
    open_gloo(launcher, timeout)
    if device == 'cuda':
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']) % torch.cuda.device_count())


def prepare_launcher(cfg: Config) -> None:
    """Make ``cfg.launcher`` work where there is no GPU: the same commands, with gloo on the CPU.

    MMEngine's launchers choose a CUDA device, and its wrapper of the model names one. On a machine without
    CUDA this opens the process group by :func:`open_gloo` before the runner is built, and sets
    ``model_wrapper_cfg``, unless it is there, to choose no device. With CUDA it only calls
    :func:`set_meeting_point`; without a launcher nothing happens.

    ``cfg.env_cfg.dist_cfg.timeout`` (seconds) is how long processes wait for each other, as with CUDA.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none':
        return
    set_meeting_point(launcher)
    if torch.cuda.is_available():
        return
    seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
    open_gloo(launcher, None if seconds is None else timedelta(seconds=seconds))
    if cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )


def close_launcher() -> None:
    """Close the process group, if there is one, when all processes have come here.

    A process that just ends may abort in gloo's threads, and the launcher then reports a failed run. Let go
    of the runner first: its model's wrapper holds the group, whose threads end only with the last holder.
    """
    if torch_dist.is_available() and torch_dist.is_initialized():
        torch_dist.barrier()
        gc.collect()
        torch_dist.destroy_process_group()
