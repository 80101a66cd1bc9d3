"""Acoustic images: how much of the sound comes from behind each cell of the camera image.

Shapes: B clips, M microphones, L samples, F frequency bins, T frames, S windows in time, K bands, P points, C
channels, rows and columns of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.structures import Directivity, Rig
from mmav.utils.precision import check_float_samples

from .acoustic_channels import image_channels
from .acoustic_grid import band_bins, frame_times, grid_targets, window_weights
from .acoustic_options import (
    BAND_EDGES,
    CHANNELS,
    MODULATION_BAND,
    MODULATION_EDGES,
    SPECTRUM_EDGES,
    WINDOWS,
    channel_sizes,
    check_options,
)
from .beamforming import (
    band_shares,
    bin_weights,
    channel_responses,
    first_order_gains,
    inverse_features,
    live_microphones,
    normalized_features,
    plane_wave_vectors,
    spatial_covariance,
    steered_power,
    steering_features,
    steering_vectors,
    unit_length,
)
from .sound_spectra import band_levels, band_spectrum, modulation_spectrum

__all__ = ['AcousticImage', 'spatial_covariance', 'steered_power', 'steering_vectors']

# Steering of a large grid or array is made anew for each batch rather than kept: 256 MB.
_MAX_KEPT_NUMBERS = 64 * 2**20


@MODELS.register_module()
class AcousticImage(nn.Module):
    """Waveforms of a microphone array to images whose axes are the camera's.

    Each cell of the grid is steered at: with a ground plane at the place on the ground behind it, raised to
    ``source_height`` (matched-field processing with the ground's reflection); without one in the direction
    of its ray (plane waves). The channels are, in the order of ``channels``:

    - 'contrast', S * K, window by window: 10 log10 of the share of the power from there, mean over the bins
      of a band, in decibel (0: all of the sound comes from there). It does not depend on the volume.
    - 'level', K, constant over the image: 10 log10 of the power of the band, mean over bins and
      microphones, in the last window, in decibel; white noise of power 1 (full scale) has 0 dB.
    - 'broadband', S: mean over the bands of the shares, scaled to 0..1 between their least and largest over
      the image.
    - 'spectrum' and 'modulation', constant over the image: :func:`band_spectrum` and
      :func:`modulation_spectrum` of the clip, in decibel. They tell what kind of vehicle it is.

    A mirrored scene gives the mirrored image where array and camera are symmetric. A microphone whose
    samples are all zero, or that ``mask`` says is dead, is left out of the steering: the result is that of
    the array without it. Computed in full precision under autocast, too; differentiable.

    Args:
        rig: A :class:`Rig`, a dict of :meth:`Rig.to_dict`, or the path of a ``rig.json``.
        sample_rate: Hertz.
        n_fft: Length of the transform and its Hann window, in samples; frames lie inside the clip.
        hop_length: Samples between frames.
        band_edges: K + 1 increasing edges of the bands in hertz; a band holds the bins low <= f < high.
        windows: For each window (center, half width) in seconds from the clip's start: frames are weighted
            by that triangle; or None: all frames alike. The defaults suit clips of one second around the
            image, whose sound arrives some 0.03 s later.
        grid: (rows, columns) into which the cropped image is divided; each is steered at by its center.
        channels: Which of 'contrast', 'level', 'broadband', 'spectrum' and 'modulation', in this order.
        weighting: How the bins of a band count. 'uniform': each alike; 'level': by their power; 'phat':
            alike, with each sample of the spectrum scaled to magnitude 1 (phase transform, SRP-PHAT), so
            that levels between microphones and frames are lost.
        max_distance: Metres along the ground; cells whose place is farther or above the horizon are steered
            at this distance.
        source_height: Metres of the sources over the ground.
        ground_reflection: Coefficient of the ground, or 'rig'.
        directivity: Value of :meth:`Directivity.from_value`, or 'rig'.
        beamformer: 'bartlett': ``g^H R g / trace R`` (:func:`steered_power`); 'mvdr': adaptive, which parts
            what is close together (:func:`mvdr_power`), at less than twice the cost.
        loading: Diagonal loading of 'mvdr'; more bears with steering that is less exact.
        spectrum_edges: Edges of the bands of 'spectrum' in hertz.
        modulation_band: (low, high) in hertz of the sound whose envelope 'modulation' looks at.
        modulation_edges: Edges of the bands of 'modulation' in hertz.
        max_bins: At most so many bins of each band, evenly spaced. None: all.
        learnable: Whether ``microphone_positions`` (M, 3) in metres, ``microphone_gains`` (M,) in decibel and
            ``microphone_delays`` (M,) in seconds (positive: its recording is late) are parameters, which
            start as the rig has them. Steering is then made in each call. Steps of optimizers such as Adam
            are as large as the learning rate whatever the unit: give delays a small ``lr_mult``.

    Example:
        >>> microphones, matrix = [[-0.1, 0, 0], [0.1, 0, 0]], [[50, 0, 50], [0, 50, 20], [0, 0, 1]]
        >>> pose = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]  # level, looks ahead
        >>> layer = AcousticImage(Rig(microphones, matrix, pose, (100, 40)), grid=(1, 5), windows=(None,))
        >>> image = layer((torch.rand(1, 1, 44100) - 0.5).expand(1, 2, -1))  # both hear the same
        >>> image.shape, image[0, -1, 0].argmax()  # it comes from the middle column
        (torch.Size([1, 17, 1, 5]), tensor(2))
    """

    window: Tensor
    bins: Tensor
    frequencies: Tensor
    targets: Tensor
    cells: Tensor
    microphone_positions: Tensor
    microphone_gains: Tensor
    microphone_delays: Tensor
    axes: Tensor
    alpha: Tensor

    def __init__(
        self,
        rig: Rig | Mapping[str, Any] | str,
        sample_rate: int = 44100,
        n_fft: int = 2048,
        hop_length: int = 512,
        band_edges: Sequence[float] = BAND_EDGES,
        windows: Sequence[Sequence[float] | None] = WINDOWS,
        grid: tuple[int, int] = (24, 48),
        channels: Sequence[str] = CHANNELS,
        weighting: str = 'uniform',
        max_distance: float = 40.0,
        source_height: float = 0.5,
        ground_reflection: float | str = 'rig',
        directivity: Any = 'rig',
        max_bins: int | None = None,
        learnable: bool = False,
        beamformer: str = 'bartlett',
        loading: float = 0.01,
        spectrum_edges: Sequence[float] = SPECTRUM_EDGES,
        modulation_band: Sequence[float] = MODULATION_BAND,
        modulation_edges: Sequence[float] = MODULATION_EDGES,
    ) -> None:
        super().__init__()
        self.rig = Rig.from_value(rig)
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.band_edges = tuple(float(edge) for edge in band_edges)
        self.windows = tuple(None if window is None else tuple(map(float, window)) for window in windows)
        self.grid = tuple(grid)
        self.channels = tuple(channels)
        self.weighting = weighting
        self.max_distance = max_distance
        self.source_height = source_height
        self.ground_reflection = ground_reflection
        self.directivity = directivity
        self.max_bins = max_bins
        self.learnable = learnable
        self.beamformer = beamformer
        self.loading = loading
        self.spectrum_edges = tuple(map(float, spectrum_edges))
        self.modulation_band = tuple(map(float, modulation_band))
        self.modulation_edges = tuple(map(float, modulation_edges))
        check_options(self.settings())
        if self.rig.ground is None and ground_reflection not in ('rig', 0):
            raise ValueError(
                f'ground_reflection is {ground_reflection}, but the rig has no ground plane: give it one, or '
                "leave ground_reflection at 'rig'"
            )

        # Constants of the configuration, so no part of a checkpoint; made in float64, kept in float32.
        window = torch.hann_window(n_fft, dtype=torch.float64)
        self.register_buffer('window', window / window.square().sum().sqrt(), persistent=False)
        bins, self.bands = band_bins(self.band_edges, sample_rate, n_fft, max_bins)
        self.bin_range, self._chosen = (int(bins[0]), int(bins[-1]) + 1), max_bins is not None
        self.register_buffer('bins', torch.from_numpy(bins - bins[0]), persistent=False)
        frequencies = bins * (sample_rate / n_fft)
        self.register_buffer('frequencies', torch.from_numpy(frequencies), persistent=False)
        targets, cells = grid_targets(self.rig, self.grid, max_distance, source_height)
        self.register_buffer('targets', torch.from_numpy(targets), persistent=False)
        self.register_buffer('cells', torch.from_numpy(cells), persistent=False)
        self._register_microphones(frequencies)
        numbers = len(bins) * len(targets) * self.num_microphones**2
        self._kept = not learnable and numbers <= _MAX_KEPT_NUMBERS
        if self._kept:
            for number in range(len(self.bands)):
                self.register_buffer(f'steering_{number}', self._steer(number).float(), persistent=False)
        self.float()

    # construction

    def _register_microphones(self, frequencies: np.ndarray) -> None:
        rig = self.rig
        positions = torch.from_numpy(rig.microphone_positions.copy())
        self._channels_differ = self.learnable
        values = dict(positions=positions)
        for name in ('gains', 'delays'):
            given = getattr(rig, f'microphone_{name}')
            values[name] = positions.new_zeros(len(positions)) if given is None else torch.tensor(given)
            self._channels_differ |= given is not None
        for name, value in values.items():
            if self.learnable:
                setattr(self, f'microphone_{name}', nn.Parameter(value))
            else:
                self.register_buffer(f'microphone_{name}', value, persistent=False)
        pattern = rig.directivity if self.directivity == 'rig' else Directivity.from_value(self.directivity)
        self._directional = pattern is not None
        if pattern is not None:
            if rig.microphone_axes is None:
                raise ValueError(
                    f'directivity {self.directivity} needs microphone_axes, which the rig does not have'
                )
            self.register_buffer('axes', torch.from_numpy(rig.microphone_axes.copy()), persistent=False)
            self.register_buffer('alpha', torch.from_numpy(pattern.alpha_at(frequencies)), persistent=False)
        self._reflection = 0.0 if rig.ground is None else rig.ground.reflection
        if self.ground_reflection != 'rig':
            self._reflection = float(self.ground_reflection)

    # what is made

    @property
    def num_microphones(self) -> int:
        """M."""
        return len(self.rig.microphone_positions)

    @property
    def num_channels(self) -> int:
        """C, the channels of an image."""
        sizes = channel_sizes(self.settings())
        return sum(sizes[name] for name in self.channels)

    def settings(self) -> dict[str, Any]:
        """What determines the values, as plain types: the constructor's arguments."""
        directivity = self.directivity
        return dict(
            rig=self.rig.to_dict(),
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            band_edges=list(self.band_edges),
            windows=[None if window is None else list(window) for window in self.windows],
            grid=list(self.grid),
            channels=list(self.channels),
            weighting=self.weighting,
            max_distance=self.max_distance,
            source_height=self.source_height,
            ground_reflection=self.ground_reflection,
            directivity=directivity.to_value() if isinstance(directivity, Directivity) else directivity,
            max_bins=self.max_bins,
            learnable=self.learnable,
            beamformer=self.beamformer,
            loading=self.loading,
            spectrum_edges=list(self.spectrum_edges),
            modulation_band=list(self.modulation_band),
            modulation_edges=list(self.modulation_edges),
        )

    def forward(
        self, waveform: Tensor, mask: Tensor | None = None, spectra: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Compute the acoustic images.

        Args:
            waveform: (B, M, L), float in -1..1.
            mask: (B, M) bool, False for microphones to leave out. Those whose samples are all zero are left
                out anyway.
            spectra: :meth:`spectrum` of each clip where that is known already, without ``mask``.

        Returns:
            (B, C, rows, columns) float32; see the class for the channels.

        Raises:
            ValueError: If the waveform has another shape or is too short.
            TypeError: If it is not of a floating-point type.
        """
        self._check_inputs(waveform, mask)
        with torch.autocast(waveform.device.type, enabled=False):
            waveform = waveform.to(self.window.dtype)
            live = live_microphones(waveform, mask)
            if mask is not None:
                waveform = waveform * live[..., None]
            covariance, level = self._covariance_and_level(waveform, live, spectra)
            shares = self._shares(covariance, live)  # (B, S, K, P)
            constants = self._constants(waveform, live, level)
            image = image_channels(self.channels, shares, constants)
            return image[..., self.cells].unflatten(-1, self.grid)

    def _check_inputs(self, waveform: Tensor, mask: Tensor | None) -> None:
        if waveform.dim() != 3 or 0 in waveform.shape or waveform.shape[1] != self.num_microphones:
            raise ValueError(
                f'expected a waveform of shape (B, {self.num_microphones}, L) for the microphones of the '
                f'rig, got {tuple(waveform.shape)}'
            )
        check_float_samples(waveform)
        if waveform.shape[-1] < self.n_fft:
            raise ValueError(f'{waveform.shape[-1]} samples are fewer than n_fft={self.n_fft}')
        if mask is not None and mask.shape != waveform.shape[:2]:
            raise ValueError(f'mask must be {tuple(waveform.shape[:2])}, got {tuple(mask.shape)}')

    def _covariance_and_level(
        self, waveform: Tensor, live: Tensor, spectra: Sequence[Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Covariance (B, S, F, M, M) and level (B, K) in decibel."""
        of_frames, spans = self.frame_weights(waveform.shape[-1])
        weights = torch.from_numpy(of_frames).to(self.window)
        covariances, powers = [], []
        # one at a time, which stays in a processor's cache
        for spectrum in map(self.spectrum, waveform) if spectra is None else spectra:  # (M, F, T)
            powers.append((spectrum.real.square() + spectrum.imag.square()).sum(0) @ weights[-1])
            if self.weighting == 'phat':
                spectrum = spectrum / spectrum.abs().clamp_min(torch.finfo(weights.dtype).tiny)
            parts = [
                spatial_covariance(spectrum[None, ..., span], row[None, span])
                for row, span in zip(weights, spans)
            ]
            covariances.append(torch.cat(parts, dim=1))
        power = torch.stack(powers) / live.sum(1, keepdim=True)  # (B, F), mean over the microphones
        return torch.cat(covariances), band_levels(power, [slice(*band) for band in self.bands])

    def frame_weights(self, num_samples: int) -> tuple[np.ndarray, list[slice]]:
        """Weights (S, T) of the frames of a clip in each window, and the span in which they are above 0."""
        times = frame_times(num_samples, self.n_fft, self.hop_length, self.sample_rate)
        weights = window_weights(self.windows, times)
        return weights, [slice(int(used[0]), int(used[-1]) + 1) for used in map(np.flatnonzero, weights)]

    def spectrum(self, clip: Tensor) -> Tensor:
        """Short-time Fourier transform of a clip, (M, L) to (M, F, T), at the frequencies of the bands."""
        first, last = self.bin_range
        spectrum = torch.fft.rfft(clip.unfold(-1, self.n_fft, self.hop_length) * self.window)[..., first:last]
        return (spectrum[..., self.bins] if self._chosen else spectrum).transpose(-1, -2)

    # steering

    def steering(self, number: int) -> Tensor:
        """Features (F, M * M, P) of the steering vectors of a band: :func:`steering_features`."""
        return getattr(self, f'steering_{number}') if self._kept else self._steer(number)

    def _steer(self, number: int) -> Tensor:
        band = slice(*self.bands[number])
        frequencies, directivity = self.frequencies[band], None
        if self._directional:

            def directivity(directions: Tensor, _: Tensor) -> Tensor:
                return first_order_gains(directions, self.axes, self.alpha[band])

        arguments = (self.targets, self.microphone_positions, frequencies, self.rig.speed_of_sound)
        if self.rig.ground is None:
            vectors = plane_wave_vectors(*arguments, directivity)
        else:
            vectors = steering_vectors(*arguments, self._reflection, directivity)
        if self._channels_differ:
            responses = channel_responses(self.microphone_gains, self.microphone_delays, frequencies)
            vectors = unit_length(vectors * responses)
        return steering_features(vectors).permute(1, 2, 0).contiguous()

    def _shares(self, covariance: Tensor, live: Tensor) -> Tensor:
        """Share of the power that comes from each target, mean over the bins of each band: (B, S, K, P)."""
        features, trace = normalized_features(covariance)
        adaptive = self.beamformer == 'mvdr'
        left = None if bool(live.all()) else live
        if adaptive:
            features = inverse_features(covariance, self.loading, left)
        shares = []
        for number, (start, stop) in enumerate(self.bands):
            weights = bin_weights(trace[:, :, start:stop], self.weighting == 'level')
            band = features[:, :, start:stop]
            shares.append(band_shares(band, self.steering(number), weights, left, adaptive))
        return torch.stack(shares, dim=2)

    def _constants(self, waveform: Tensor, live: Tensor, level: Tensor) -> dict[str, Tensor]:
        """Channels (B, channels of that name) that are constant over the image."""
        constants = dict(level=level)
        if 'spectrum' in self.channels:
            constants['spectrum'] = band_spectrum(waveform, self.sample_rate, self.spectrum_edges, live)
        if 'modulation' in self.channels:
            bands = self.modulation_band, self.modulation_edges
            constants['modulation'] = modulation_spectrum(waveform, self.sample_rate, *bands, live)
        return constants
