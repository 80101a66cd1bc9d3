"""Steered response of a microphone array.

Shapes: B clips, M microphones, F frequency bins, T frames, S windows in time, P points or directions.
Positions (M, 3) may also be (P, M, 3): others for each point.

Sources: D. H. Johnson and D. E. Dudgeon, Array Signal Processing (1993), for spatial covariance and the
conventional (Bartlett) beamformer; J. Capon, High-resolution frequency-wavenumber spectrum analysis (1969),
for the adaptive one; H. Cox, R. M. Zeskind and M. M. Owen, Robust adaptive beamforming (1987), for diagonal
loading; A. B. Baggeroer, W. A. Kuperman and P. N. Mikhalevsky, An overview of matched field methods in ocean
acoustics (1993), for steering by modeled paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

DirectivityFunction = Callable[[Tensor, Tensor], Tensor]


def steering_vectors(
    points: Tensor,
    microphone_positions: Tensor,
    frequencies: Tensor,
    speed_of_sound: float = 343.0,
    ground_reflection: float = 0.0,
    directivity: DirectivityFunction | None = None,
) -> Tensor:
    """Steering vectors of point sources over a reflecting ground: the replicas of matched-field processing.

    ``g(f) = sum over paths of a d exp(-j 2 pi f r / c) / r``, then scaled to unit length: the direct path
    (a = 1) and the path from the source's mirror image below the ground (a = ``ground_reflection``), with r
    the path's length and d the microphone's gain in its direction (Baggeroer et al. 1993).

    Args:
        points: (P, 3) metres; z is up and 0 on the ground.
        microphone_positions: (M, 3) metres.
        frequencies: (F,) hertz.
        speed_of_sound: c in metres per second.
        ground_reflection: Coefficient of the reflected sound pressure; 0: free field, and z has no meaning.
        directivity: Gives gains (P, F, M), or what broadcasts to it, of unit vectors (P, M, 3) from the
            microphones to the source and of ``frequencies``. None: omnidirectional.

    Returns:
        (P, F, M) complex, unit length over M; differentiable in every tensor.

    Example:
        >>> microphones = torch.tensor([[-0.1, 0.0, 2.0], [0.1, 0.0, 2.0]])
        >>> ahead = steering_vectors(torch.tensor([[0.0, 9.0, 0.5]]), microphones, torch.tensor([500.0]))
        >>> ahead.abs().square(), ahead[..., 0] == ahead[..., 1]  # both hear the same
        (tensor([[[0.5000, 0.5000]]]), tensor([[True]]))
    """
    total = _path(points, microphone_positions, frequencies, speed_of_sound, directivity)
    if ground_reflection != 0:
        image = points * points.new_tensor([1.0, 1.0, -1.0])
        reflected = _path(image, microphone_positions, frequencies, speed_of_sound, directivity)
        total = total + ground_reflection * reflected
    return unit_length(total)


def _path(
    sources: Tensor,
    microphone_positions: Tensor,
    frequencies: Tensor,
    speed_of_sound: float,
    directivity: DirectivityFunction | None,
) -> Tensor:
    """Sound pressure (P, F, M) of sources (P, 3) of unit strength at the microphones."""
    towards = sources[:, None] - microphone_positions  # (P, M, 3)
    distance = towards.norm(dim=-1)  # (P, M)
    phase = (-2 * math.pi / speed_of_sound) * frequencies[:, None] * distance[:, None]  # (P, F, M)
    gain = (1 / distance)[:, None].expand_as(phase)
    if directivity is not None:
        gain = gain * directivity(towards / distance[..., None], frequencies)
    # a gain may be negative, which torch.polar does not take
    return torch.complex(gain * phase.cos(), gain * phase.sin())


def plane_wave_vectors(
    directions: Tensor,
    microphone_positions: Tensor,
    frequencies: Tensor,
    speed_of_sound: float = 343.0,
    directivity: DirectivityFunction | None = None,
) -> Tensor:
    """Steering vectors of plane waves: ``d exp(j 2 pi f u . x / c)``, scaled to unit length.

    The far field of :func:`steering_vectors`, whose other arguments these are, with u the directions (P, 3)
    that the sound comes from and x a microphone's position (Johnson and Dudgeon 1993).
    """
    lead = (directions[:, None] * microphone_positions).sum(-1)  # (P, M) metres by which the sound is early
    phase = (2 * math.pi / speed_of_sound) * frequencies[:, None] * lead[:, None]  # (P, F, M)
    waves = torch.complex(phase.cos(), phase.sin())
    if directivity is not None:
        towards = directions[:, None].expand(-1, microphone_positions.shape[-2], 3)
        waves = waves * directivity(towards, frequencies)
    return unit_length(waves)


def unit_length(vectors: Tensor) -> Tensor:
    """Complex vectors (..., M) scaled to unit length over M."""
    power = vectors.real.square() + vectors.imag.square()
    return vectors * power.sum(-1, keepdim=True).clamp_min(torch.finfo(power.dtype).tiny).rsqrt()


def first_order_gains(directions: Tensor, axes: Tensor, alpha: Tensor) -> Tensor:
    """Gains ``alpha + (1 - alpha) cos`` of first-order microphones; see :class:`mmav.structures.Directivity`.

    (P, F, M) from directions (P, M, 3) to the sources, axes (M, 3) along which the microphones face, unit
    vectors, and alpha (F,).
    """
    cosine = (directions * axes).sum(-1)[:, None]  # (P, 1, M)
    alpha = alpha[:, None]
    return alpha + (1 - alpha) * cosine


def channel_responses(gains: Tensor, delays: Tensor, frequencies: Tensor) -> Tensor:
    """What channels make of the sound at their microphones: ``10^(gain / 20) exp(-j 2 pi f delay)``.

    (..., F, M) complex, to multiply steering vectors with; differentiable in gains (..., M) in decibel,
    delays (..., M) in seconds, positive: the recording is late, and frequencies (F,) in hertz.
    """
    phase = (-2 * math.pi) * frequencies[:, None] * delays[..., None, :]
    return torch.polar((10 ** (gains / 20))[..., None, :].expand_as(phase), phase)


def spatial_covariance(spectrum: Tensor, weights: Tensor) -> Tensor:
    """Spatial covariance matrices: the weighted sum over frames of ``x x^H`` (Johnson and Dudgeon 1993).

    Args:
        spectrum: (B, M, F, T) complex.
        weights: (S, T) weight of each frame in each window.

    Returns:
        (B, S, F, M, M) complex, Hermitian.

    Example:
        >>> spectrum = torch.tensor([[[[1.0, 3.0]], [[1.0, -3.0]]]], dtype=torch.complex64)  # two frames
        >>> spatial_covariance(spectrum, weights=torch.tensor([[0.5, 0.5]])).real.squeeze()
        tensor([[ 5., -4.],
                [-4.,  5.]])
    """
    matrices = []
    for clip in spectrum:  # (M, F, T), one at a time, which stays in a processor's cache
        frames = clip.transpose(0, 1).contiguous()  # (F, M, T)
        matrices.append((frames * weights[:, None, None]) @ frames.mH)  # (S, F, M, M)
    return torch.stack(matrices)


def steered_power(covariance: Tensor, steering: Tensor) -> Tensor:
    """Share of the power that comes from each point: ``g^H R g / trace R`` (Bartlett beamformer).

    Args:
        covariance: (B, S, F, M, M) complex, Hermitian.
        steering: (P, F, M) complex, unit length over M.

    Returns:
        (B, S, F, P) real, 0..1: 1 where all of the sound comes from the point, 1 / M on average where the
        microphones receive sound that is unrelated, and everywhere in silence.

    Example:
        >>> covariance = torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.complex64).view(1, 1, 1, 2, 2)
        >>> steered_power(covariance, steering=torch.eye(2, dtype=torch.complex64)[:, None])
        tensor([[[[0.7500, 0.2500]]]])
    """
    features = normalized_features(covariance)[0]  # (B, S, F, M * M)
    products = steering_features(steering)  # (P, F, M * M)
    return torch.einsum('bsfk,pfk->bsfp', features, products)


def mvdr_power(covariance: Tensor, steering: Tensor, loading: float = 0.01) -> Tensor:
    """Share of the power that comes from each point by the adaptive (MVDR, Capon) beamformer.

    ``1 / (g^H C^-1 g)`` with ``C = (R / trace R + loading / M I) / (1 + loading)``: of all weights that let a
    point's sound pass unchanged, those count that let the least of everything else pass (Capon 1969). The
    loading (Cox et al. 1987) bounds how sharply it sees, and so how much it depends on exact steering.

    Args:
        covariance: (B, S, F, M, M) complex, Hermitian.
        steering: (P, F, M) complex, unit length over M.
        loading: Power of added white noise as a share of the whole.

    Returns:
        (B, S, F, P) real, 0..1: nearly 1 where all of the sound comes from the point, 1 / M where the
        microphones receive sound that is unrelated, and everywhere in silence. Never above
        :func:`steered_power` of C.
    """
    return 1 / torch.einsum(
        'bsfk,pfk->bsfp', inverse_features(covariance, loading), steering_features(steering)
    )


def inverse_features(covariance: Tensor, loading: float, live: Tensor | None = None) -> Tensor:
    """The ``C^-1`` of :func:`mvdr_power` as real numbers (B, S, F, M * M); ``live``: see :func:`band_shares`.

    Their scalar product with those of :func:`steering_features` is ``g^H C^-1 g``.
    """
    num_microphones = covariance.shape[-1]
    if live is None:
        live = covariance.new_ones((covariance.shape[0], num_microphones), dtype=torch.bool)
    number = live.sum(1)[:, None, None, None, None]  # of the microphones that count
    identity = torch.eye(num_microphones, device=covariance.device)
    trace = covariance.diagonal(dim1=-2, dim2=-1).real.sum(-1)[..., None, None]  # (B, S, F, 1, 1)
    tiny = torch.finfo(trace.dtype).tiny
    unit_trace = torch.where(trace > tiny, covariance / trace.clamp_min(tiny), identity / number)
    loaded = (unit_trace + loading / number * identity) / (1 + loading)
    factor = torch.linalg.cholesky(loaded)  # an error where the loading is too small
    root = torch.linalg.solve_triangular(factor, identity.to(factor).expand_as(factor), upper=False)
    inverse = root.mH @ root
    both = live[:, :, None] & live[:, None]  # (B, M, M)
    return hermitian_features(inverse * both[:, None, None])


def hermitian_features(matrices: Tensor) -> Tensor:
    """Hermitian matrices (..., M, M) as M * M real numbers: diagonal, real and imaginary parts above it."""
    rows, columns = _pairs(matrices.shape[-1], matrices.device)
    upper = matrices[..., rows, columns]  # (..., M (M - 1) / 2)
    return torch.cat((matrices.diagonal(dim1=-2, dim2=-1).real, upper.real, upper.imag), dim=-1)


def normalized_features(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """A Hermitian matrix (..., M, M) of unit trace as real numbers (..., M * M), and its trace (...).

    Half of it says all of it: the diagonal, then the real and the imaginary parts above it; a matrix of zeros
    counts as the identity. ``g^H R g / trace R`` is the scalar product of these features with those of
    :func:`steering_features`, at half of the cost of the complex products.
    """
    features, number = hermitian_features(covariance), covariance.shape[-1]
    trace = features[..., :number].sum(-1)
    return unit_trace(features, trace, identity_features(number, trace) / number), trace


def unit_trace(features: Tensor, trace: Tensor, silent: Tensor) -> Tensor:
    """Features (..., M * M) of matrices divided by their trace (...); of those of zeros ``silent``."""
    tiny = torch.finfo(trace.dtype).tiny
    return torch.where((trace > tiny)[..., None], features / trace.clamp_min(tiny)[..., None], silent)


def identity_features(number: int, like: Tensor) -> Tensor:
    """Features (M * M,) of the identity; see :func:`hermitian_features`."""
    return (torch.arange(number * number, device=like.device) < number).to(like.dtype)


def steering_features(steering: Tensor) -> Tensor:
    """Steering vectors (..., M) as M * M real numbers; see :func:`normalized_features`."""
    rows, columns = _pairs(steering.shape[-1], steering.device)
    power = steering.real.square() + steering.imag.square()
    products = 2 * steering[..., rows].conj() * steering[..., columns]  # (..., M (M - 1) / 2)
    return torch.cat((power, products.real, -products.imag), dim=-1)


def _pairs(num_microphones: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column of each entry above the diagonal."""
    rows, columns = torch.triu_indices(num_microphones, num_microphones, 1, device=device)
    return rows, columns


