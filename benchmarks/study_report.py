"""Tables of the study's results, in Markdown."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from study_plan import TABLES, TRIALS, Table

from mmav.utils.fileio import AtomicLocalBackend


def write_report(path: Path, results: dict[str, dict[str, float]]) -> None:
    """Write all tables of which a row is there.

    Args:
        path: File to write.
        results: Metrics by ``<trial>@<seed>``.
    """
    seeds = defaultdict(dict)
    for key, metrics in results.items():
        name, seed = key.rsplit('@', 1)
        seeds[name][seed] = metrics
    texts = [text for table in TABLES.values() if (text := _table(table, seeds))]
    AtomicLocalBackend().put_text('\n'.join(texts), str(path))


def _table(table: Table, seeds: dict[str, dict[str, dict[str, float]]]) -> str | None:
    rows = []
    for name in table.trials:
        if not seeds.get(name):
            continue
        found = list(seeds[name].values())
        cells = [_cell([metrics.get(key, np.nan) for metrics in found]) for key in table.columns.values()]
        iterations = '' if TRIALS[name].untrained else TRIALS[name].iterations
        rows.append(f'| {name} | {iterations} | {len(found)} | {" | ".join(cells)} |')
    if not rows:
        return None
    headings = ['trial', 'iterations', 'seeds', *table.columns]
    return '\n'.join(
        [f'## {table.title}\n', f'| {" | ".join(headings)} |', '|---' * len(headings) + '|', *rows, '']
    )


def _cell(values: list[float]) -> str:
    """Mean over seeds, and the least and greatest value where there are several."""
    values = np.array(values)
    values = values[np.isfinite(values)]
    if not len(values):
        return ''
    if len(values) == 1:
        return f'{values[0]:.1f}'
    return f'{values.mean():.1f} ({values.min():.1f}..{values.max():.1f})'
