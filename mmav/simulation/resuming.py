"""What simulators share that go on with an interrupted data set: its folder, and its files one by one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.locks import folder_lock
from mmav.utils.run_parameters import record_parameters

from ..utils.processes import run_in_processes

Item = TypeVar('Item')
Config = TypeVar('Config')


@contextmanager
def open_data_set(
    root: str | os.PathLike, manifest: dict[str, Any], sort_keys: bool = False
) -> Iterator[Path]:
    """Hold a data set's folder, whose ``manifest.json`` notes what it is made with, or says the same already.

    Yields:
        The folder.

    What a killed run left half written in the folder and those in it is removed.

    Raises:
        OutputInUseError: Another process writes the folder.
        FileExistsError: The folder holds something else, or a set made with other parameters.
    """
    root = Path(root)
    text = json.dumps(manifest, indent=1, sort_keys=sort_keys) + '\n'
    with folder_lock(root, 'simulation'):
        record_parameters(root / 'manifest.json', text, 'was simulated with other parameters')
        for folder in filter(Path.is_dir, root.iterdir()):
            AtomicLocalBackend.remove_leftovers(folder)
        yield root


def sample_splits(
    sample: Callable[[Config, str, int], Item], config: Config, splits: Sequence[str], counts: Sequence[int]
) -> dict[str, list[Item]]:
    """What ``sample`` draws of a configuration for each number below the count of each split."""
    return {
        split: [sample(config, split, index) for index in range(count)]
        for split, count in zip(splits, counts)
    }


def write_missing(
    write: Callable[[Path, Config, Item], object],
    root: Path,
    config: Config,
    items: Sequence[Item],
    files: Callable[[Item], Iterable[Path]],
    workers: int,
    unit: str,
    progress: bool,
) -> None:
    """Write files of those items that lack any; what an interrupted run left half written is removed.

    Args:
        write: Writes the files of an item by :func:`whole_file`, not flushed; it can be pickled.
        root: Folder of the data set, held by :func:`open_data_set`.
        config: Parameters.
        items: All of them.
        files: The files of an item.
        workers: Number of processes; 0 works in the calling process.
        unit: What an item is called at the progress bar.
        progress: Whether to show one.
    """
    paths = [tuple(files(item)) for item in items]
    for folder in {path.parent for each in paths for path in each}:
        folder.mkdir(parents=True, exist_ok=True)
        AtomicLocalBackend.remove_leftovers(folder)
    todo = [item for item, each in zip(items, paths) if not all(path.is_file() for path in each)]
    done = len(items) - len(todo)
    with tqdm(total=len(items), initial=done, desc='simulate', unit=unit, disable=not progress) as bar:
        for _ in run_in_processes(partial(write, root, config), todo, workers):
            bar.update()
