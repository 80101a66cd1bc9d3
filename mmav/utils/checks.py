"""Checks of arguments in one line, so that the equation stays in sight."""

from collections.abc import Collection

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
