"""The rows of a table by condition."""

from collections.abc import Sequence
from typing import Any


def rows_by_condition(conditions: Sequence[dict], keys: Sequence[str]) -> dict[str, list[int]]:
    """Group frames into a row 'all', and one for each value of each condition, sorted, key after key.

    ``conditions`` has, of each frame, the values by key, None where unknown. The rows hold indices of frames;
    a value that an earlier key has already becomes ``<key>=<value>``.
    """
    rows = {'all': list(range(len(conditions)))}
    for key in keys:
        chosen: dict[Any, list[int]] = {}
        for index, condition in enumerate(conditions):
            if condition[key] is not None:
                chosen.setdefault(condition[key], []).append(index)
        for value in sorted(chosen, key=str):
            # 'day' may be a time of day and a condition
            name = str(value) if str(value) not in rows else f'{key}={value}'
            rows[name] = chosen[value]
    return rows
