"""Line charts as SVG text, drawn without a plotting library: light, and in the page's theme."""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from .scalars import Curve, smooth

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 42
MAX_POINTS = 240  # of a line: more could not be told apart at this width
MAX_HOVERS = 40  # points of a line that tell their value under the pointer
MAX_MARKS = 12  # a line of so few points shows them, be it a single one
NUM_COLORS = 8  # the style sheet's .c0 to .c7


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover a range.

    Args:
        low: Least value.
        high: Greatest value, not below ``low``.
        count: About how many steps.

    Returns:
        Multiples of 1, 2 or 5 times a power of ten; the first at or below ``low``, the last at or above
        ``high``.
    """
    if high <= low:
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread, high + spread
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def svg_curves(
    curves: Mapping[str, Curve],
    x_label: str = 'iteration',
    y_label: str = 'loss',
    smoothing: float = 0.8,
    colors: Sequence[int] | None = None,
) -> str:
    """Draw curves with axes, a legend, and values under the pointer.

    Args:
        curves: Steps (n,) and values (n,) by name. Values that are not finite leave a gap.
        x_label: Name of the steps.
        y_label: Name of the values.
        smoothing: Weight of the past in the moving average that is drawn over the pale raw curve; 0 draws the
            raw curve alone.
        colors: Number of each curve's color, 0..7, so that one run looks alike in several charts.

    Returns:
        An ``<svg>`` element; its colors are classes of the page's style sheet.

    Raises:
        ValueError: If there is nothing finite to draw, or a curve's steps and values differ in number.
    """
    lines = {}
    for name, (steps, values) in curves.items():
        steps, values = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
        if steps.shape != values.shape or steps.ndim != 1:
            raise ValueError(f'curve {name!r} has {steps.shape} steps and {values.shape} values')
        lines[name] = (steps, values)
    finite = [(s[ok], v[ok]) for s, v in lines.values() if (ok := np.isfinite(s) & np.isfinite(v)).any()]
    if not finite:
        raise ValueError(f'no finite value in the curves {list(curves)}')
    x_ticks = nice_ticks(*_range([s for s, _ in finite]))
    y_ticks = nice_ticks(*_range([v for _, v in finite]))
    colors = list(colors) if colors is not None else list(range(len(lines)))

    def place(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = LEFT + (steps - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (values - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (HEIGHT - TOP - BOTTOM)
        return x, y

    parts = [_axes(x_ticks, y_ticks, x_label, y_label, place)]
    for color, (name, (steps, values)) in zip(colors, lines.items()):
        css = f'c{color % NUM_COLORS}'
        shown = values
        if smoothing > 0 and len(values) > 2:
            parts.append(f'<path class="raw {css}" d="{_path(*place(*_thin(steps, values)))}"/>')
            shown = smooth(values, smoothing)
        steps, shown = _thin(steps, shown)
        parts.append(f'<path class="line {css}" d="{_path(*place(steps, shown))}"/>')
        parts.append(_hovers(name, css, x_label, *_thin(steps, shown, MAX_HOVERS), place))
    label = escape(f'{y_label} against {x_label}: {", ".join(lines)}', quote=True)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f'{"".join(parts)}</svg>{_legend(lines, colors)}'
    )


def _range(arrays: Sequence[np.ndarray]) -> tuple[float, float]:
    return float(min(a.min() for a in arrays)), float(max(a.max() for a in arrays))


def _thin(steps: np.ndarray, values: np.ndarray, most: int = MAX_POINTS) -> Curve:
    """Evenly spaced points of a curve, the last one among them."""
    if len(steps) <= most:
        return steps, values
    chosen = np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))
    return steps[chosen], values[chosen]


def _path(x: np.ndarray, y: np.ndarray) -> str:
    """Path data; a gap wherever a value is not finite."""
    commands, pen_down = [], False
    for px, py in zip(x, y):
        if not math.isfinite(py):
            pen_down = False
            continue
        commands.append(f'{"L" if pen_down else "M"}{px:.1f} {py:.1f}')
        pen_down = True
    return ''.join(commands)


def _hovers(name: str, css: str, x_label: str, steps: np.ndarray, values: np.ndarray, place) -> str:
    few = ' mark' if len(steps) <= MAX_MARKS else ''
    dots = []
    for step, value, px, py in zip(steps, values, *place(steps, values)):
        if math.isfinite(value):
            title = escape(f'{name}: {value:.4g} at {x_label} {step:g}')
            dots.append(
                f'<circle class="dot {css}{few}" cx="{px:.1f}" cy="{py:.1f}" r="5">'
                f'<title>{title}</title></circle>'
            )
    return ''.join(dots)


def _axes(x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str, y_label: str, place) -> str:
    bottom, parts = HEIGHT - BOTTOM, []
    for tick, y in zip(y_ticks, place(np.full(len(y_ticks), x_ticks[0]), np.array(y_ticks))[1]):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick, x in zip(x_ticks, place(np.array(x_ticks), np.full(len(x_ticks), y_ticks[0]))[0]):
        anchor = 'end' if tick == x_ticks[-1] else 'middle'
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="{anchor}">{tick:g}</text>')
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + bottom) / 2
    parts.append(f'<text x="{middle_x}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(
        f'<text x="12" y="{middle_y}" text-anchor="middle" '
        f'transform="rotate(-90 12 {middle_y})">{escape(y_label)}</text>'
    )
    return ''.join(parts)


def _legend(names: Mapping, colors: Sequence[int]) -> str:
    items = (
        f'<span><i class="key c{color % NUM_COLORS}"></i>{escape(name)}</span>'
        for color, name in zip(colors, names)
    )
    return f'<p class="legend">{"".join(items)}</p>'
