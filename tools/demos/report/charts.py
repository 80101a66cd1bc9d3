"""Line charts of what a training logged, drawn by matplotlib."""

import base64
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.signal import lfilter

from .page import paragraphs

Curve = tuple[np.ndarray, np.ndarray]
SMOOTHING = 0.8  # weight of the past in the moving average over a pale raw curve


def read_scalars(folder: Path) -> dict[str, Curve]:
    """Read all ``<start>/vis_data/scalars.json`` of mmengine's LocalVisBackend in a work folder.

    A resumed training leaves one file a start; later ones overrule earlier ones at the steps both have.

    Returns:
        By name (``loss``, ``lr``, ...), steps (n,) rising and values (n,).

    Raises:
        FileNotFoundError: If there is no such file.
        json.JSONDecodeError: If a line but the last one, which a killed run may leave unfinished, is no json.
    """
    files = sorted(folder.glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'no vis_data/scalars.json under {folder}: has the training written any?')
    points: dict[str, dict[float, float]] = defaultdict(dict)
    for file in files:
        lines = file.read_text().split('\n')
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line or '{}')
            except json.JSONDecodeError:
                if number < len(lines):
                    raise
                continue
            for name, value in entry.items():
                if name != 'step' and isinstance(value, int | float):
                    points[name][entry['step']] = value
    return {name: tuple(np.array(sorted(values.items()), dtype=float).T) for name, values in points.items()}


@dataclass
class Chart:
    """Curves over each other.

    Args:
        caption: Text over the chart.
        curves: Steps (n,) and values (n,) by name; NaN leaves a gap.
        x_label: Name of the steps.
        y_label: Name of the values.
        smooth: Whether a moving average is drawn over the curves.
    """

    caption: str
    curves: Mapping[str, Curve]
    x_label: str = 'iteration'
    y_label: str = 'loss'
    smooth: bool = True

    def to_html(self) -> str:
        """Return a figure."""
        figure = Figure((6.4, 3), layout='constrained')
        axes = figure.subplots()
        for number, (name, (steps, values)) in enumerate(self.curves.items()):
            style = dict(color=f'C{number}', marker='.' if len(steps) <= 12 else '')
            if self.smooth and len(steps) > 2:
                axes.plot(steps, values, **style, alpha=0.3)
                mass = lfilter([1 - SMOOTHING], [1, -SMOOTHING], np.ones(len(values)))
                values = lfilter([1 - SMOOTHING], [1, -SMOOTHING], values) / mass
            axes.plot(steps, values, **style, label=name.replace('$', r'\$'))
        axes.set(xlabel=self.x_label, ylabel=self.y_label)
        axes.grid(alpha=0.3)
        axes.legend()
        file = io.BytesIO()
        figure.savefig(file, format='svg')
        content = base64.b64encode(file.getvalue()).decode()
        alt = escape(f'{self.y_label} against {self.x_label}: {", ".join(self.curves)}', quote=True)
        return (
            f'<figure class="panel"><figcaption>{escape(self.caption)}</figcaption>'
            f'<img class="chart" src="data:image/svg+xml;base64,{content}" alt="{alt}"></figure>'
        )


@dataclass
class Curves:
    """A section of charts side by side, with plain text under them."""

    title: str
    charts: Sequence[Chart]
    notes: str = ''

    def to_html(self) -> str:
        """Return the charts as figures."""
        figures = ''.join(chart.to_html() for chart in self.charts)
        return f'<div class="charts">{figures}</div><div class="prose notes">{paragraphs(self.notes)}</div>'
