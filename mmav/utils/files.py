"""Files written whole or not at all."""

import json
from pathlib import Path

from ..engine.atomic_backend import AtomicLocalBackend


def write_json(path: str | Path, content: object, indent: int | None = None) -> None:
    """Write a json file whole or not at all.

    Args:
        path: File to write; its folder is made if missing.
        content: What json can hold.
        indent: As in :func:`json.dumps`.
    """
    AtomicLocalBackend().put_text(json.dumps(content, indent=indent), path)