def bin_weights(trace: Tensor, by_level: bool) -> Tensor:
    """Weights of the bins of a band, which sum to 1: all alike, or in proportion to the power in them.

    (B, S, F) of the traces (B, S, F) of the spatial covariance; in silence all are alike.
    """
    uniform = torch.full_like(trace, 1 / trace.shape[-1])
    if not by_level:
        return uniform
    total = trace.sum(-1, keepdim=True)
    tiny = torch.finfo(trace.dtype).tiny
    return torch.where(total > tiny, trace / total.clamp_min(tiny), uniform)


def band_shares(
    features: Tensor, steering: Tensor, weights: Tensor, live: Tensor | None, adaptive: bool
) -> Tensor:
    """Weighted mean over the bins of a band of :func:`steered_power` or :func:`mvdr_power`.

    Where microphones are left out, the rest of g is scaled to unit length.

    Args:
        features: (B, S, F, M * M): :func:`normalized_features`, if ``adaptive`` :func:`inverse_features`.
        steering: (F, M * M, P) of :func:`steering_features`.
        weights: (B, S, F) of the bins, which sum to 1.
        live: (B, M) bool, microphones that are not left out. None: all.
        adaptive: Which.

    Returns:
        (B, S, P)
    """
    if live is None and not adaptive:  # the sum over bins is part of the matrix product
        return (features * weights[..., None]).flatten(2) @ steering.flatten(0, 1)
    power = features.flatten(0, 1).transpose(0, 1) @ steering  # (F, B * S, P)
    if adaptive:
        power = power.clamp_min(1e-6).reciprocal()
    power = power.unflatten(1, weights.shape[:2])  # (F, B, S, P)
    if live is not None:
        # the first M features of a steering vector are the squares of its entries
        length = live.to(steering.dtype) @ steering[:, : live.shape[1]]  # (F, B, P)
        power = power * length[:, :, None] if adaptive else power / length[:, :, None]
    return torch.einsum('fbsp,bsf->bsp', power, weights)


def live_microphones(waveform: Tensor, mask: Tensor | None = None) -> Tensor:
    """Which microphones (B, M) of waveforms (B, M, L) hear anything and are not left out by a mask (B, M).

    In a clip where none does, all count.
    """
    live = waveform.abs().amax(-1) != 0
    if mask is not None:
        live = live & mask.bool()
    return live | ~live.any(1, keepdim=True)
