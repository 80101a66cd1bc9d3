"""Tables of results, the best value of each column marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from .page import paragraphs

ARROWS = {'higher': ' <small>↑</small>', 'lower': ' <small>↓</small>', None: ''}


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

    def to_text(self, value: float | str | None) -> str:
        """Format a number of the column; text stays, None is nothing."""
        if isinstance(value, str):
            return value
        return '–' if value is None else f'{value:.{self.digits}f}'


@dataclass
class Row:
    """A row of numbers.

    Args:
        name: First cell.
        values: One a column: a number, text, or None for nothing.
        note: Small text under the name.
        reference: A floor or ceiling that stands beside the contest: set off, and never marked as best.
    """

    name: str
    values: Sequence[float | str | None]
    note: str = ''
    reference: bool = False


@dataclass
class Table:
    """A section of rows by columns, with plain text under the table."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: str = ''

    def best_rows(self, index: int) -> set[int]:
        """Rows that hold the best value of a column, as it is printed; none if fewer than two have one."""
        column = self.columns[index]
        printed = {
            i: round(value, column.digits)
            for i, value in enumerate(row.values[index] for row in self.rows)
            if isinstance(value, int | float) and np.isfinite(value) and not self.rows[i].reference
        }
        if column.better is None or len(printed) < 2:
            return set()
        best = (max if column.better == 'higher' else min)(printed.values())
        return {i for i, number in printed.items() if number == best}

    def to_html(self) -> str:
        """Return the table, in a box that scrolls where the screen is narrow."""
        heads = ''.join(f'<th scope="col">{escape(c.name)}{ARROWS[c.better]}</th>' for c in self.columns)
        best = [self.best_rows(i) for i in range(len(self.columns))]
        body = []
        for i, row in enumerate(self.rows):
            note = f'<small>{escape(row.note)}</small>' if row.note else ''
            cells = ''.join(
                f'<td{" class=best" if i in best[j] else ""}>{escape(column.to_text(value))}</td>'
                for j, (column, value) in enumerate(zip(self.columns, row.values, strict=True))
            )
            css = ' class="reference"' if row.reference else ''
            body.append(f'<tr{css}><th scope="row">{escape(row.name)}{note}</th>{cells}</tr>')
        return (
            f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead>'
            f'<tbody>{"".join(body)}</tbody></table></div>'
            f'<div class="prose notes">{paragraphs(self.notes)}</div>'
        )
