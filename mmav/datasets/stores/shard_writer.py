"""Writing of the shards of a store (its layout: ``shard_store.py``)."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from numpy.lib.format import open_memmap

from mmav.utils.errors import SampleError
from mmav.utils.fileio import whole_folder, write_json
from mmav.utils.run_parameters import claim_folder

from .shard_store import INDEX_FILE, STORE_VERSION, file_checksum, is_whole

_SETTINGS_FILE = 'store.json'
_SHARD_FILE = 'shard.json'


def claim_store(path: Path, settings: Mapping, kind: str) -> None:
    """Note all that a store's bytes depend on in its folder, or see that the settings in place are the same.

    What a kill left is removed. FileExistsError if the folder holds something else than this ``kind``.
    """
    claim_folder(path / _SETTINGS_FILE, json.dumps(settings, indent=1), f'is a {kind} of other settings')


def shard_folder(path: Path, number: int) -> Path:
    """Folder of a shard."""
    return path / f'shard_{number:05d}'


def unfinished_shards(path: Path, count: int) -> list[int]:
    """Numbers of the shards, of ``count``, that are to be written, or have a file missing or truncated."""
    numbers = []
    for number in range(count):
        folder = shard_folder(path, number)
        if (folder / _SHARD_FILE).is_file():
            if is_whole(folder, json.loads((folder / _SHARD_FILE).read_text())['files']):
                continue
            print_log(f'{folder} is torn and is written again', 'current')
        numbers.append(number)
    return numbers


def write_shard(
    folder: Path,
    names: Sequence[str],
    samples: Iterable[Mapping[str, np.ndarray] | SampleError],
    on_error: str = 'raise',
) -> None:
    """Write a shard whole or not at all.

    Args:
        folder: See :func:`shard_folder`; one that is there is replaced.
        names: Of its samples.
        samples: Arrays of each of them by name, of equal shapes and types; or why there are none.
        on_error: 'raise', or 'skip' to note samples without arrays in the shard. Defaults to 'raise'.

    Raises:
        SampleError: If a sample has none, or they differ from those before, and ``on_error`` is 'raise'.
    """
    with whole_folder(folder) as temporary:
        _write_arrays(temporary, folder.name, names, samples, on_error)


def _write_arrays(
    folder: Path,
    name_of_shard: str,
    names: Sequence[str],
    samples: Iterable[Mapping[str, np.ndarray] | SampleError],
    on_error: str,
) -> None:
    arrays, failures = {}, {}
    for row, (frame, sample) in enumerate(zip(names, samples, strict=True)):
        try:
            if isinstance(sample, SampleError):
                raise sample
            for name, values in sample.items():
                if name not in arrays:
                    shape = (len(names), *values.shape)
                    arrays[name] = open_memmap(folder / f'{name}.npy', 'w+', values.dtype, shape)
                array = arrays[name]
                if values.shape != array.shape[1:] or values.dtype != array.dtype:
                    raise SampleError(
                        frame,
                        f'its {name} is {values.dtype} {values.shape}, that of those before '
                        f'{array.dtype} {array.shape[1:]}',
                    )
                array[row] = values
        except SampleError as error:
            if on_error == 'raise':
                raise
            failures[frame] = str(error)
    files = {}
    for name, array in arrays.items():
        array.flush()
        file = folder / f'{name}.npy'
        with open(file, 'rb+') as handle:
            os.fsync(handle.fileno())
        files[file.name] = dict(bytes=file.stat().st_size, sha256=file_checksum(file))
    content = dict(name=name_of_shard, frames=list(names), files=files, failures=failures)
    write_json(folder / _SHARD_FILE, content, indent=1)


def write_index(path: Path, settings: Mapping, count: int) -> None:
    """Finish a store of ``count`` shards, all written, with the settings of :func:`claim_store`."""
    shards, failures = [], {}
    for number in range(count):
        shard = json.loads((shard_folder(path, number) / _SHARD_FILE).read_text())
        failures.update(shard.pop('failures'))
        shards.append(shard)
    index = dict(version=STORE_VERSION, settings=settings, shards=shards, failures=failures)
    write_json(path / INDEX_FILE, index, indent=1)
