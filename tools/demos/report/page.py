"""A report as one HTML file that any browser opens without network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from mmav.utils.fileio import AtomicLocalBackend

from .sections import Section, paragraphs
from .style import STYLE

# The browser itself is told to fetch nothing: all a page shows is in the page.
CONTENT_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


def render_report(title: str, sections: Sequence[Section], lead: str = '') -> str:
    """Lay out a report.

    Args:
        title: Title of the page.
        sections: Sections in their order; see :mod:`report.sections`.
        lead: Plain text under the title.

    Returns:
        A whole HTML document.
    """
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


def write_report(path: str | Path, title: str, sections: Sequence[Section], lead: str = '') -> Path:
    """Write a report, whole or not at all.

    Args:
        path: File to write; its folder is made if missing.
        title: Title of the page.
        sections: Sections in their order.
        lead: Plain text under the title.

    Returns:
        The file.
    """
    path = Path(path)
    AtomicLocalBackend().put_text(render_report(title, sections, lead), path)
    return path
