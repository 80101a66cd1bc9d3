"""What a report is made of: sections, each a dataclass with a ``title`` and a method ``to_html``.

They know nothing of any task, so every demo builds its page of them. All texts are escaped. Here are text
and charts; :mod:`.table` and :mod:`.cards` have the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

from .curves import svg_curves
from .scalars import Curve


class Section(Protocol):
    """A part of a report."""

    title: str

    def to_html(self) -> str:
        """Return the section's body as HTML, without its title."""


def paragraphs(text: str) -> str:
    """Turn plain text into paragraphs; blank lines part them, lines that start with '- ' become a list.

    Args:
        text: Plain text.

    Returns:
        Escaped HTML.
    """
    blocks = []
    for block in text.strip().split('\n\n'):
        lines = [line.strip() for line in block.strip().splitlines()]
        if lines and all(line.startswith('- ') for line in lines):
            items = ''.join(f'<li>{escape(line[2:])}</li>' for line in lines)
            blocks.append(f'<ul>{items}</ul>')
        elif lines:
            blocks.append(f'<p>{escape(" ".join(lines))}</p>')
    return ''.join(blocks)


@dataclass
class Text:
    """Plain text; see :func:`paragraphs`."""

    title: str
    text: str

    def to_html(self) -> str:
        """Return the text's paragraphs."""
        return f'<div class="prose">{paragraphs(self.text)}</div>'


@dataclass
class Chart:
    """A chart of :func:`svg_curves` with a caption.

    Args:
        caption: Text over the chart.
        curves: Steps (n,) and values (n,) by name.
        x_label: Name of the steps.
        y_label: Name of the values.
        smoothing: Weight of the past in the moving average, 0 for none.
        colors: Number of each curve's color, 0..7.
    """

    caption: str
    curves: Mapping[str, Curve]
    x_label: str = 'iteration'
    y_label: str = 'loss'
    smoothing: float = 0.8
    colors: Sequence[int] | None = None


@dataclass
class Curves:
    """Charts side by side.

    Args:
        title: Title of the section.
        charts: The charts.
        notes: Plain text under them.
    """

    title: str
    charts: Sequence[Chart]
    notes: str = ''

    def to_html(self) -> str:
        """Return the charts as figures."""
        figures = ''.join(
            f'<figure class="panel"><figcaption>{escape(c.caption)}</figcaption>'
            f'{svg_curves(c.curves, c.x_label, c.y_label, c.smoothing, c.colors)}</figure>'
            for c in self.charts
        )
        return f'<div class="charts">{figures}</div><div class="prose notes">{paragraphs(self.notes)}</div>'
