"""The scalars that mmengine's runner writes down while it trains, as curves."""

import json
import math
from pathlib import Path

import numpy as np

Curve = tuple[np.ndarray, np.ndarray]


def read_scalars(path: str | Path) -> dict[str, Curve]:
    """Read ``scalars.json`` of mmengine's LocalVisBackend.

    A resumed training leaves one file a start; later ones overrule earlier ones at the steps both have.

    Args:
        path: A ``scalars.json``, or a work folder with ``<start>/vis_data/scalars.json`` in it.

    Returns:
        By name, steps (n,) rising and values (n,), both float64. Names are the runner's: ``loss``, ``lr``,
        ``coco/bbox_mAP``, ... The steps are the ones the runner logged with: iterations for training values,
        and epochs or iterations for validation values.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no json. A last line without its end, as a killed run leaves it, is left out.
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'no vis_data/scalars.json under {path}: has the training written any?')
    curves: dict[str, dict[float, float]] = {}
    for file in files:
        lines = file.read_text().split('\n')
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                if number == len(lines):
                    continue
                raise ValueError(f'{file}, line {number}, is no json: {error}') from error
            step = entry.get('step')
            if step is None:
                raise ValueError(f'{file}, line {number}, has no step')
            for name, value in entry.items():
                if name != 'step' and isinstance(value, int | float):
                    curves.setdefault(name, {})[step] = value
    return {name: _sorted_arrays(points) for name, points in curves.items()}


def _sorted_arrays(points: dict[float, float]) -> Curve:
    steps = np.array(sorted(points), dtype=np.float64)
    return steps, np.array([points[step] for step in steps], dtype=np.float64)


def smooth(values: np.ndarray, weight: float = 0.9) -> np.ndarray:
    """Exponential moving average without the pull to zero at its start.

    Args:
        values: (n,); values that are not finite are passed over and stay where they are.
        weight: Of the past, 0 (no smoothing) to below 1.

    Returns:
        (n,) float64.

    Raises:
        ValueError: If the weight is outside [0, 1).
    """
    if not 0 <= weight < 1:
        raise ValueError(f'weight must be in [0, 1), not {weight}')
    smoothed = np.array(values, dtype=np.float64)
    mean, mass = 0.0, 0.0
    for i, value in enumerate(smoothed):
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            mass = weight * mass + (1 - weight)
            smoothed[i] = mean / mass
    return smoothed
