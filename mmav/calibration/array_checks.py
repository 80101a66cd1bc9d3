"""Findings about a rig and its recordings that look like mistakes.

Shapes: M microphones, L samples, N frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ..structures import Rig
from .fit import start, usual_error
from .frames import STAGES, CalibrationFrames
from .objective import ArrayModel, ArrayPrior
from .places import PlacePrior
from .swapped_channels import LOW_STAGES, find_swapped

DUPLICATE_CORRELATION = 0.9995
QUIET_LEVEL = -40.0  # decibel below the median channel
MIN_APERTURE = 0.05  # metres
MAX_CAMERA_DISTANCE = 5.0  # metres from the array
MIRRORED_SHARE, MIRRORED_ERROR = 0.6, 0.1
WIDEST_FLAT = 0.01  # metres


def geometry_findings(rig: Rig) -> list[str]:
    """What looks wrong, or limits the array, in a rig: sentences that begin with the key they are about."""
    lines = []
    positions = rig.microphone_positions
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    if distance.max() < MIN_APERTURE:
        lines.append(
            f'microphone_positions: the whole array spans {distance.max() * 100:.2g} cm; are these metres?'
        )
    distance[np.diag_indices(len(positions))] = np.inf
    nearest = float(np.median(distance.min(axis=1)))
    lines.append(
        f'microphone_positions: neighbors are {nearest * 100:.3g} cm apart, more than half a wave above '
        f'{rig.speed_of_sound / 2 / nearest:.0f} Hz: above it single bins have side lobes as high as the '
        'main one, and only many bins together tell the place (spatial aliasing)'
    )
    centered = positions - positions.mean(0)
    extent = np.linalg.svd(centered, full_matrices=False)
    if len(extent.S) < 2 or extent.S[1] < WIDEST_FLAT:
        along = extent.Vh[0]
        lines.append(
            f'microphone_positions: all microphones stand in one line (along {np.round(along, 2).tolist()}): '
            'places around that line cannot be told apart'
        )
    away = float(np.linalg.norm(rig.camera_position - positions.mean(0)))
    if away > MAX_CAMERA_DISTANCE:
        lines.append(
            f'camera_pose: the camera is {away:.3g} m from the array; do both have the same origin and unit?'
        )
    _, down, forward = rig.camera_pose[:3, :3].T
    if down[2] > -0.5:
        lines.append(
            f'camera_pose: the down axis of the camera points to {np.round(down, 2).tolist()}, not to the '
            'ground (z is up): is it upside down or turned, or the inverse of the pose?'
        )
    if rig.ground is not None:
        width, height = rig.cropped_size
        if rig.pixel_rays([[width / 2, height]])[0, 2] >= 0:
            lines.append('camera_pose: the lowest row of the image looks above the horizon')
    if forward[1] < 0:
        lines.append(
            f'camera_pose: the camera looks backwards (along {np.round(forward, 2).tolist()}; y is forward); '
            'that is possible, but azimuths are then beyond 90 degrees'
        )
    return lines


def channel_findings(waveforms: Sequence[np.ndarray]) -> list[str]:
    """Dead, quiet and duplicate channels of clips (M, L) in -1..1, as sentences.

    Example:
        >>> clip = np.random.default_rng(0).uniform(-1, 1, (3, 1000))
        >>> channel_findings([clip[[0, 1, 2, 2]]])
        ['channels 2 and 3 hold the same sound (correlation 1.0000): is one recorded twice?']
    """
    power = np.mean([np.square(clip, dtype=np.float64).mean(1) for clip in waveforms], axis=0)
    dead = np.flatnonzero(power == 0).tolist()
    lines = [f'channel {channel} is dead: all of its samples are zero' for channel in dead]
    live = power[power > 0]
    level = 10 * np.log10(np.maximum(power, 1e-30) / np.median(live)) if len(live) else np.zeros(len(power))
    for channel, value in enumerate(level):
        if power[channel] > 0 and value < QUIET_LEVEL:
            lines.append(f'channel {channel} is {-value:.0f} dB quieter than the others: is it connected?')
    correlations = []
    for clip in waveforms:
        centered = clip - clip.mean(1, keepdims=True, dtype=np.float64)
        length = np.linalg.norm(centered, axis=1, keepdims=True)
        scaled = centered / np.where(length > 0, length, np.inf)
        correlations.append(np.abs(scaled @ scaled.T))
    typical = np.median(correlations, axis=0)
    for first, second in np.argwhere(np.triu(typical > DUPLICATE_CORRELATION, 1)).tolist():
        lines.append(
            f'channels {first} and {second} hold the same sound (correlation {typical[first, second]:.4f}): '
            'is one recorded twice?'
        )
    return lines


def label_findings(
    rig: Rig, frames: CalibrationFrames, position_std: float = 0.02, places: PlacePrior | None = None
) -> list[str]:
    """Exchanged channels and mirrored sides, by frames that say where their sound comes from, as sentences.

    Args:
        rig: The rig.
        frames: Of :func:`collect_frames`.
        position_std: Metres by which positions may be off.
        places: As for ``frames``.
    """
    model = ArrayModel(rig, ArrayPrior(position_std), PlacePrior() if places is None else places)
    low = frames.bins(*STAGES[LOW_STAGES[-1]])
    begin = start(model, low)
    error = usual_error(model, low, begin.array, begin.offsets, least=0.0)
    turned = usual_error(model, _mirrored(rig, low), begin.array, begin.offsets, least=0.0)
    if error > MIRRORED_ERROR and turned < MIRRORED_SHARE * error:
        return [
            f'left and right are mirrored: the boxes explain {1 - error:.0%} of what they could of the '
            f'sound, mirrored ones {1 - turned:.0%}; x points right in rig coordinates, and row k of '
            'microphone_positions is channel k'
        ]
    return [
        f'channels {first} and {second} are swapped: exchange these rows of the rig, or the channels'
        for first, second in find_swapped(model, frames)[0]
    ]


def _mirrored(rig: Rig, frames: CalibrationFrames) -> CalibrationFrames:
    """Frames whose places are mirrored at the vertical plane through the camera's axis."""
    right = torch.from_numpy(rig.camera_pose[:2, 0] / np.linalg.norm(rig.camera_pose[:2, 0]))
    places = frames.places.clone()
    across = (places[..., :2] - torch.from_numpy(rig.camera_position[:2].copy())) @ right
    places[..., :2] -= 2 * across[..., None] * right
    return replace(frames, places=places)
