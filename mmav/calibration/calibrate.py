"""Calibration of a microphone array by labeled frames alone.

Shapes: N frames, M microphones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..structures import Rig
from .fit import Fit, fit_stages, start, usual_error
from .frames import STAGES, CalibrationFrames
from .objective import ArrayModel, ArrayPrior, channel_values
from .places import PlacePrior
from .swapped_channels import LOW_STAGES, find_swapped
from .uncertainty import posterior_covariance

MIN_FRAMES, MIN_DRIVES = 30, 5
MIN_AZIMUTH_SPREAD = 5.0  # degrees
DETERMINED = 0.5  # share of the prior's standard deviation below which the data have told something
MAX_ERROR = 0.3  # of what could be explained


@dataclass(frozen=True)
class Calibration:
    """A calibrated array and how far to trust it.

    Args:
        rig: The calibrated rig, its rows in the order of the channels as they are recorded.
        swapped: Pairs of channels that are exchanged against the rough rig; its rows are exchanged back.
        position_std: (M, 3) metres, of the positions relative to the center of the array.
        gain_std: (M,) decibel.
        delay_std: (M,) seconds.
        determined: For 'x', 'y', 'z', 'gains', 'delays' whether the data could tell; those that the prior
            holds fixed are left out.
        error_before: Median over the frames of the share of the explainable power that the rough rig does not
            explain, up to 1,600 Hz; ``error_after``: the calibrated one, up to 6,500 Hz.
        error_after: See ``error_before``.
        num_frames: Frames that were used.
        num_drives: Their drives.
        misfits: Share of frames that lost most of their weight: wrong boxes, other sources.
        azimuth_spread: Standard deviation in degrees of the directions of the boxes.
        left_out: Frames that could not be used, by reason.
        warnings: What the data cannot tell, in sentences.
    """

    rig: Rig
    swapped: list[tuple[int, int]]
    position_std: np.ndarray
    gain_std: np.ndarray
    delay_std: np.ndarray
    determined: dict[str, bool]
    error_before: float
    error_after: float
    num_frames: int
    num_drives: int
    misfits: float
    azimuth_spread: float
    left_out: dict[str, int]
    warnings: list[str]

    def report(self) -> dict[str, Any]:
        """Plain values for a json file, without the rig."""
        values = dict(self.__dict__)
        values.pop('rig')
        for key in ('position_std', 'gain_std', 'delay_std'):
            values[key] = values[key].tolist()
        return dict(values, swapped=[list(pair) for pair in self.swapped])


def calibrate(
    rig: Rig,
    frames: CalibrationFrames,
    prior: ArrayPrior | None = None,
    places: PlacePrior | None = None,
    look_for_swapped: bool = True,
) -> Calibration:
    """Estimate positions, gains and delays of microphones from frames that say where their sound comes from.

    Maximum a posteriori: the array whose steering vectors explain most of the sound by sources where the
    boxes are. Frames that do not fit lose their weight. The center of the array stays where the rough rig
    has it.

    Args:
        rig: The rough rig.
        frames: Of :func:`collect_frames`.
        prior: How rough it is.
        places: How boxes relate to places of sound; as for ``frames``.
        look_for_swapped: Whether to look for pairs of channels that are exchanged.

    Example::

        dataset = labeled_sound_dataset('annotations/train.json', 'data/mavd_sim')
        chosen = usable_frames(rig, boxes_of_frames(dataset))
        frames = collect_frames(rig, labeled_sounds(dataset, chosen))
        calibrate(rig, frames, ArrayPrior(position_std=0.02)).rig
    """
    prior = ArrayPrior() if prior is None else prior
    model = ArrayModel(rig, prior, PlacePrior() if places is None else places)
    low = frames.bins(*STAGES[LOW_STAGES[-1]])
    begin = start(model, low)
    before = usual_error(model, low, begin.array, begin.offsets, least=0.0)
    swapped: list[tuple[int, int]] = []
    if look_for_swapped:
        swapped, frames, fit = find_swapped(model, frames)
    else:
        fit = fit_stages(model, frames, start(model, frames), LOW_STAGES)
    fit = fit_stages(model, frames, fit, range(len(LOW_STAGES), len(STAGES)))
    last = frames.bins(*STAGES[-1])
    position_std, gain_std, delay_std = _deviations(model, last, fit)
    with torch.no_grad():
        errors = model.errors(last, fit.array.expand(len(last), -1), fit.offsets)
    facts: dict[str, Any] = dict(
        determined=_determined(prior, position_std, gain_std, delay_std),
        error_before=before,
        error_after=float(errors.median()),
        num_frames=len(frames),
        num_drives=len(frames.drives.unique()),
        misfits=float((errors > 2 * fit.scale).double().mean()),
        azimuth_spread=float(frames.azimuths.std()),
    )
    order = np.arange(model.num_microphones)
    for first, second in swapped:
        order[[first, second]] = order[[second, first]]
    return Calibration(
        rig=_in_order(model.calibrated(fit.array), order),
        swapped=swapped,
        position_std=position_std[order],
        gain_std=gain_std[order],
        delay_std=delay_std[order],
        left_out=dict(frames.left_out),
        warnings=_warnings(facts, prior),
        **facts,
    )


def _deviations(
    model: ArrayModel, frames: CalibrationFrames, fit: Fit
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    covariance = posterior_covariance(model, frames, fit)
    identity = torch.eye(len(covariance), dtype=covariance.dtype)
    projection = model.corrections(identity)  # row k: what a unit of parameter k does
    deviations = (projection.T @ covariance @ projection).diagonal().clamp_min(0).sqrt()
    positions, gains, delays = model.split(deviations)
    return positions.numpy(), gains.numpy(), delays.numpy()


def _determined(prior: ArrayPrior, positions: np.ndarray, gains: np.ndarray, delays: np.ndarray) -> dict:
    known = {}
    for name, values, std in (
        ('x', positions[:, 0], prior.position_std),
        ('y', positions[:, 1], prior.position_std),
        ('z', positions[:, 2], prior.position_std),
        ('gains', gains, prior.gain_std),
        ('delays', delays, prior.delay_std),
    ):
        if std > 0:
            free = std * np.sqrt(1 - 1 / len(values))
            known[name] = bool(np.sqrt((values**2).mean()) < DETERMINED * free)
    return known


def _warnings(facts: dict[str, Any], prior: ArrayPrior) -> list[str]:
    lines = []
    if facts['num_frames'] < MIN_FRAMES or facts['num_drives'] < MIN_DRIVES:
        lines.append(
            f'{facts["num_frames"]} frames of {facts["num_drives"]} drives are too few to be sure: give at '
            f'least {MIN_FRAMES} of {MIN_DRIVES}'
        )
    if facts['azimuth_spread'] < MIN_AZIMUTH_SPREAD:
        lines.append(
            'the boxes lie in nearly one direction (standard deviation '
            f'{facts["azimuth_spread"]:.1f} degrees): '
            'positions along it and across it cannot be told apart from delays and places'
        )
    if facts['error_after'] > MAX_ERROR:
        lines.append(
            f'{facts["error_after"]:.0%} of what could be explained is not, even after calibration: the '
            'camera, the boxes or the order of the channels may be wrong, or the rig is rougher than assumed '
            f'(position_std {prior.position_std:g} m)'
        )
    for name, known in facts['determined'].items():
        if not known:
            lines.append(f'the data cannot tell {name}: they are hardly better known than before')
    if prior.delay_std > 0 and prior.position_std > 0:
        lines.append(
            'delays are nearly the same as positions farther away from the scene: their sum is known better '
            'than each; leave delays at 0 (delay_std) where all channels are sampled by one clock'
        )
    return lines


def _in_order(rig: Rig, order: np.ndarray) -> Rig:
    """A rig whose row k is what was row ``order[k]``."""
    values = rig.to_dict()
    for key in ('microphone_positions', 'microphone_axes', 'microphone_gains', 'microphone_delays'):
        if values.get(key) is not None:
            values[key] = [values[key][k] for k in order]
    return Rig.from_dict(values)


def position_errors(estimate: Rig, truth: Rig) -> np.ndarray:
    """Metres (M, 3) by which positions are off, without what all have in common.

    Args:
        estimate: A calibrated or rough rig.
        truth: The true one, with the same channels.
    """
    error = channel_values(estimate)[0] - channel_values(truth)[0]
    return error - error.mean(0)
