"""Files of text, JSON, tables and XML, read whole; what cannot be read is an error with file and cause."""

import codecs
import csv
import io
import json
import re
import struct
import zipfile
import zlib
from typing import Any
from xml.etree import ElementTree

from .errors import SampleError
from .storage import backend_errors, backend_of

Row = tuple[int, list[str]]  # number of the line, from 1, and its cells

MAX_XML_SIZE = 1 << 20
"""Bytes: an annotation has some thousand."""

_LARGE_NUMBER = re.compile(r'\d{19}|[eE]\+?\d{3}')
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_bytes(path: str, backend_args: dict | None = None) -> bytes:
    """Content of a file through mmengine's file backends.

    Args:
        path: The file, or an address that a backend reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: It is missing, unreadable, empty, or a stand-in of :func:`refuse_stand_in`.
    """
    with backend_errors(path):
        data = backend_of(path, backend_args).get(path)
    refuse_stand_in(data[:512], path)
    return bytes(data)


def refuse_stand_in(start: bytes, source: str) -> None:
    """Refuse what often lies in the place of a file that was not downloaded.

    Args:
        start: The file's first bytes.
        source: The file.

    Raises:
        SampleError: It is empty, a pointer of Git LFS, or a web page.
    """
    if not start:
        raise SampleError(source, 'the file is empty')
    if start.startswith(b'version https://git-lfs'):
        raise SampleError(source, 'this is a pointer of Git LFS, not the file: `git lfs pull` gets it')
    if start.removeprefix(codecs.BOM_UTF8).lstrip()[:15].lower().startswith((b'<!doctype html', b'<html')):
        raise SampleError(source, 'this is a web page, not the file: download it again')


def decode_text(data: bytes, source: str) -> str:
    """Text of UTF-8 bytes, without a byte order mark.

    Args:
        data: The bytes.
        source: File that they are of.

    Raises:
        SampleError: They are something else; the message says what, as far as it can be told.
    """
    if data.startswith(_UTF_16):
        raise SampleError(source, 'this is UTF-16 text: save it as UTF-8')
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
        SampleError: It is no JSON, cut off, too deeply nested, or holds a number that 64 bits do not
            hold. NaN, which JSON does not know but programs write, is for the caller to refuse.
    """
    checks: dict[str, Any] = {}
    if _LARGE_NUMBER.search(text):  # seldom: to look at each number takes time
        checks = dict(parse_int=_parse_int, parse_float=_parse_float)
    try:
        return json.loads(text, **checks)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(text.rstrip())
        cause = 'it ends too early: the file is truncated' if ended else str(error)
        raise SampleError(source, f'no JSON can be read from it ({cause})') from error
    except RecursionError:
        raise SampleError(source, 'no JSON can be read from it: it is nested too deeply') from None
    except ValueError as error:
        raise SampleError(source, f'no JSON can be read from it ({error})') from error


def _parse_int(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueError(f'it holds a number of {len(text.lstrip("-"))} digits')
    return int(text)


def _parse_float(text: str) -> float:
    value = float(text)
    if value in (float('inf'), float('-inf')):
        raise ValueError(f'it holds the number {text[:40]}, which is too large')
    return value


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


def read_xml(path: str, backend_args: dict | None = None) -> ElementTree.Element:
    """Root of an XML file without definitions of its own.

    Args:
        path: The file, or an address that one of mmengine's file backends reads.
        backend_args: Arguments of the backend.

    Raises:
        SampleError: As of :func:`read_text`; it has more than :data:`MAX_XML_SIZE` characters, is no XML, or
            has a document type, whose entities could make it grow without bound.
    """
    text = read_text(path, backend_args)
    if len(text) > MAX_XML_SIZE:
        raise SampleError(path, f'has {len(text)} characters, an annotation has at most {MAX_XML_SIZE}')
    if '<!DOCTYPE' in text:
        raise SampleError(path, 'has a document type (DOCTYPE), which is not admitted: remove it')
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise SampleError(path, f'no readable xml ({error})') from error


def largest_size(file_size: int) -> int:
    """Bytes that the content of a compressed file may take in memory: 100 times the file, 64 MiB at least.

    Args:
        file_size: Bytes of the file.
    """
    return max(64 << 20, 100 * file_size)


def check_zip(data: bytes, source: str, limit: int | None = None) -> None:
    """Compare the parts of a zip archive with their sizes and checksums.

    Args:
        data: The archive.
        source: File that it is of.
        limit: Bytes that the parts may have together. None: those of :func:`largest_size`.

    Raises:
        SampleError: It is damaged, or its parts are larger; nothing of these was unpacked.
    """
    limit = largest_size(len(data)) if limit is None else limit
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if not archive.infolist():
                raise SampleError(source, 'is damaged: it is an archive without parts')
            # zipfile takes parts for the comment of one before, where that is said to be long
            (count,) = struct.unpack_from('<H', data, data.rfind(b'PK\5\6') + 10)
            if count not in (len(archive.infolist()), 0xFFFF):
                raise SampleError(
                    source, f'is damaged: {len(archive.infolist())} of its {count} parts are found'
                )
            size = sum(part.file_size for part in archive.infolist())
            if size > limit:
                raise SampleError(
                    source, f'its parts have {size} bytes, the file {len(data)}: it is damaged, or a zip bomb'
                )
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, zlib.error) as error:
        raise SampleError(source, f'is damaged: {error}') from error
    except ValueError as error:
        if isinstance(error, SampleError):
            raise
        raise SampleError(source, f'is damaged: {error}') from error
    if damaged is not None:
        raise SampleError(
            source, f'is damaged: {damaged!r} in it differs from its checksum; get the file again'
        )
