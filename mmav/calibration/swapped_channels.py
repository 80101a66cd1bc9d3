"""Channels that are exchanged.

Shapes: M microphones.
"""

from __future__ import annotations

from itertools import combinations

import torch
from scipy.optimize import linear_sum_assignment

from .fit import Fit, energies, fit_stages, start, total_energy, usual_error
from .frames import STAGES, CalibrationFrames
from .objective import ArrayModel

LOW_STAGES = (0, 1)
MIN_GAIN = 0.03  # share of the energy by which the fit with a pair exchanged must be better
PRIOR_ENERGY = 20.0  # of a given pair being exchanged: one in 22,000


def rank_pairs(model: ArrayModel, frames: CalibrationFrames) -> list[tuple[tuple[int, int], float]]:
    """Pairs of channels whose exchange makes the rough rig fit the bins of all stages better, best first.

    With each pair stands the energy of the data with it exchanged as a share of that without.
    """
    chosen = frames.bins(*STAGES[LOW_STAGES[-1]])
    begin = start(model, chosen)
    scale = usual_error(model, chosen, begin.array, begin.offsets)

    def energy(data: CalibrationFrames) -> float:
        with torch.no_grad():
            return float(energies(model, data, begin.array, begin.offsets, scale).sum())

    plain = energy(chosen)
    shares = [
        (pair, energy(chosen.exchanged(*pair)) / plain)
        for pair in combinations(range(model.num_microphones), 2)
    ]
    return sorted((item for item in shares if item[1] < 1), key=lambda item: item[1])


def crossed_pairs(model: ArrayModel, fit: Fit) -> list[tuple[int, int]]:
    """Pairs of microphones that a fit of the rough rig has moved to each other's places."""
    rough = model.split(model.rough)[0]
    fitted = model.split(model.rough + model.corrections(fit.array))[0]
    cost = torch.cdist(fitted, rough).square().numpy()
    nearest = linear_sum_assignment(cost)[1].tolist()
    return [(i, j) for i, j in enumerate(nearest) if i < j and nearest[j] == i]


def find_swapped(
    model: ArrayModel, frames: CalibrationFrames, most_refits: int = 4, most_pairs: int = 2
) -> tuple[list[tuple[int, int]], CalibrationFrames, Fit]:
    """Find exchanged channels by comparing fits at low frequencies.

    The pairs whose exchange helps the rough rig most are fitted, and those that the fit without exchange has
    moved to each other's places. One is taken if it fits clearly better than none, or is more probable where
    the places say so, too; then the next is looked for.

    Args:
        model: The rough rig.
        frames: Frames with the bins of all stages.
        most_refits: Pairs that are fitted in each round.
        most_pairs: At most so many are found.

    Returns:
        The pairs, the frames with them exchanged, and their fit at low frequencies.
    """
    chosen = STAGES[LOW_STAGES[-1]]
    best = fit_stages(model, frames, start(model, frames), LOW_STAGES)
    found: list[tuple[int, int]] = []
    while len(found) < most_pairs:
        trials = []
        crossed = crossed_pairs(model, best)
        ranked = [pair for pair, _ in rank_pairs(model, frames)[:most_refits]]
        for pair in dict.fromkeys(crossed + ranked):
            if any(channel in done for done in found for channel in pair):
                continue
            exchanged = frames.exchanged(*pair)
            fit = fit_stages(model, exchanged, start(model, exchanged), LOW_STAGES)
            bins = exchanged.bins(*chosen)
            scale = min(
                usual_error(model, frames.bins(*chosen), best.array, best.offsets),
                usual_error(model, bins, fit.array, fit.offsets),
            )
            before = total_energy(model, frames.bins(*chosen), best, scale)
            after = total_energy(model, bins, fit, scale) + PRIOR_ENERGY
            if after < before * (1 - MIN_GAIN * (pair not in crossed)):
                trials.append((after / before, pair, exchanged, fit))
        if not trials:
            break
        _, pair, frames, best = min(trials, key=lambda trial: trial[0])
        found.append(pair)
    return found, frames, best
