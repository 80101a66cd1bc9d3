"""A report as one HTML file that any browser opens without network.

It is made of sections, each a dataclass with a ``title`` and a method ``to_html``; all texts are escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

from mmav.utils.fileio import AtomicLocalBackend

from .style import STYLE

# The browser itself is told to fetch nothing: all a page shows is in the page.
CONTENT_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


class Section(Protocol):
    """A part of a report."""

    title: str

    def to_html(self) -> str:
        """Return the section's body as HTML, without its title."""


def paragraphs(text: str) -> str:
    """Turn plain text into HTML; blank lines part paragraphs, lines that start with '- ' become a list."""
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
    """A section of plain text; see :func:`paragraphs`."""

    title: str
    text: str

    def to_html(self) -> str:
        """Return the text's paragraphs."""
        return f'<div class="prose">{paragraphs(self.text)}</div>'


def render_report(title: str, sections: Sequence[Section], lead: str = '') -> str:
    """Lay out a whole HTML document of sections, with plain text ``lead`` under its title."""
    links = ''.join(f'<a href="#s{i}">{escape(s.title)}</a>' for i, s in enumerate(sections))
    nav = f'<nav>{links}</nav>' if len(sections) > 1 else ''
    body = '\n'.join(
        f'<section id="s{i}"><h2>{escape(section.title)}</h2>{section.to_html()}</section>'
        for i, section in enumerate(sections)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{STYLE}</style>
</head>
<body>
<header><h1>{escape(title)}</h1><div class="prose lead">{paragraphs(lead)}</div>{nav}</header>
<main>
{body}
</main>
</body>
</html>
"""


def write_report(path: Path, title: str, sections: Sequence[Section], lead: str = '') -> Path:
    """Write what :func:`render_report` lays out, whole or not at all; return the file."""
    AtomicLocalBackend().put_text(render_report(title, sections, lead), path)
    return path
