"""Tables of events in time: tab-separated rows of video, onset, offset and class.

Shapes: T segments (seconds), C classes.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmav.utils.errors import SampleError
from mmav.utils.readers import decode_text, parse_rows, read_bytes


@dataclass
class EventTable:
    """Events of videos.

    Attributes:
        path: The file.
        segments: By video, (T, C) float32: 1, or the row's score, in the seconds of an event, else 0.
        sha256: Of the file's bytes.
        left_out: Numbers of rows that mark no second, by reason.
    """

    path: str
    segments: dict[str, np.ndarray]
    sha256: str
    left_out: Counter = field(default_factory=Counter)


def read_table(path: str, columns: Sequence[str], backend_args: dict | None = None) -> tuple[list, bytes]:
    """Rows of a tab-separated file with a header of ``columns`` at least, and the file's bytes.

    A row is (where, row): file and line for messages, and the cells by column. SampleError if the file is
    missing or no text, lacks a column, or a row has another number of cells.
    """
    content = read_bytes(path, backend_args)
    lines = parse_rows(decode_text(content, path), path, delimiter='\t', quotes=False)
    header = lines[0][1] if lines else []
    missing = [name for name in columns if name not in header]
    if missing:
        raise SampleError(path, f'lacks the columns {missing}, its first line has {header} (tab-separated)')
    rows = []
    for number, cells in lines[1:]:
        where = f'{path}, line {number}'
        if len(cells) != len(header):
            raise SampleError(where, f'has {len(cells)} cells, the first line has {len(header)}: {cells}')
        rows.append((where, dict(zip(header, cells))))
    return rows, content


def read_event_table(
    path: str,
    classes: Sequence[str],
    num_segments: int,
    with_scores: bool = False,
    on_error: str = 'raise',
    backend_args: dict | None = None,
) -> EventTable:
    """Read events in LLP's format: ``filename``, ``onset``, ``offset``, ``event_labels`` (one class).

    An event covers the seconds from onset up to offset, whole numbers. Rows whose offset is their onset, as
    the published files have some, mark nothing and are counted.

    Args:
        path: The file.
        classes: Names of the C classes.
        num_segments: T.
        with_scores: Whether a column ``score``, if there is one, is read: soft labels in 0..1; where events
            of a class overlap, the greatest counts.
        on_error: 'raise', or 'skip' to leave out and count broken rows.
        backend_args: Of mmengine's file backends.

    Raises:
        SampleError: Naming file and line: an unknown class, times that are no whole numbers or out of
            0..T, an offset before its onset, a score out of 0..1.
    """
    numbers = {name: index for index, name in enumerate(classes)}
    rows, content = read_table(path, ('filename', 'onset', 'offset', 'event_labels'), backend_args)
    table = EventTable(path, {}, hashlib.sha256(content).hexdigest())
    for where, row in rows:
        try:
            label, onset, offset, score = _parse(where, row, numbers, num_segments, with_scores)
        except SampleError:
            if on_error == 'raise':
                raise
            table.left_out['broken'] += 1
            continue
        segments = table.segments.setdefault(
            row['filename'], np.zeros((num_segments, len(classes)), np.float32)
        )
        if onset == offset:
            table.left_out['without length'] += 1
        cells = segments[onset:offset, label]
        np.maximum(cells, score, out=cells)
    return table


def _parse(
    where: str, row: dict[str, str], numbers: dict[str, int], num_segments: int, with_scores: bool
) -> tuple[int, int, int, float]:
    name = row['event_labels']
    if name not in numbers:
        raise SampleError(where, f'unknown class {name!r} of video {row["filename"]}')
    try:
        onset, offset = float(row['onset']), float(row['offset'])
        score = float(row['score']) if with_scores and 'score' in row else 1.0
    except ValueError as error:
        raise SampleError(where, f'onset, offset and score must be numbers ({error})') from error
    if onset % 1 or offset % 1 or not 0 <= onset <= offset <= num_segments:
        raise SampleError(
            where,
            f'{name} of video {row["filename"]} lasts from {row["onset"]} to {row["offset"]}: whole seconds '
            f'within 0..{num_segments} are needed',
        )
    if not 0 <= score <= 1:
        raise SampleError(where, f'the score {row["score"]} is out of 0..1')
    return numbers[name], int(onset), int(offset), score
