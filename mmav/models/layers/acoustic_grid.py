"""What an acoustic image is made of: places, bins of bands, frames of windows.

Shapes: P places or directions, F frequency bins, T frames, S windows in time, K bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mmav.structures import Rig


def grid_targets(
    rig: Rig, grid: Sequence[int], max_distance: float = 40.0, source_height: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """What an array is steered at for each cell of a grid over the cropped image.

    Args:
        rig: Array and camera.
        grid: (rows, columns); a cell is steered at by its center.
        max_distance: Metres along the ground of cells above the horizon, and of those whose place is farther.
        source_height: Metres of the sources over the ground.

    Returns:
        With a ground plane places (P, 3) in metres, without duplicates (the cells of a column above the
        horizon share one); else directions (P, 3), unit vectors. And which of them each cell shows
        (rows * columns,).
    """
    (rows, columns), (width, height) = grid, rig.cropped_size
    v, u = np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing='ij')
    pixels = np.stack((u.ravel() * width / columns, v.ravel() * height / rows), axis=1)
    if rig.ground is None:
        return rig.pixel_rays(pixels), np.arange(rows * columns)
    places = rig.ground_points(pixels, max_distance)
    places[:, 2] = source_height
    places, cells = np.unique(places.round(6), axis=0, return_inverse=True)
    return places, cells.reshape(-1)


def band_bins(
    band_edges: Sequence[float], sample_rate: float, n_fft: int, max_bins: int | None = None
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Bins of a Fourier transform that belong to bands.

    Args:
        band_edges: K + 1 increasing edges in hertz; bin f belongs to the band with low <= f < high.
        sample_rate: Hertz.
        n_fft: Length of the transform in samples.
        max_bins: At most so many bins of each band, evenly spaced. None: all.

    Returns:
        Bins (F,), and for each band the stretch (start, stop) of them.

    Raises:
        ValueError: If a band reaches above half of the sample rate or holds no bin.
    """
    frequencies = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    found: list[np.ndarray] = []
    stretches = []
    for low, high in pairwise(band_edges):
        name = f'band_edges: the band {low:g} to {high:g} Hz'
        if high > sample_rate / 2:
            raise ValueError(
                f'{name} reaches above half of the sample rate ({sample_rate / 2:g} Hz): leave it out'
            )
        bins = np.flatnonzero((frequencies >= low) & (frequencies < high))
        if not len(bins):
            raise ValueError(f'{name} holds no bin of n_fft={n_fft}: widen it, or raise n_fft')
        if max_bins is not None and len(bins) > max_bins:
            bins = bins[np.linspace(0, len(bins) - 1, max_bins).round().astype(int)]
        start = sum(map(len, found))
        found.append(bins)
        stretches.append((start, start + len(bins)))
    return np.concatenate(found), stretches


def frame_times(num_samples: int, n_fft: int, hop_length: int, sample_rate: float) -> np.ndarray:
    """Centers (T,) in seconds of the frames that lie inside a clip."""
    starts = np.arange(1 + (num_samples - n_fft) // hop_length) * hop_length
    return (starts + n_fft / 2) / sample_rate


def window_weights(windows: Sequence[Sequence[float] | None], times: np.ndarray) -> np.ndarray:
    """Weights (S, T), which sum to 1, of frames whose centers are at ``times`` (T,) in seconds.

    A window is (center, half width) in seconds of a triangle, or None: all frames alike. ValueError if one
    holds no frame.
    """
    weights = np.ones((len(windows), len(times)))
    for row, window in zip(weights, windows):
        if window is None:
            continue
        row[:] = np.maximum(1 - np.abs(times - window[0]) / window[1], 0)
        if not row.any():
            raise ValueError(
                f'windows: {tuple(window)} (center, half width in seconds) holds no frame of a clip whose '
                f'frames have their centers at {times[0]:.3f} to {times[-1]:.3f} s'
            )
    return weights / weights.sum(1, keepdims=True)
