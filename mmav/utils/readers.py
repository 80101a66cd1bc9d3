"""Files of text, JSON and tables, read whole; what cannot be read is an error with file and cause."""

import csv
import io
import json
from typing import Any

from mmengine.fileio import get

from .errors import SampleError

Row = tuple[int, list[str]]  # number of the line, from 1, and its cells

_UTF_16 = (b'\xff\xfe', b'\xfe\xff')


def read_bytes(path: str, backend_args: dict | None = None) -> bytes:
    """Content of a file through mmengine's file backends.

    Args:
        path: The file, or an address that a backend reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: It is missing, unreadable or empty.
    """
    try:
        data = get(path, backend_args=backend_args)
    except FileNotFoundError:
        raise SampleError(path, 'the file is missing') from None
    except IsADirectoryError:
        raise SampleError(path, 'this is a folder, a file is wanted') from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise SampleError(repr(path) if '\0' in str(path) else path, f'cannot be read ({error})') from error
    if not data:
        raise SampleError(path, 'the file is empty')
    return bytes(data)


def decode_text(data: bytes, source: str) -> str:
    """Text of UTF-8 bytes, without a byte order mark.

    Args:
        data: The bytes.
        source: File that they are of.

    Raises:
        SampleError: They are something else; the message says what, as far as it can be told.
    """
    if data.startswith(b'version https://git-lfs'):
        raise SampleError(source, 'this is a pointer of Git LFS, not the file: `git lfs pull` gets it')
    if data.startswith(_UTF_16):
        raise SampleError(source, 'this is UTF-16 text: save it as UTF-8')
    if data.lstrip()[:15].lower().startswith((b'<!doctype html', b'<html')):
        raise SampleError(source, 'this is a web page, not the file: download it again')
    if b'\0' in data:
        raise SampleError(source, 'holds NUL bytes: this is no text, or what a crash left of it')
    try:
        return data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise SampleError(source, f'is no UTF-8 text ({error}): save it as UTF-8') from error


def read_text(path: str, backend_args: dict | None = None) -> str:
    """Text of a UTF-8 file, without a byte order mark.

    Args:
        path: The file, or an address that one of mmengine's file backends reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: It is missing, unreadable, empty or no such text.
    """
    return decode_text(read_bytes(path, backend_args), str(path))


def parse_json(text: str, source: str) -> Any:
    """Value of a JSON text.

    Args:
        text: The text.
        source: File that it is of.

    Raises:
        SampleError: It is no JSON, cut off, or too deeply nested.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(text.rstrip())
        cause = 'it ends too early: the file is truncated' if ended else str(error)
        raise SampleError(source, f'no JSON can be read from it ({cause})') from error
    except RecursionError:
        raise SampleError(source, 'no JSON can be read from it: it is nested too deeply') from None
    except ValueError as error:  # a number of thousands of digits
        raise SampleError(source, f'no JSON can be read from it ({error})') from error


def read_json(path: str, backend_args: dict | None = None) -> Any:
    """Value of a JSON file.

    Args:
        path: The file, or an address that one of mmengine's file backends reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: As of :func:`read_text`, or it is no JSON.
    """
    return parse_json(read_text(path, backend_args), str(path))


def parse_rows(text: str, source: str, delimiter: str = ',', quotes: bool = True) -> list[Row]:
    """Lines of a table that are not blank.

    Args:
        text: The table.
        source: File that it is of.
        delimiter: Between cells. Defaults to ','.
        quotes: Whether cells may stand in quotes. Defaults to True.

    Returns:
        Pairs: number of the line, from 1, and its cells, stripped.

    Raises:
        SampleError: It is no table of this kind.
    """
    reader = csv.reader(
        io.StringIO(text), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    )
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise SampleError(f'{source}, line {reader.line_num}', f'no table can be read ({error})') from error
    return [(number, row) for number, row in rows if any(row)]


def read_rows(path: str, backend_args: dict | None = None, delimiter: str = ',') -> list[Row]:
    """Lines of a table that are not blank; see :func:`parse_rows`.

    Args:
        path: The file, or an address that one of mmengine's file backends reads.
        backend_args: Arguments of the backend.
        delimiter: Between cells. Defaults to ','.

    Raises:
        SampleError: As of :func:`read_text` and :func:`parse_rows`.
    """
    return parse_rows(read_text(path, backend_args), str(path), delimiter)
