"""Benchmark of the acoustic image of eight microphones against its equations as they stand, and the log-mel.

Shapes: B clips, M microphones, L samples, F frequency bins, S windows in time, K bands, P places.
"""

import torch
from torch import Tensor

from mmav.models.layers import AcousticImage, LogMelSpectrogram
from mmav.models.layers.acoustic_grid import frame_times, window_weights
from mmav.models.layers.beamforming import first_order_gains, steering_vectors
from mmav.simulation import make_config
from mmav.simulation.drives.simulated_rig import make_rig

from .log_mel import SETTINGS
from .pairs import Comparison, pinned_threads, time_pairs
from .variants import FP32, Variant


class PlainAcousticImage:
    """The channels 'contrast' of an :class:`AcousticImage` by its equations, in complex numbers.

    Args:
        layer: With a ground plane and directivity; all microphones count.
    """

    def __init__(self, layer: AcousticImage) -> None:
        self.layer = layer
        axes, alpha = layer.axes, layer.alpha
        self.steering = steering_vectors(
            layer.targets.double(),
            layer.microphone_positions.double(),
            layer.frequencies.double(),
            layer.rig.speed_of_sound,
            layer.rig.ground.reflection,
            lambda directions, _: first_order_gains(directions, axes.double(), alpha.double()),
        ).to(torch.complex64)  # (P, F, M)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Waveform (B, M, L) to (B, S * K, rows, columns) in decibel."""
        layer = self.layer
        times = frame_times(waveform.shape[-1], layer.n_fft, layer.hop_length, layer.sample_rate)
        weights = torch.from_numpy(window_weights(layer.windows, times)).to(waveform)
        frames = waveform.unfold(-1, layer.n_fft, layer.hop_length) * layer.window
        first, last = layer.bin_range
        spectrum = torch.fft.rfft(frames)[..., first:last].permute(0, 3, 1, 2)  # (B, F, M, T)
        weighted = spectrum[:, None] * weights[:, None, None]  # (B, S, F, M, T)
        covariance = weighted @ spectrum[:, None].mH
        trace = covariance.diagonal(dim1=-2, dim2=-1).real.sum(-1)[..., None]
        matrices, steering = covariance / trace[..., None], self.steering
        if layer.beamformer == 'mvdr':
            loading, number = layer.loading, layer.num_microphones
            matrices = torch.linalg.inv(
                (matrices + loading / number * torch.eye(number, device=waveform.device)) / (1 + loading)
            )
        shares = torch.einsum('pfm,bsfmn,pfn->bsfp', steering.conj(), matrices, steering).real
        if layer.beamformer == 'mvdr':
            shares = 1 / shares
        bands = torch.stack([shares[:, :, start:stop].mean(2) for start, stop in layer.bands], dim=2)
        return (10 * bands.log10()).flatten(1, 2)[..., layer.cells].unflatten(-1, layer.grid)


def acoustic_image(
    repeats: int = 9, batch: int = 8, device: str = 'cpu', variant: Variant = FP32
) -> list[Comparison]:
    """``AcousticImage`` in one thread against its equations, and against log-mel spectrograms.

    Args:
        repeats: Pairs.
        batch: Clips.
        device: Where it runs.
        variant: Autocast's precision, in which the layers take no part; whether both layers are compiled.

    Returns:
        For three windows in time and for the configs' six.
    """
    rig = make_rig(make_config('demo'))
    waveform = torch.randn(batch, 8, 44100, generator=torch.Generator().manual_seed(0)).to(device) * 0.1
    spectrogram = LogMelSpectrogram(44100, **SETTINGS).eval().to(device)
    variant.prepare(spectrogram)
    along = tuple((center, 0.12) for center in (0.12, 0.32, 0.53, 0.74, 0.92))
    results = []
    for case, options in (
        ('three windows', {}),
        ('six windows', dict(windows=(*along, None))),
        ('six windows, adaptive', dict(windows=(*along, None), beamformer='mvdr')),
    ):
        layer = AcousticImage(rig, **options).to(device)
        plain, count = PlainAcousticImage(layer), len(layer.windows) * len(layer.bands)
        variant.prepare(layer)
        references = (('its equation in complex numbers', plain, 'gain'), ('log-mel', spectrogram, 'cost'))
        for name, reference, kind in references:
            with pinned_threads(1), torch.no_grad():  # inference mode breaks torch.compile
                checked = ''
                if reference is plain:
                    difference = (layer(waveform)[:, :count] - plain(waveform)).abs().max().item()
                    assert difference < 1e-2, f'the images differ by {difference} dB'
                    checked = f'largest difference {difference:.1e} dB'
                mine, theirs = time_pairs(
                    variant.within(lambda: layer(waveform), device),  # noqa: B023
                    variant.within(lambda: reference(waveform), device),  # noqa: B023
                    repeats,
                    warm_up=1,
                )
            results.append(
                Comparison(
                    'acoustic-image',
                    f'{case}, one thread',
                    'AcousticImage',
                    name,
                    kind,
                    ours_values=[seconds / batch for seconds in mine],
                    reference_values=[seconds / batch for seconds in theirs],
                    settings=dict(microphones=8, seconds=1.0, threads=1, batch=batch, device=device),
                    checked=checked,
                    notes=['per clip; aim: 40 ms'],
                    num_bytes=4 * (8 * 44100 + layer.num_channels * layer.grid[0] * layer.grid[1]),
                )
            )
    return results
