"""What calibration needs of labeled frames: covariances of the sound and places of the boxes.

Shapes: N frames, K places of a frame, F frequency bins, M microphones, L samples, T frames of a spectrum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..datasets.labeled_sound import LabeledSound
from ..models.layers.acoustic_grid import frame_times, window_weights
from ..models.layers.beamforming import spatial_covariance
from ..structures import Rig
from .places import PlacePrior, box_azimuths

N_FFT = 2048
HOP_LENGTH = 256
HALF_WIDTH = 0.12  # seconds of the triangle that weights the spectrum's frames
STAGES = ((150.0, 600.0, 16), (150.0, 1600.0, 24), (200.0, 3500.0, 32), (200.0, 6500.0, 48))
"""Lowest and highest frequency in hertz and number of bins of each stage of the fit."""

MAX_BOXES = 2
BORDER = 2.0  # pixels: boxes that come nearer to the image's sides or bottom are truncated
MIN_DOMINANCE = 0.2


@dataclass(frozen=True)
class CalibrationFrames:
    """Frames as the fit takes them.

    Args:
        covariance: (N, F, M, M) complex, unit trace.
        frequencies: (F,) hertz.
        places: (N, K, 3) metres, of :meth:`PlacePrior.box_places`; zeros where a frame has fewer.
        num_boxes: (N,) places that count.
        total: (N, F) sum of the ``num_boxes`` largest eigenvalues: the most that so many sources explain.
        weights: (N, F) how far these stand out of the others, which noise makes.
        drives: (N,) number of each frame's drive.
        azimuths: (N,) degrees of the first box.
        left_out: Number of frames that could not be used, by reason.
        sample_rate: Hertz.
    """

    covariance: Tensor
    frequencies: Tensor
    places: Tensor
    num_boxes: Tensor
    total: Tensor
    weights: Tensor
    drives: Tensor
    azimuths: np.ndarray
    left_out: dict[str, int]
    sample_rate: int

    def __len__(self) -> int:
        return len(self.covariance)

    def bins(self, low: float, high: float, number: int) -> CalibrationFrames:
        """The same frames with at most ``number`` of the bins from ``low`` to ``high`` hertz."""
        resolution = self.sample_rate / N_FFT
        wanted = set(_spaced_bins(low, high, number, resolution))
        kept = torch.tensor(
            [i for i, f in enumerate(self.frequencies.tolist()) if round(f / resolution) in wanted]
        )
        return replace(
            self,
            covariance=self.covariance[:, kept],
            frequencies=self.frequencies[kept],
            total=self.total[:, kept],
            weights=self.weights[:, kept],
        )

    def exchanged(self, first: int, second: int) -> CalibrationFrames:
        """The same frames with two channels exchanged."""
        order = torch.arange(self.covariance.shape[-1])
        order[first], order[second] = second, first
        return replace(self, covariance=self.covariance[..., order, :][..., order])


def usable_frames(
    rig: Rig, bboxes: Sequence[np.ndarray], max_distance: float = 25.0, max_frames: int | None = None
) -> list[int]:
    """Which frames say where their sound comes from: few boxes, near, and not truncated.

    Args:
        rig: With the camera.
        bboxes: Boxes (n, 4) of each frame in pixels of the cropped image.
        max_distance: Metres of the farthest box; not asked where the rig has no ground plane.
        max_frames: At most so many, evenly spread over those that are usable.

    Returns:
        Indices in increasing order.
    """
    width, height = rig.cropped_size
    usable = []
    for index, boxes in enumerate(bboxes):
        if not 1 <= len(boxes) <= MAX_BOXES:
            continue
        x1, _, x2, y2 = np.asarray(boxes).T
        if x1.min() < BORDER or x2.max() > width - BORDER or y2.max() > height - BORDER:
            continue
        if rig.ground is not None:
            bottoms = rig.ground_points(np.stack(((x1 + x2) / 2, y2), axis=1), 1000.0)
            away = np.linalg.norm(bottoms[:, :2] - rig.camera_position[:2], axis=1)
            if away.max() > max_distance:
                continue
        usable.append(index)
    if max_frames is not None and len(usable) > max_frames:
        usable = [usable[i] for i in np.linspace(0, len(usable) - 1, max_frames).round().astype(int)]
    return usable


def collect_frames(
    rig: Rig, sounds: Iterable[LabeledSound], prior: PlacePrior | None = None
) -> CalibrationFrames:
    """Compute the covariances of frames around the instant at which the sound of the image arrives.

    Args:
        rig: With the camera; positions of microphones are not used.
        sounds: Frames with 1 to 2 boxes each.
        prior: Places of boxes.

    Raises:
        ValueError: If no frame can be used, or one has another number of channels than the rig.
    """
    prior = PlacePrior() if prior is None else prior
    num_microphones = len(rig.microphone_positions)
    covariances, places, boxes, drives, azimuths = [], [], [], [], []
    names: dict[str, int] = {}
    left_out: dict[str, int] = {}
    rate = 0
    for sound in sounds:
        if len(sound.waveform) != num_microphones:
            raise ValueError(
                f'{sound.drive}/{sound.frame_id} has {len(sound.waveform)} channels, but the rig '
                f'{num_microphones} microphones'
            )
        rate = rate or sound.sample_rate
        if sound.sample_rate != rate:
            raise ValueError(f'{sound.drive}/{sound.frame_id}: {sound.sample_rate} Hz, others have {rate} Hz')
        if not 1 <= len(sound.bboxes) <= MAX_BOXES:
            left_out['frames without 1 or 2 boxes'] = left_out.get('frames without 1 or 2 boxes', 0) + 1
            continue
        if not np.any(sound.waveform, axis=1).all():
            left_out['frames with a silent channel'] = left_out.get('frames with a silent channel', 0) + 1
            continue
        place = prior.box_places(rig, sound.bboxes)
        travel = np.linalg.norm(place - rig.microphone_positions.mean(0), axis=1).mean() / rig.speed_of_sound
        covariances.append(_covariance(sound.waveform, rate, travel))
        places.append(np.concatenate((place, np.zeros((MAX_BOXES - len(place), 3)))))
        boxes.append(len(place))
        drives.append(names.setdefault(sound.drive, len(names)))
        azimuths.append(box_azimuths(rig, sound.bboxes)[0])
    if not covariances:
        reasons = '; '.join(f'{number} {reason}' for reason, number in left_out.items())
        raise ValueError(
            f'no frame can be used for calibration ({reasons or "there is none"}): frames with 1 or 2 near '
            'boxes that are not truncated, and sound of all microphones, are needed'
        )
    covariance = torch.stack(covariances)
    covariance = covariance / covariance.diagonal(dim1=-2, dim2=-1).real.sum(-1)[..., None, None]
    num_boxes = torch.tensor(boxes)
    total, dominance = _explainable(covariance, num_boxes)
    loud = dominance.mean(1) >= MIN_DOMINANCE
    if loud.any() and not loud.all():
        left_out['frames without a dominant sound'] = int((~loud).sum())
    keep = loud if loud.any() else torch.ones_like(loud)
    frequencies = torch.from_numpy(_stage_bins(rate) * (rate / N_FFT))
    return CalibrationFrames(
        covariance[keep],
        frequencies,
        torch.from_numpy(np.stack(places))[keep],
        num_boxes[keep],
        total[keep],
        dominance[keep],
        torch.tensor(drives)[keep],
        np.array(azimuths)[keep.numpy()],
        left_out,
        rate,
    )


def _covariance(waveform: np.ndarray, rate: int, travel: float) -> Tensor:
    """(F, M, M) complex128 of a clip."""
    wave = torch.from_numpy(np.asarray(waveform, dtype=np.float64))
    times = frame_times(wave.shape[-1], N_FFT, HOP_LENGTH, rate)
    middle = wave.shape[-1] / rate / 2 + travel
    weights = torch.from_numpy(window_weights([(middle, HALF_WIDTH)], times))
    span = weights[0].nonzero()[:, 0]
    first, last = int(span[0]), int(span[-1]) + 1
    window = torch.hann_window(N_FFT, dtype=torch.float64)
    pieces = wave.unfold(-1, N_FFT, HOP_LENGTH)[:, first:last] * window
    spectrum = torch.fft.rfft(pieces)[..., torch.from_numpy(_stage_bins(rate))].transpose(-1, -2)
    # a white floor below that of 16-bit samples keeps silent bins finite
    covariance = spatial_covariance(spectrum[None], weights[:, first:last])[0, 0]
    return covariance + 1e-12 * torch.eye(len(wave), dtype=torch.float64)


def _explainable(covariance: Tensor, num_boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the largest eigenvalues (N, F) and how far they stand out of the rest."""
    values = torch.linalg.eigvalsh(covariance).flip(-1)  # (N, F, M), largest first
    counted = (torch.arange(values.shape[-1]) < num_boxes[:, None])[:, None]
    total = (values * counted).sum(-1)
    floor = (values * ~counted).sum(-1) / (~counted).sum(-1).clamp_min(1)
    return total, (total - num_boxes[:, None] * floor).clamp_min(0.0)


def _spaced_bins(low: float, high: float, number: int, resolution: float) -> list[int]:
    """Bins from ``low`` to ``high`` hertz, spaced halfway between evenly and geometrically."""
    edges = np.sqrt(np.geomspace(low, high, number) * np.linspace(low, high, number))
    return sorted(set((edges / resolution).round().astype(int).tolist()))


def _stage_bins(rate: int) -> np.ndarray:
    """Bins (F,) that any stage uses, below half of the sample rate."""
    resolution = rate / N_FFT
    bins = {b for low, high, number in STAGES for b in _spaced_bins(low, high, number, resolution)}
    return np.array([b for b in sorted(bins) if b < N_FFT // 2])
