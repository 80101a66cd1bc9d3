"""Benchmark of the consensus IoU of localization maps against looped forms of it.

N maps of P pixels, K thresholds.
"""

from collections.abc import Sequence

import numpy as np

from mmav.evaluation import ciou, ciou_at_thresholds

from .pairs import Comparison, pinned_threads, time_pairs

SIDE, CELLS = 224, 7


def made_up_maps(count: int, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Maps as a localizer gives them, 7 x 7 cells resized bilinearly, and truth of one box each.

    Args:
        count: N.
        side: Of the maps, in pixels.

    Returns:
        Maps and truth, (N, side, side) float32.
    """
    generator = np.random.default_rng(0)
    place = np.linspace(0, CELLS - 1, side)
    low = np.minimum(place.astype(int), CELLS - 2)
    resize = np.zeros((side, CELLS), np.float32)
    resize[np.arange(side), low] = 1 - (place - low)
    resize[np.arange(side), low + 1] = place - low
    cells = generator.standard_normal((count, CELLS, CELLS)).astype(np.float32)
    maps, truth = np.empty((2, count, side, side), np.float32)
    for values, target, box in zip(maps, truth, cells):
        values[:] = resize @ box @ resize.T
        size = generator.integers(side // 4, side, 2)
        x, y = generator.integers(0, side - size)
        target[:] = 0
        target[y : y + size[1], x : x + size[0]] = 1
    return maps, truth


def map_by_map(maps: np.ndarray, truth: np.ndarray, thresholds: Sequence[float] | None = None) -> np.ndarray:
    """The usual form: numpy for the pixels of a map, a loop over maps and thresholds.

    Args:
        maps: (N, H, W).
        truth: (N, H, W).
        thresholds: K fixed thresholds; None: each map's median.

    Returns:
        (N,) or (N, K).
    """
    scores = []
    for values, target in zip(maps, truth):
        values = (values - values.min()) / (values.max() - values.min())
        if thresholds is None:
            cuts = [np.sort(values.flatten())[values.size // 2]]
        else:
            cuts = thresholds
        row = []
        for cut in cuts:
            on = np.zeros(values.shape)
            on[values >= cut] = 1
            row.append(np.sum(on * target) / (np.sum(target) + np.sum(on * (target == 0))))
        scores.append(row[0] if thresholds is None else row)
    return np.array(scores)


def pixel_by_pixel(maps: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The definition in plain loops over maps and pixels, at each map's median.

    Args:
        maps: (N, H, W).
        truth: (N, H, W).

    Returns:
        (N,).
    """
    scores = []
    for values, target in zip(maps.tolist(), truth.tolist()):
        flat = [value for row in values for value in row]
        cut = sorted(flat)[len(flat) // 2]
        inside = outside = total = 0.0
        for row, wanted in zip(values, target):
            for value, part in zip(row, wanted):
                total += part
                if value >= cut:
                    inside += part
                    outside += part == 0
        scores.append(inside / (total + outside))
    return np.array(scores)


def ciou_metric(maps: int = 5000, repeats: int = 5, threads: int = 1, looped: int = 50) -> list[Comparison]:
    """Time a map of ``ciou`` and of the threshold sweep, against the looped forms.

    Args:
        maps: N.
        repeats: Pairs.
        threads: Of numpy.
        looped: Maps that the plain loops over pixels and the sweep are timed on.

    Returns:
        At the median, against loops over pixels and over maps; at 19 thresholds.
    """
    looped = min(looped, maps)
    heatmaps, truth = made_up_maps(maps)
    few, few_truth = heatmaps[:looped], truth[:looped]
    thresholds = tuple(round(0.05 * step, 2) for step in range(1, 20))
    cases = [
        (
            'at the median',
            'ciou',
            lambda: ciou(heatmaps, truth)['ciou'],
            'plain loops over maps and pixels',
            lambda: pixel_by_pixel(few, few_truth),
            20.0,
        ),
        (
            'at the median',
            'ciou',
            lambda: ciou(heatmaps, truth)['ciou'],
            'a loop over maps, numpy within',
            lambda: map_by_map(heatmaps, truth),
            20.0,
        ),
        (
            f'at {len(thresholds)} thresholds',
            'ciou_at_thresholds',
            lambda: ciou_at_thresholds(few, few_truth, thresholds),
            'a loop over maps and thresholds, numpy within',
            lambda: map_by_map(few, few_truth, thresholds),
            None,
        ),
    ]
    results = []
    for case, label, ours, peer, reference, target in cases:
        with pinned_threads(threads):
            mine, theirs = ours(), reference()
            # single precision may merge two neighboring values of a map when it is scaled: one pixel
            pixel = 2 / SIDE**2
            difference = np.abs(mine[: len(theirs)] - theirs).max()
            assert difference < pixel, f'the scores differ by {difference}'
            own, other = time_pairs(ours, reference, repeats, warm_up=0)
        results.append(
            Comparison(
                'ciou',
                case,
                label,
                peer,
                'gain',
                target=target,
                ours_values=[value / len(mine) for value in own],
                reference_values=[value / len(theirs) for value in other],
                settings=dict(maps=len(mine), reference_maps=len(theirs), side=SIDE, threads=threads),
                checked=f'largest difference {difference:.1e}',
                notes=['seconds a map'],
            )
        )
    results[1].notes.append(_reading(heatmaps, truth, results[1]))
    return results


def _reading(maps: np.ndarray, truth: np.ndarray, comparison: Comparison) -> str:
    """What the machine's memory allows at most: the time to read both arrays once."""

    def read() -> None:
        for start in range(0, len(maps), 5):
            maps[start : start + 5].max(), truth[start : start + 5].max()

    times, _ = time_pairs(read, read, 3)
    floor = min(times) / len(maps)
    bound = min(comparison.reference_values) / floor
    return f'reading both arrays once takes {floor * 1e6:.1f} us a map, so {bound:.0f} is the most possible'
