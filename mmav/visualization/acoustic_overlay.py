"""Acoustic images over camera images.

Shapes: M microphones, L samples, C channels, rows and columns of the grid, H and W height and width of the
camera image in pixels.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..models.layers.acoustic_options import channel_sizes
from .heatmap_visualizer import blend_heatmap

if TYPE_CHECKING:
    from ..models.layers import AcousticImage


@torch.no_grad()
def draw_acoustic_image(
    image: np.ndarray,
    waveform: Tensor,
    layer: AcousticImage,
    window: tuple[float, float] | None = None,
    alpha: float = 0.5,
) -> np.ndarray:
    """Lay the acoustic image of all bands over the camera image, (H, W, 3) uint8.

    Blue: the least share of the power comes from there, red: the most; RGB if the image is.

    Args:
        image: (H, W, 3) uint8, the camera image in the rig's crop.
        waveform: (M, L) float in -1..1.
        layer: Where and how to steer; its own channels and windows do not matter.
        window: (center, half width) in seconds of the sound that counts; None: the whole clip.
        alpha: Weight of the colors, 0..1.

    Example:
        >>> from mmav.models.layers import AcousticImage
        >>> from mmav.structures import Rig
        >>> microphones, matrix = [[-0.1, 0, 0], [0.1, 0, 0]], [[50, 0, 50], [0, 50, 20], [0, 0, 1]]
        >>> pose = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]
        >>> layer = AcousticImage(Rig(microphones, matrix, pose, (100, 40)))
        >>> draw_acoustic_image(np.zeros((40, 100, 3), np.uint8), torch.rand(2, 44100) - 0.5, layer).shape
        (40, 100, 3)
    """
    layer = copy.copy(layer)  # shares the steering vectors
    layer.channels, layer.windows = ('broadband',), (window,)
    shares = layer(waveform[None].to(layer.window.device))[0, 0]
    return blend_heatmap(image, shares.cpu().numpy(), alpha, value_range=(0.0, 1.0))


def draw_stored_acoustic_image(
    image: np.ndarray, values: np.ndarray, settings: Mapping[str, Any], alpha: float = 0.5
) -> np.ndarray:
    """Lay what a prepared store holds of an acoustic image over the camera image: its last window in time.

    Args:
        image: (H, W, 3) uint8, the camera image in the rig's crop.
        values: (C, rows, columns), mirrored where the camera image is.
        settings: Those of the layer (:meth:`AcousticImage.settings`) that made them.
        alpha: Weight of the colors, 0..1.

    Returns:
        (H, W, 3) uint8, RGB if ``image`` is: the map of :func:`acoustic_map` over the image.

    Raises:
        ValueError: If the image has no channel that can be drawn.
    """
    return blend_heatmap(image, acoustic_map(values, settings), alpha, value_range=(0.0, 1.0))


def acoustic_map(values: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Where the sound of all bands comes from, in the last window in time of an acoustic image.

    Args:
        values: (C, rows, columns), the acoustic image.
        settings: Those of the layer (:meth:`AcousticImage.settings`) that made it.

    Returns:
        (rows, columns) in 0..1: the channel 'broadband', or without it the mean of 'contrast' over the
        bands, in decibel, from its minimum to its maximum.

    Raises:
        ValueError: If the image has neither channel.
    """
    sizes, bands = channel_sizes(settings), len(settings['band_edges']) - 1
    stops = dict(zip(settings['channels'], np.cumsum([sizes[name] for name in settings['channels']])))
    if 'broadband' in stops:
        return values[stops['broadband'] - 1].clip(0, 1)
    if 'contrast' not in stops:
        raise ValueError(f'channels {settings["channels"]} are the same at all places: nothing to draw')
    mean = values[stops['contrast'] - bands : stops['contrast']].mean(0)
    low, high = mean.min(), mean.max()
    return (mean - low) / (high - low) if high > low else np.zeros_like(mean)
