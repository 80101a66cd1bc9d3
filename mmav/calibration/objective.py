"""How well an array explains where labeled sounds come from.

Shapes: N frames, K places of a frame, F frequency bins, M microphones. Positions, gains and delays carry the
N of the frames, so that one derivative gives those of every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..models.layers.beamforming import (
    channel_responses,
    first_order_gains,
    steering_vectors,
    unit_length,
)
from ..structures import Rig
from .frames import CalibrationFrames
from .places import PlacePrior


@dataclass(frozen=True)
class ArrayPrior:
    """Standard deviations of what the rough rig says; 0: it is exact.

    Args:
        position_std: Metres an axis.
        gain_std: Decibel.
        delay_std: Seconds.
    """

    position_std: float = 0.05
    gain_std: float = 1.0
    delay_std: float = 0.0

    def __post_init__(self) -> None:
        for name in ('position_std', 'gain_std', 'delay_std'):
            if not getattr(self, name) >= 0:
                raise ValueError(f'{name} must be 0 or more, got {getattr(self, name)!r}')

    def scales(self, num_microphones: int) -> Tensor:
        """(5 M,) of the parameters: x, y, z of each microphone, gains, delays."""
        values = [self.position_std] * (3 * num_microphones)
        values += [self.gain_std] * num_microphones + [self.delay_std] * num_microphones
        return torch.tensor(values, dtype=torch.float64)


def geman_mcclure(error: Tensor, scale: float) -> Tensor:
    """``e / (1 + e / s)``: grows like e where e is small, and to s at most (Geman and McClure 1987).

    Args:
        error: Squared errors e, at least 0.
        scale: s, of the same unit.
    """
    return error / (1 + error / scale)


def explained_share(covariance: Tensor, steering: Tensor) -> Tensor:
    """Share of the power that the span of steering vectors holds: ``trace(P R) / trace R``.

    With one vector it is the steered power of the Bartlett beamformer; with several P projects onto their
    span (deterministic maximum likelihood: Krim and Viberg, Two decades of array signal processing research,
    1996).

    Args:
        covariance: (N, F, M, M) complex, unit trace.
        steering: (N, K, F, M) complex, unit length; zeros for places that do not count.

    Returns:
        (N, F) real, 0..1.
    """
    share = covariance.real.new_zeros(covariance.shape[:2])
    basis: list[Tensor] = []
    for k in range(steering.shape[1]):
        vector = steering[:, k]
        for other in basis:  # Gram and Schmidt
            vector = vector - other * (other.conj() * vector).sum(-1, keepdim=True)
        length = (vector.real.square() + vector.imag.square()).sum(-1, keepdim=True)
        # two places in nearly one direction span a single one
        vector = vector * (length + 1e-3 * (k > 0) + 1e-30).rsqrt()
        basis.append(vector)
        heard = (covariance @ vector[..., None])[..., 0]
        share = share + (vector.conj() * heard).sum(-1).real
    return share


class ArrayModel:
    """A rough rig whose microphones are off by unknown amounts, and frames that say by how much.

    Parameters are in standard deviations of their prior: ``array`` (N, 5 M), the same for all frames (x, y, z
    of each microphone, then gains, then delays), and ``offsets`` (N, K, 3) of the boxes' places. The mean
    over the microphones of each of x, y, z, gain and delay is that of the rough rig: a shift of the whole
    array is as good as one of all places, and gains and delays common to all channels are not to be heard.
    """

    def __init__(self, rig: Rig, prior: ArrayPrior, places: PlacePrior) -> None:
        self.rig, self.prior, self.places = rig, prior, places
        self.num_microphones = len(rig.microphone_positions)
        self.scales = prior.scales(self.num_microphones)
        self.rough = torch.cat([torch.from_numpy(v.reshape(-1)) for v in channel_values(rig)])
        self.camera = torch.from_numpy(rig.camera_position.copy())
        self.axes = None if rig.microphone_axes is None else torch.from_numpy(rig.microphone_axes.copy())

    def steps(self, frequency: float) -> Tensor:
        """(5 M,) metres, decibel and seconds that change the sound of a frequency in hertz about alike."""
        wave = self.rig.speed_of_sound / frequency
        steps = ArrayPrior(wave / 25, 1.0, wave / 25 / self.rig.speed_of_sound).scales(self.num_microphones)
        steps[2 : 3 * self.num_microphones : 3] *= 4  # sources are near the horizon
        return steps

    def corrections(self, array: Tensor) -> Tensor:
        """(..., 5 M) in metres, decibel and seconds: mean 0 over microphones of each kind."""
        moves = array * self.scales
        m = self.num_microphones
        xyz, rest = moves[..., : 3 * m].unflatten(-1, (m, 3)), moves[..., 3 * m :].unflatten(-1, (2, m))
        xyz, rest = xyz - xyz.mean(-2, keepdim=True), rest - rest.mean(-1, keepdim=True)
        return torch.cat((xyz.flatten(-2), rest.flatten(-2)), dim=-1)

    def split(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(..., 5 M) to positions (..., M, 3), gains (..., M) and delays (..., M)."""
        m = self.num_microphones
        return values[..., : 3 * m].unflatten(-1, (m, 3)), values[..., 3 * m : 4 * m], values[..., 4 * m :]

    def steering(self, frames: CalibrationFrames, array: Tensor, offsets: Tensor) -> Tensor:
        """(N, K, F, M) complex, zeros for places that do not count."""
        number, count = frames.places.shape[:2]
        positions, gains, delays = self.split(self.rough + self.corrections(array))
        placed = self.places.moved(frames.places, self.camera, offsets)
        counted = torch.arange(count) < frames.num_boxes[:, None]  # (N, K)
        owner = counted.nonzero()[:, 0]
        directivity, axes, pattern = None, self.axes, self.rig.directivity
        if axes is not None and pattern is not None:
            alpha = torch.from_numpy(pattern.alpha_at(frames.frequencies.numpy()))

            def directivity(towards: Tensor, _: Tensor) -> Tensor:
                return first_order_gains(towards, axes, alpha)

        reflection = 0.0 if self.rig.ground is None else self.rig.ground.reflection
        arguments = (frames.frequencies, self.rig.speed_of_sound, reflection, directivity)
        vectors = steering_vectors(placed[counted], positions[owner], *arguments)
        vectors = unit_length(vectors * channel_responses(gains[owner], delays[owner], frames.frequencies))
        out = vectors.new_zeros(number * count, *vectors.shape[1:])
        out = out.index_copy(0, counted.flatten().nonzero()[:, 0], vectors)
        return out.unflatten(0, (number, count))

    def errors(self, frames: CalibrationFrames, array: Tensor, offsets: Tensor) -> Tensor:
        """Share (N,) of what the sources could explain that the places do not, 0..1.

        As much as so many sources explain at most is what the largest eigenvalues hold, so that noise counts
        for nothing.
        """
        share = explained_share(frames.covariance, self.steering(frames, array, offsets)) / frames.total
        return (frames.weights * (1 - share)).sum(1) / frames.weights.sum(1)

    def calibrated(self, array: Tensor) -> Rig:
        """The rough rig with the corrections of parameters (5 M,)."""
        positions, gains, delays = self.split(self.rough + self.corrections(array))
        values = dict(self.rig.to_dict(), microphone_positions=positions.tolist())
        # a prior of 0 leaves even the mean as it was
        values.update(
            microphone_gains=None if self.prior.gain_std == 0 and not gains.any() else gains.tolist(),
            microphone_delays=None if self.prior.delay_std == 0 and not delays.any() else delays.tolist(),
        )
        return Rig.from_dict(values)


def channel_values(rig: Rig) -> tuple:
    """Positions (M, 3) metres, gains (M,) decibel, delays (M,) seconds; zeros where a rig tells none."""
    zeros = np.zeros(len(rig.microphone_positions))
    return (
        rig.microphone_positions.copy(),
        zeros if rig.microphone_gains is None else rig.microphone_gains.copy(),
        zeros.copy() if rig.microphone_delays is None else rig.microphone_delays.copy(),
    )
