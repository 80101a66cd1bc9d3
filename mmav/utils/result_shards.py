"""Results of a long run kept in pieces, so that a stopped run carries on where it was."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from .claims import refuse_other_parameters
from .files import write_json


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
            found = json.loads(file.read_text())
            refuse_other_parameters(
                found, parameters, f'{self.folder} holds a part of a run with other parameters'
            )
        else:
            write_json(file, parameters)

    def read(self) -> dict[int, dict]:
        """Return the finished items by their position, in order."""
        items: dict[int, dict] = {}
        for file in self.folder.glob('shard_*.json'):
            items.update({int(index): item for index, item in json.loads(file.read_text()).items()})
        return dict(sorted(items.items()))

    def write(self, items: Mapping[int, dict]) -> None:
        """Keep finished items, none of them kept before.

        Args:
            items: Results by position. The file is named after the first of them: no two processes share one.
        """
        if items:
            write_json(self.folder / f'shard_{min(items):09d}.json', items)

    def remove(self) -> None:
        """Remove the shards: the whole result is written."""
        shutil.rmtree(self.folder)
