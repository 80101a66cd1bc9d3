"""Tables of results, the best value of each column marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from .sections import paragraphs


@dataclass
class Column:
    """A column of numbers.

    Args:
        name: Heading.
        better: 'higher' or 'lower' marks the best of the column; None marks nothing.
        digits: Digits after the point.
    """

    name: str
    better: str | None = 'higher'
    digits: int = 1

    def __post_init__(self) -> None:
        if self.better not in ('higher', 'lower', None):
            raise ValueError(
                f"better is 'higher', 'lower' or None, not {self.better!r} (column {self.name!r})"
            )


@dataclass
class Row:
    """A row of numbers.

    Args:
        name: First cell.
        values: One a column: a number, (mean, spread), text, or None for nothing.
        note: Small text under the name.
        reference: A floor or ceiling that stands beside the contest: set off, and never marked as best.
    """

    name: str
    values: Sequence[float | tuple[float, float] | str | None]
    note: str = ''
    reference: bool = False


@dataclass
class Table:
    """Rows by columns with the best value of each column marked.

    Args:
        title: Title of the section.
        columns: Columns of numbers, after the rows' names.
        rows: Rows, each with as many values as there are columns.
        notes: Plain text under the table.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: str = ''

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(
                    f'row {row.name!r} has {len(row.values)} values for {len(self.columns)} columns'
                )

    def best_rows(self, index: int) -> set[int]:
        """Rows that hold the best value of a column, as it is printed.

        Args:
            index: Column.

        Returns:
            Positions of the rows; none if fewer than two rows have a number there.
        """
        column = self.columns[index]
        printed = {}
        for i, row in enumerate(self.rows):
            number = _main_number(row.values[index])
            if number is not None and np.isfinite(number) and not row.reference:
                printed[i] = round(number, column.digits)
        if column.better is None or len(printed) < 2:
            return set()
        best = (max if column.better == 'higher' else min)(printed.values())
        return {i for i, number in printed.items() if number == best}

    def to_html(self) -> str:
        """Return the table, in a box that scrolls where the screen is narrow."""
        arrows = {'higher': ' <small>↑</small>', 'lower': ' <small>↓</small>', None: ''}
        heads = ''.join(f'<th scope="col">{escape(c.name)}{arrows[c.better]}</th>' for c in self.columns)
        best = [self.best_rows(i) for i in range(len(self.columns))]
        body = []
        for i, row in enumerate(self.rows):
            note = f'<small>{escape(row.note)}</small>' if row.note else ''
            cells = ''.join(
                f'<td{" class=best" if i in best[j] else ""}>{_format_value(value, column.digits)}</td>'
                for j, (column, value) in enumerate(zip(self.columns, row.values))
            )
            css = ' class="reference"' if row.reference else ''
            body.append(f'<tr{css}><th scope="row">{escape(row.name)}{note}</th>{cells}</tr>')
        return (
            f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead>'
            f'<tbody>{"".join(body)}</tbody></table></div>'
            f'<div class="prose notes">{paragraphs(self.notes)}</div>'
        )


def _main_number(value: float | tuple[float, float] | str | None) -> float | None:
    """Number that a cell is compared by."""
    if isinstance(value, tuple):
        value = value[0]
    return None if value is None or isinstance(value, str) else float(value)


def _format_value(value: float | tuple[float, float] | str | None, digits: int) -> str:
    if value is None:
        return '–'
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, tuple):
        return f'{value[0]:.{digits}f} <small>± {value[1]:.{digits}f}</small>'
    return f'{value:.{digits}f}'
