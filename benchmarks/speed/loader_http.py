"""Benchmarks of the data loader over HTTP against the same files on the local disk.

The server is aiohttp's, in a process of its own on this machine, so what is measured is the cost of asking
for each file, without a network. A delay before every answer stands for the way to the server and back.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.utils.data import Dataset

from .loader import (
    ROUNDS_BY_WORKERS,
    _frames,
    _read_all,
    _read_by_workers,
    build_dataset,
    check_same_values,
    prepare_store,
)
from .pairs import Comparison, pinned_threads, time_pairs

SERVER = """
import asyncio, json, socket, sys
from aiohttp import web

root, delay = json.loads(sys.argv[1])

@web.middleware
async def wait(request, handler):
    if delay:
        await asyncio.sleep(delay)
    return await handler(request)

application = web.Application(middlewares=[wait])
application.router.add_static('/', root)
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
web.run_app(application, sock=listener, print=None)
"""


@contextmanager
def serve(root: Path, delay: float) -> Iterator[str]:
    """Serve a folder over HTTP, each answer ``delay`` seconds late; yields its address."""
    command = [sys.executable, '-c', SERVER, json.dumps([str(root), delay])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f'http://127.0.0.1:{int(server.stdout.readline())}'
        finally:
            server.terminate()


def loader_http(
    size: int = 768, frames: int = 12, repeats: int = 7, workers: int = 2, delay: float = 0.005
) -> list[Comparison]:
    """Seconds a sample over HTTP against the local disk.

    Args:
        size: Side of the network's square input in pixels.
        frames: Frames of the temporary data set; both ways read all of them for one figure.
        repeats: Pairs.
        workers: Worker processes of the cases that have them.
        delay: Seconds by which the server's answers are late in the cases that say so.

    Returns:
        From files and from a prepared store, without and with the delay, in one process and by workers.
    """
    results = []
    with _frames(frames, thermal_bits=8) as root, pinned_threads(1), torch.inference_mode():
        store = prepare_store(root, size)
        for late in (0.0, delay):
            with serve(root.parent, late) as url:
                for source, local, remote in (
                    ('files', build_dataset(root, size), build_dataset(f'{url}/mavd', size)),
                    (
                        'a prepared store',
                        build_dataset(root, size, store),
                        build_dataset(root, size, f'{url}/store'),
                    ),
                ):
                    checked = check_same_values(local, remote)
                    for processes in (0, workers):
                        case = f'from {source}, {processes or "no"} workers, answers {1000 * late:g} ms late'
                        results.append(_compare(case, local, remote, checked, processes, repeats))
    return results


def _compare(
    case: str, local: Dataset, remote: Dataset, checked: str, workers: int, repeats: int
) -> Comparison:
    mine, theirs = (
        _read_by_workers(dataset, workers) if workers else _read_all(dataset) for dataset in (remote, local)
    )
    ours, reference = time_pairs(mine, theirs, repeats)
    samples = len(local) * (ROUNDS_BY_WORKERS if workers else 1)
    return Comparison(
        'loader-http',
        case,
        'over HTTP, a server on this machine',
        'from the local disk',
        'cost',
        ours_values=[value / samples for value in ours],
        reference_values=[value / samples for value in reference],
        settings=dict(frames=len(local)),
        checked=checked,
    )
