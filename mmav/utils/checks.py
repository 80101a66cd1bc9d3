"""Checks of arguments and names in one line, so that the equation stays in sight."""

from collections.abc import Collection, Iterable
from pathlib import PureWindowsPath

from .errors import SampleError

PROTOCOLS = ('paper', 'official')
"""What ``protocol`` arguments mean: the paper's formulas, or its authors' program where that differs."""


def check_choice(owner: str, name: str, value: object, choices: Collection) -> None:
    """ValueError unless an argument of the function or class ``owner`` has one of the values that there are.

    Example:
        >>> check_choice('MTALoss', 'protocol', 'paper', ('official', 'paper'))
    """
    if value not in choices:
        raise ValueError(f'{owner}: {name} must be one of {tuple(choices)}, got {value!r}')


def check_range(
    owner: str, name: str, value: float, least: float | None = None, greatest: float | None = None
) -> None:
    """ValueError unless ``least`` <= a number <= ``greatest`` (None: no limit); NaN is in no range.

    Example:
        >>> check_range('SpecAugment', 'prob', 0.5, 0, 1)
    """
    if (least is None or value >= least) and (greatest is None or value <= greatest) and value == value:
        return
    texts = [f'{word} {bound:g}' for word, bound in (('>=', least), ('<=', greatest)) if bound is not None]
    raise ValueError(f'{owner}: {name} must be {" and ".join(texts) or "a number"}, got {value!r}')


def check_positive(owner: str, **values: float) -> None:
    """ValueError, which names the argument, unless all numbers are above 0.

    Example:
        >>> check_positive('AVDLoss', temperature=0.1)
    """
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f'{owner}: {name} must be above 0, got {value!r}')


def check_below(name: str, source: str) -> None:
    """SampleError unless a name out of a file stays below the folder that it will be joined to.

    Args:
        name: Of a file, with or without folders.
        source: Where it stands, for the message.

    Example:
        >>> check_below('drive_1/1578482417_123456789_x', 'train.txt')
        >>> check_below('../other/secret', 'train.txt')
        Traceback (most recent call last):
        mmav.utils.errors.SampleError: train.txt: the name '../other/secret' leads out of the data's folder
    """
    path = PureWindowsPath(name)  # which knows both separators
    if path.anchor or '..' in path.parts:
        raise SampleError(source, f"the name {name!r} leads out of the data's folder")


def check_distinct(outputs: Iterable[tuple[object, str]]) -> None:
    """SampleError, which names both sources, where two results would have one name.

    Args:
        outputs: Pairs: a file or name, and the name of its result.

    Example:
        >>> check_distinct((name, name[:-4]) for name in ('a.wav', 'b.wav', 'a.ogg'))
        Traceback (most recent call last):
        mmav.utils.errors.SampleError: a.ogg: its result would have the name of that of a.wav: 'a'
    """
    found: dict[str, object] = {}
    for source, name in outputs:
        if name in found:
            raise SampleError(
                str(source), f'its result would have the name of that of {found[name]}: {name!r}'
            )
        found[name] = source
