"""How well labeled frames determine an array.

Shapes: N frames, K places of a frame, O = 3 K offsets of a frame's places, D parameters of the array.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .fit import Fit, energies
from .frames import CalibrationFrames
from .objective import ArrayModel

COMMON_SHARE = 0.3


def posterior_covariance(model: ArrayModel, frames: CalibrationFrames, fit: Fit) -> Tensor:
    """Covariance of the array's parameters about the maximum, in standard deviations of their prior.

    The places of the boxes are eliminated from the second derivatives (Schur complement). The frames of a
    drive err together, so that their scores are summed by drive (the sandwich of Huber 1967, clustered as in
    Liang and Zeger 1986); no variance is taken to be below that of the second derivatives alone (Laplace).

    Args:
        model: What was fitted.
        frames: With the bins of the last stage.
        fit: The maximum.

    Returns:
        (D, D). What all boxes get wrong alike, azimuths, distances or heights, counts with a share of
        :data:`COMMON_SHARE` of the standard deviation of one box.
    """
    score, curvature, pull = _reduced_derivatives(model, frames, fit)
    identity = torch.eye(score.shape[1], dtype=score.dtype)
    values, vectors = torch.linalg.eigh(curvature.sum(0))
    information = (vectors * values.clamp_min(0)) @ vectors.T  # robust errors curve downwards far away
    laplace = torch.linalg.inv(information + identity)
    drives = frames.drives.unique(return_inverse=True)[1]
    number = int(drives.max()) + 1
    by_drive = score.new_zeros(number, score.shape[1]).index_add(0, drives, score)
    scatter = by_drive.T @ by_drive * (number / max(number - 1, 1))
    sandwich = laplace @ (scatter + identity) @ laplace
    growth = (laplace.diagonal() / sandwich.diagonal()).clamp_min(1.0).sqrt()
    common = COMMON_SHARE * laplace @ pull
    return sandwich * growth[:, None] * growth + common @ common.T


def _reduced_derivatives(
    model: ArrayModel, frames: CalibrationFrames, fit: Fit
) -> tuple[Tensor, Tensor, Tensor]:
    """Of half the energy of each frame, its places eliminated: score (N, D), curvature (N, D, D), and how a
    shift of all places in azimuth, distance and height changes the sum of the scores (D, 3).
    """
    array = fit.array.expand(len(frames), -1).clone().requires_grad_()
    offsets = fit.offsets.clone().requires_grad_()
    energy = 0.5 * energies(model, frames, array, offsets, fit.scale).sum()
    array_score, offset_score = torch.autograd.grad(energy, (array, offsets), create_graph=True)
    # frames do not depend on each other: one product gives a column of every frame's matrix
    columns = [
        torch.autograd.grad(array_score[:, i].sum(), (array, offsets), retain_graph=True)
        for i in range(array.shape[1])
    ]
    direct = torch.stack([column[0] for column in columns], dim=2)  # (N, D, D)
    mixed = torch.stack([column[1].flatten(1) for column in columns], dim=1)  # (N, D, O)
    flat = offset_score.flatten(1)
    places = torch.stack(
        [
            torch.autograd.grad(flat[:, i].sum(), offsets, retain_graph=True)[0].flatten(1)
            for i in range(flat.shape[1])
        ],
        dim=2,
    )  # (N, O, O)
    # places that do not count curve nothing, those of wrong boxes may curve downwards: the prior's 1 counts
    values, vectors = torch.linalg.eigh(0.5 * (places + places.mT))
    inverse = (vectors / values.clamp_min(1.0)[:, None]) @ vectors.mT
    weighted = mixed @ inverse  # (N, D, O)
    score = array_score.detach() - (weighted @ flat.detach()[..., None])[..., 0]
    curvature = direct - weighted @ mixed.mT
    counted = torch.arange(offsets.shape[1]) < frames.num_boxes[:, None]
    pull = torch.einsum('ndko,nk->do', weighted.unflatten(2, (-1, 3)), counted.to(weighted))
    return score, 0.5 * (curvature + curvature.mT), pull
