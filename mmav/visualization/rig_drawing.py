"""Drawings of a rig: where its microphones are, what its camera sees, and what is heard in the image.

Shapes: M microphones, L samples, N boxes, H and W of an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from ..models.layers import AcousticImage
from ..models.layers.acoustic_grid import grid_targets
from ..structures import Rig

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BOX_COLOR = (60, 20, 220)


def draw_rig(rig: Rig, grid: tuple[int, int] = (24, 48), max_distance: float = 40.0) -> np.ndarray:
    """The array from above and from the side, and the steered places on the ground: (H, W, 3) uint8 BGR.

    The acoustic image has ``grid`` (rows, columns) and places up to ``max_distance`` metres.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5), layout='constrained')
    canvas = FigureCanvasAgg(figure)
    above, side, field = figure.subplots(1, 3)
    for axes, (first, second), title in (
        (above, (0, 1), 'from above (camera looks along the arrow)'),
        (side, (1, 2), 'from the side'),
    ):
        _draw_array(axes, rig, first, second)
        axes.set_title(title)
    _draw_field(field, rig, grid, max_distance)
    canvas.draw()
    return cv2.cvtColor(np.asarray(canvas.buffer_rgba())[..., :3], cv2.COLOR_RGB2BGR)


def _draw_array(axes: Axes, rig: Rig, first: int, second: int) -> None:
    positions, camera = rig.microphone_positions, rig.camera_position
    size = max(np.ptp(np.vstack((positions, camera)), axis=0).max(), 0.05)
    axes.scatter(positions[:, first], positions[:, second], color='tab:blue', zorder=3)
    for channel, place in enumerate(positions):
        axes.annotate(
            str(channel), (place[first], place[second]), (4, 4), textcoords='offset points', color='tab:blue'
        )
        if rig.microphone_axes is not None:
            towards = 0.12 * size * rig.microphone_axes[channel]
            axes.plot(
                [place[first], place[first] + towards[first]],
                [place[second], place[second] + towards[second]],
                color='tab:blue',
                alpha=0.5,
            )
    forward = 0.3 * size * rig.camera_pose[:3, 2]
    axes.plot(camera[first], camera[second], 's', color='tab:red', label='camera')
    axes.annotate(
        '',
        (camera[first] + forward[first], camera[second] + forward[second]),
        (camera[first], camera[second]),
        arrowprops=dict(arrowstyle='->', color='tab:red'),
    )
    axes.set_xlabel(f'{"xyz"[first]} in m')
    axes.set_ylabel(f'{"xyz"[second]} in m')
    axes.set_aspect('equal', adjustable='datalim')
    axes.margins(0.15)
    axes.legend(loc='best')


def _draw_field(axes: Axes, rig: Rig, grid: tuple[int, int], max_distance: float) -> None:
    width, height = rig.cropped_size
    camera = rig.camera_position
    if rig.ground is not None:
        targets = grid_targets(rig, grid, max_distance)[0]
        axes.scatter(targets[:, 0], targets[:, 1], s=3, color='tab:gray', label='cells of the grid')
    for ray in rig.pixel_rays([[0, height / 2], [width, height / 2]]):
        end = camera[:2] + max_distance * ray[:2] / max(np.linalg.norm(ray[:2]), 1e-9)
        axes.plot([camera[0], end[0]], [camera[1], end[1]], color='tab:red')
    axes.plot(*rig.microphone_positions[:, :2].T, '.', color='tab:blue')
    axes.set_xlabel('x in m (right)')
    axes.set_ylabel('y in m (forward)')
    axes.set_title('field of view and places that are steered at')
    axes.set_aspect('equal', adjustable='datalim')


def draw_heard(
    rig: Rig, waveform: np.ndarray, sample_rate: int, image: np.ndarray, bboxes: np.ndarray
) -> np.ndarray:
    """The acoustic image of a clip over its camera image (H, W, 3) BGR, with boxes (N, 4) in pixels.

    The image, cropped as the rig says, was taken at the middle of the waveform (M, L) in -1..1.
    """
    middle = waveform.shape[1] / sample_rate / 2 + 0.03  # and the sound's way
    layer = AcousticImage(rig, sample_rate, channels=('broadband',), windows=((middle, 0.12),), max_bins=16)
    heard = layer(torch.from_numpy(np.asarray(waveform, dtype=np.float32))[None])[0, 0].numpy()
    height, width = image.shape[:2]
    heat = cv2.resize((heard * 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    drawn = cv2.addWeighted(image, 0.5, cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO), 0.5, 0)
    for x1, y1, x2, y2 in np.asarray(bboxes).round().astype(int).tolist():
        cv2.rectangle(drawn, (x1, y1), (x2, y2), _BOX_COLOR, max(1, height // 250))
    return drawn
