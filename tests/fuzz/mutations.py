"""Seeded mutations of files: what disks, transfers, editors and other programs do to them."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

STRANGE_VALUES = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    -0.5,
    1e300,
    float('nan'),
    float('inf'),
    '',
    'x',
    'a\0b',
    '../../x',
    [],
    {},
    [[]],
    {'type': 'os.system'},
)
STRANGE_WORDS = (
    b'nan',
    b'inf',
    b'-1',
    b'1e400',
    b'9' * 400,
    b'0x1',
    b'',
    b'a\0b',
    b'"',
    b"'",
    b'\t',
    b'[' * 50000,
)


def flip_bits(data: bytes, rng: Rng) -> bytes:
    """Some bits, of a place near the start in half of the cases: headers stand there."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        place = rng.integers(len(out)) if rng.random() < 0.5 else rng.integers(min(len(out), 512))
        out[place] ^= 1 << rng.integers(8)
    return bytes(out)


def truncate(data: bytes, rng: Rng) -> bytes:
    return data[: rng.integers(len(data))]


def _block(data: bytes, rng: Rng) -> tuple[int, int]:
    start = int(rng.integers(len(data)))
    return start, start + int(rng.integers(1, max(2, len(data) // 4)))


def duplicate_block(data: bytes, rng: Rng) -> bytes:
    start, end = _block(data, rng)
    return data[:end] + data[start:end] + data[end:]


def remove_block(data: bytes, rng: Rng) -> bytes:
    start, end = _block(data, rng)
    return data[:start] + data[end:]


def swap_blocks(data: bytes, rng: Rng) -> bytes:
    size = int(rng.choice([1, 2, 4, 8, 64]))
    first, second = sorted(rng.integers(max(1, len(data) - size), size=2).tolist())
    if second < first + size:
        return data[::-1]
    middle = data[first + size : second]
    return (
        data[:first]
        + data[second : second + size]
        + middle
        + data[first : first + size]
        + data[second + size :]
    )


def insert_bytes(data: bytes, rng: Rng) -> bytes:
    place, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 64))
    filler = [bytes(size), b'\xff' * size, rng.bytes(size)][rng.integers(3)]
    return data[:place] + filler + data[place:]


def huge_number(data: bytes, rng: Rng) -> bytes:
    """A field of 2, 4 or 8 bytes becomes the largest there is, or nearly."""
    size = int(rng.choice([2, 4, 8]))
    place = int(rng.integers(min(len(data), 4096))) // size * size
    field = [b'\xff' * size, b'\xff' * (size - 1) + b'\x7f', b'\x7f' + b'\xff' * (size - 1), bytes(size)]
    return data[:place] + field[rng.integers(4)] + data[place + size :]


def zero_tail(data: bytes, rng: Rng) -> bytes:
    """What a crash leaves of a file whose size was noted before its content."""
    keep = int(rng.integers(len(data)))
    return data[:keep] + bytes(len(data) - keep)


BINARY = (
    flip_bits,
    truncate,
    duplicate_block,
    remove_block,
    swap_blocks,
    insert_bytes,
    huge_number,
    zero_tail,
)


def recode(data: bytes, rng: Rng) -> bytes:
    """Another encoding, a byte order mark, other ends of lines."""
    text = data.decode('utf-8', 'replace')
    ways: list[Callable[[], bytes]] = [
        lambda: text.encode('utf-16'),
        lambda: ('ä' + text).encode('latin-1', 'replace'),
        lambda: text.encode('utf-8-sig'),
        lambda: text.replace('\n', '\r\n').encode(),
        lambda: b'version https://git-lfs.github.com/spec/v1\n' + data,
        lambda: b'<!DOCTYPE html><html><body>404</body></html>',
        lambda: b'',
    ]
    return ways[rng.integers(len(ways))]()


def strange_word(data: bytes, rng: Rng) -> bytes:
    """A word of a text becomes something else."""
    words = [(0, 1)]
    start = None
    for place, byte in enumerate(data):
        inside = chr(byte).isalnum() or byte in b'._-'
        if inside and start is None:
            start = place
        elif not inside and start is not None:
            words.append((start, place))
            start = None
    begin, end = words[rng.integers(len(words))]
    return data[:begin] + STRANGE_WORDS[rng.integers(len(STRANGE_WORDS))] + data[end:]


def swap_lines(data: bytes, rng: Rng) -> bytes:
    lines = data.splitlines(keepends=True)
    first, second = rng.integers(len(lines), size=2)
    lines[first], lines[second] = lines[second], lines[first]
    return b''.join(lines)


TEXT = (recode, strange_word, strange_word, swap_lines, truncate, remove_block, duplicate_block, flip_bits)


def _places(value: Any, path: tuple = ()) -> list[tuple]:
    """Paths of all values in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in _places(item, (*path, key)))]


def confuse_json(data: bytes, rng: Rng) -> bytes:
    """A value is replaced, removed, doubled, or swapped with another."""
    root = [json.loads(data)]
    places = [place for place in _places(root) if place]

    def parent(place: tuple) -> Any:
        value: Any = root
        for key in place[:-1]:
            value = value[key]
        return value

    for _ in range(rng.integers(1, 3)):
        place, other = (places[rng.integers(len(places))] for _ in range(2))
        try:
            holder = parent(place)
            way = rng.integers(4)
            if way < 2:
                holder[place[-1]] = STRANGE_VALUES[rng.integers(len(STRANGE_VALUES))]
            elif way == 2:
                holder[place[-1]] = json.loads(json.dumps(parent(other)[other[-1]]))
            elif len(place) > 1:
                del holder[place[-1]]
        except (KeyError, IndexError, TypeError, ValueError):  # replaced before
            pass
    with_digits = json.dumps(root[0]) if rng.random() < 0.97 else '[' * 50000 + ']' * 50000
    return with_digits.encode()


JSON = (confuse_json, confuse_json, confuse_json, *TEXT)
