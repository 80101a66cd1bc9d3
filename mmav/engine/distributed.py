"""Several processes on machines without a GPU."""

import gc
import os
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


def is_main_of(launcher: str) -> bool:
    """Whether this process is the first of those that 'none', 'pytorch', 'slurm' or 'mpi' started."""
    return launcher == 'none' or int(os.environ.get(_RANK_VARIABLES[launcher][0], 0)) == 0


def open_gloo(launcher: str, timeout: timedelta | None = None) -> None:
    """Open the process group that 'pytorch', 'slurm' or 'mpi' started, with gloo, unless it is open.

    ``timeout`` is how long processes wait for each other (None: PyTorch's 30 minutes). RuntimeError if the
    launcher's environment variables are missing.
    """
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
    ``model_wrapper_cfg``, unless it is there, to choose no device. With CUDA, or without a launcher, nothing
    happens.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or torch.cuda.is_available():
        return
    open_gloo(launcher)
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
