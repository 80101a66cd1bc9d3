"""Outputs that say what they were made with, so that a stopped run carries on and no other does."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from .errors import SampleError
from .fileio import AtomicLocalBackend, remove_folder, write_json
from .locks import LOCK_FILE
from .readers import read_json


def record_parameters(file: str | Path, text: str, what: str) -> None:
    """Note in a folder what its content is made with, or see that the note in place says the same.

    Args:
        file: The note; its folder is made if missing.
        text: What it is to hold: a json object of parameters.
        what: How the folder's content was made, for messages: 'was simulated with other parameters'.

    Raises:
        FileExistsError: If the folder holds something else, or its note tells other parameters or cannot be
            read.
        RuntimeError: If this process does not hold the folder's lock.
    """
    file = Path(file)
    folder = file.parent
    AtomicLocalBackend.remove_leftovers(folder)
    if file.is_file():
        try:
            found = read_json(str(file))
        except SampleError as error:
            raise FileExistsError(f'{error}: choose another folder') from error
        refuse_other_parameters(
            found,
            json.loads(text),
            f'{folder} {what}',
            advice='choose another folder or remove this one',
            error=FileExistsError,
            show_values=True,
        )
    elif folder.is_dir() and any(path.name != LOCK_FILE for path in folder.iterdir()):
        raise FileExistsError(f'{folder} is not empty and has no {file.name}: choose another folder')
    else:
        AtomicLocalBackend().put_text(text, file)


def refuse_other_parameters(
    found: Mapping,
    wanted: Mapping,
    what: str,
    advice: str = 'choose another output, or overwrite to begin anew',
    error: type[Exception] = ValueError,
    show_values: bool = False,
) -> None:
    """Raise ``error`` unless results were made with the parameters that are wanted.

    The message begins with ``what`` ('results.json was written with other parameters'), names those that
    differ (with short values if ``show_values``), and ends with ``advice``.
    """
    if not isinstance(found, Mapping):
        raise error(f'{what} (it holds a {type(found).__name__}, not parameters by name): {advice}')
    wanted = json.loads(json.dumps(wanted))  # tuples become lists, as they did in the file
    differing = ', '.join(_differences(found, wanted, show_values))
    if differing:
        raise error(f'{what} ({differing}): {advice}')


def _differences(found: Mapping, wanted: Mapping, show_values: bool, prefix: str = '') -> Iterator[str]:
    for key in sorted({*found, *wanted}):
        before, now, name = found.get(key), wanted.get(key), f'{prefix}{key}'
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _differences(before, now, show_values, f'{name}.')
        elif show_values and len(f'{before}{now}') < 80:
            yield f'{name}: {before} there, {now} now'
        else:
            yield name


class ResultShards:
    """Finished items of a run, in json files that several processes may write side by side.

    Args:
        folder: Folder of the shards, made if missing.
        parameters: All that the results depend on, as json can hold it.

    Raises:
        ValueError: If the folder holds results of other parameters.
    """

    def __init__(self, folder: str | Path, parameters: Mapping) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / 'parameters.json'
        if file.exists():
            found = read_json(str(file))
            refuse_other_parameters(
                found, parameters, f'{self.folder} holds a part of a run with other parameters'
            )
        else:
            write_json(file, parameters)

    def read(self) -> dict[int, dict]:
        """Return the finished items by their position, in order."""
        items: dict[int, dict] = {}
        for file in self.folder.glob('shard_*.json'):
            items.update({int(index): item for index, item in read_json(str(file)).items()})
        return dict(sorted(items.items()))

    def write(self, items: Mapping[int, dict]) -> None:
        """Keep finished items by position, none of them kept before; the first of them names the file."""
        if items:
            write_json(self.folder / f'shard_{min(items):09d}.json', items)

    def remove(self) -> None:
        """Remove the shards: the whole result is written."""
        remove_folder(self.folder)


def hash_weights(state_dict: Mapping[str, Tensor]) -> str:
    """SHA-256 of names and values, whatever else the checkpoint holds."""
    digest = hashlib.sha256()
    for name, value in state_dict.items():
        digest.update(name.encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def hash_json(content: object) -> str:
    """SHA-256 of something json can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
