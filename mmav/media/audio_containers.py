"""Whether a sound file is as long as its header says.

libsndfile reads a file that was cut off as a shorter one, and leaves out what the header does not count.
The headers of WAV (RIFF, RF64, BW64), Sony Wave64, AIFF and AU say how many bytes of sound there are; Ogg
marks its last page.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

from mmav.utils.errors import SampleError

_UNKNOWN = (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)  # programs that write to a pipe cannot come back to fill it in
_PADDING = 16  # bytes that may follow the last chunk
_OGG_PAGE = struct.Struct('<4sBBqIIIB')
_LAST_PAGE = 4  # flag in an Ogg page's header

Chunk = tuple[bytes, int, int]  # name, place of its content, length of its content in bytes


def check_sound_length(file: BinaryIO, path: str) -> None:
    """Refuse a sound file that holds less or more sound than its header says.

    Args:
        file: The file, opened; it is left at its start. Formats that are not known pass.
        path: What error messages call it.

    Raises:
        SampleError: Sound is missing, or bytes follow that no header counts; the message says both lengths.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    magic = file.read(40)
    if magic[:4] in (b'RIFF', b'RF64', b'BW64') and magic[8:12] == b'WAVE':
        _check_chunks(_riff_chunks(file, size), b'data', size, path)
    elif magic[:4] == b'riff' and magic[24:28] == b'wave':
        _check_chunks(_wave64_chunks(file, size, path), b'data', size, path)
    elif magic[:4] == b'FORM' and magic[8:12] in (b'AIFF', b'AIFC'):
        _check_chunks(_aiff_chunks(file, size), b'SSND', size, path)
    elif magic[:4] == b'.snd':
        start, length = struct.unpack('>II', magic[4:12])
        _check_chunks(iter([(b'data', start, length)]), b'data', size, path)
    elif magic[:4] == b'OggS':
        _check_ogg(file, size, path)
    file.seek(0)


def _check_chunks(chunks: Iterator[Chunk], sound: bytes, size: int, path: str) -> None:
    """Compare the chunk of the sound, and whatever follows it, with the size of the file."""
    for name, start, length in chunks:
        if name != sound:
            continue
        if length in _UNKNOWN:
            return
        missing = start + length - size
        if missing > 0:
            raise SampleError(path, f'truncated: {missing} of {length} bytes of sound are missing')
        end = start + length
        for _, start_of_next, length_of_next in chunks:
            end = start_of_next + length_of_next
        if size - end > _PADDING:
            raise SampleError(
                path,
                f'its header says {length} bytes of sound, but {size - end} bytes follow that it does not '
                'count: the recording was not finished, or is longer than its format can say; write the '
                'header anew (`sox --ignore-length`)',
            )
        return


def _riff_chunks(file: BinaryIO, size: int) -> Iterator[Chunk]:
    place, long_data = 12, None
    while (chunk := _chunk_at(file, place, '<4sI', size)) is not None:
        name, start, length = chunk
        if name == b'ds64':  # 64-bit lengths: of the file, of its sound, ...
            file.seek(start + 8)
            (long_data,) = struct.unpack('<Q', file.read(8).ljust(8, b'\0'))
        if name == b'data' and length == 0xFFFFFFFF and long_data is not None:
            length = long_data
        yield name, start, length
        place = start + length + length % 2  # chunks begin at even places


def _aiff_chunks(file: BinaryIO, size: int) -> Iterator[Chunk]:
    place = 12
    while (chunk := _chunk_at(file, place, '>4sI', size)) is not None:
        yield chunk
        place = chunk[1] + chunk[2] + chunk[2] % 2


def _wave64_chunks(file: BinaryIO, size: int, path: str) -> Iterator[Chunk]:
    place = 40
    while (chunk := _chunk_at(file, place, '<4s12xQ', size)) is not None:
        name, start, length = chunk
        length -= 24  # which counts the chunk's own header
        if length < 0:
            raise SampleError(path, f'is damaged: its header has a chunk of {length + 24} bytes')
        yield name, start, length
        place = start + length + -length % 8  # chunks begin at multiples of 8


def _chunk_at(file: BinaryIO, place: int, layout: str, size: int) -> Chunk | None:
    """The chunk at a place; None where none begins."""
    file.seek(place)
    header = file.read(struct.calcsize(layout))
    if len(header) < struct.calcsize(layout):
        return None
    name, length = struct.unpack(layout, header)
    if not all(32 <= letter < 127 for letter in name):
        return None
    if name not in (b'data', b'SSND') and file.tell() + length > size:
        return None  # letters by chance, or cut off behind the sound
    return name, file.tell(), length


def _check_ogg(file: BinaryIO, size: int, path: str) -> None:
    place, last = 0, False
    while place < size:
        file.seek(place)
        header = file.read(_OGG_PAGE.size)
        if len(header) < _OGG_PAGE.size or not header.startswith(b'OggS'):
            break
        *_, segments = _OGG_PAGE.unpack(header)
        lengths = file.read(segments)  # of the page's segments, a byte each
        end = file.tell() + sum(lengths)
        if len(lengths) < segments or end > size:
            break
        place, last = end, bool(header[5] & _LAST_PAGE)
    if not last or size - place > _PADDING:
        raise SampleError(path, f'truncated or damaged: no last page is found in its {size} bytes')
