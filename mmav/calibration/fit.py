"""The fit of an array to labeled frames: maximum a posteriori, from low to high frequencies.

Shapes: N frames, K places of a frame, M microphones, D = 5 M parameters of the array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .frames import STAGES, CalibrationFrames
from .objective import ArrayModel, geman_mcclure

INDEPENDENT_BINS = 6  # of a frame: neighboring bins share what the model lacks
MIN_SCALE = 0.02  # of the robust error
_STEPS = (25, 25, 30, 40)  # of each stage
_LAST_STEPS = 100


@dataclass(frozen=True)
class Fit:
    """Where a stage of the fit ended.

    Args:
        array: (D,) parameters of :class:`ArrayModel`.
        offsets: (N, K, 3) of the places.
        scale: Error of a frame from which it loses its weight.
        energy: Of the data and the priors, half of which is the negative logarithm of the posterior.
    """

    array: Tensor
    offsets: Tensor
    scale: float
    energy: float


def energies(
    model: ArrayModel, frames: CalibrationFrames, array: Tensor, offsets: Tensor, scale: float
) -> Tensor:
    """(N,) of each frame, with the prior of its places and without that of the array.

    A frame's error is that of M - 1 complex numbers a bin; ``scale`` is what is usual. ``array`` is (N, D),
    the same for all frames, or (D,), ``offsets`` is (N, K, 3).
    """
    error = model.errors(frames, array.expand(len(frames), -1), offsets)
    certainty = 2 * INDEPENDENT_BINS * (model.num_microphones - 1) / scale
    data = certainty * geman_mcclure(error, 2 * scale)
    counted = (torch.arange(offsets.shape[1]) < frames.num_boxes[:, None])[..., None]
    return data + (offsets.square() * counted).sum((1, 2))


def usual_error(
    model: ArrayModel, frames: CalibrationFrames, array: Tensor, offsets: Tensor, least: float = MIN_SCALE
) -> float:
    """Median over the frames of their errors, ``least`` at least."""
    with torch.no_grad():
        error = model.errors(frames, array.expand(len(frames), -1), offsets)
    return max(float(error.median()), least)


def fit_stage(
    model: ArrayModel,
    frames: CalibrationFrames,
    array: Tensor,
    offsets: Tensor,
    scale: float | None = None,
    steps: int = 30,
) -> Fit:
    """Go to the nearest maximum of the posterior by L-BFGS, in ``steps`` at most.

    It starts from ``array`` (D,) and ``offsets`` (N, K, 3); ``frames`` have the bins of the stage. ``scale``
    of the errors is the usual one at the start unless it is given.
    """
    scale = usual_error(model, frames, array, offsets) if scale is None else scale
    # in units in which the energy curves alike, so that the fit is quick whatever the prior
    step = model.steps(float(frames.frequencies.max())) / model.scales.clamp_min(1e-30)
    step = step.clamp_max(1.0)
    array, offsets = (value.detach().clone().requires_grad_() for value in (array / step, offsets))
    optimizer = torch.optim.LBFGS(
        [array, offsets],
        max_iter=steps,
        max_eval=2 * steps,
        history_size=20,
        tolerance_grad=1e-4,
        tolerance_change=1e-3,
        line_search_fn='strong_wolfe',
    )

    def total() -> Tensor:
        moved = array * step
        return energies(model, frames, moved, offsets, scale).sum() + moved.square().sum()

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = total()
        value.backward()
        return value

    optimizer.step(closure)
    with torch.no_grad():
        energy = float(total())
    return Fit(array.detach() * step, offsets.detach(), scale, energy)


def total_energy(model: ArrayModel, frames: CalibrationFrames, fit: Fit, scale: float) -> float:
    """Energy of a fit with another scale of errors, common to fits that are compared by the frames' bins."""
    with torch.no_grad():
        data = energies(model, frames, fit.array, fit.offsets, scale).sum()
        return float(data + fit.array.square().sum())


def start(model: ArrayModel, frames: CalibrationFrames) -> Fit:
    """The rough rig, with each place where its box says."""
    array = torch.zeros(5 * model.num_microphones, dtype=torch.float64)
    return Fit(array, torch.zeros_like(frames.places), MIN_SCALE, float('inf'))


def fit_stages(
    model: ArrayModel, frames: CalibrationFrames, fit: Fit, stages: Sequence[int] = range(len(STAGES))
) -> Fit:
    """Fit by some of :data:`STAGES`, each from where the last one ended; ``frames`` have the bins of all.

    At low frequencies a wave is long, so the fit finds the place from far away; high ones make it exact.
    """
    for stage in stages:
        chosen = frames.bins(*STAGES[stage])
        fit = fit_stage(model, chosen, fit.array, fit.offsets, steps=_STEPS[stage])
    if stages[-1] == len(STAGES) - 1:
        # once more with the scale of what is fitted
        fit = fit_stage(model, chosen, fit.array, fit.offsets, steps=_LAST_STEPS)
    return fit
