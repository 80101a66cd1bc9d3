"""Folders that say what their content was made with, so that a stopped run carries on and no other does."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..engine.atomic_backend import AtomicLocalBackend


def claim_folder(file: str | Path, text: str, what: str) -> None:
    """Note in a folder what its content is made with, or see that the note in place says the same.

    Args:
        file: The note; its folder is made if missing.
        text: What it is to hold: a json object of parameters.
        what: How the folder's content was made, for messages: 'was simulated with other parameters'.

    Raises:
        FileExistsError: If the folder holds something else, or its note tells other parameters or cannot be
            read.
    """
    file = Path(file)
    folder = file.parent
    AtomicLocalBackend.remove_leftovers(folder)
    if file.is_file():
        try:
            found = json.loads(file.read_text())
        except json.JSONDecodeError as error:
            raise FileExistsError(f'{file} is no readable json ({error}): choose another folder') from error
        refuse_other_parameters(
            found,
            json.loads(text),
            f'{folder} {what}',
            advice='choose another folder or remove this one',
            error=FileExistsError,
            show_values=True,
        )
    elif folder.is_dir() and any(folder.iterdir()):
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
    """Refuse to go on with results that were made otherwise.

    Args:
        found: Parameters that the results were made with, as read from json.
        wanted: Parameters of this run.
        what: Start of the message: 'results.json was written with other parameters'.
        advice: End of the message: what to do.
        error: What is raised.
        show_values: Whether the message tells short values beside the names.

    Raises:
        ValueError: If any differ; the message names them. Or ``error``.
    """
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
