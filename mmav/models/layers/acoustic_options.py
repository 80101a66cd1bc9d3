"""Options of acoustic images: defaults, what they must be, and how many channels they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .sound_spectra import check_bands

BAND_EDGES = (150.0, 300.0, 600.0, 1000.0, 1600.0, 2400.0, 3600.0, 5400.0, 8000.0)  # Hz
WINDOWS = ((0.53, 0.12), (0.53, 0.25), None)  # centers and half widths in seconds
CHANNELS = ('contrast', 'level', 'broadband')
SPECTRUM_EDGES = tuple(round(40 * 200 ** (step / 24), 1) for step in range(25))  # 40 to 8,000 Hz
MODULATION_BAND = (400.0, 2500.0)  # Hz
MODULATION_EDGES = tuple(range(10, 203, 16))  # Hz

_EDGES_OF_CHANNELS = dict(spectrum=('spectrum_edges',), modulation=('modulation_band', 'modulation_edges'))


def channel_sizes(options: Mapping[str, Any]) -> dict[str, int]:
    """Channels of each name that an acoustic image of these options (its ``settings()``) may have."""
    bands, windows = len(options['band_edges']) - 1, len(options['windows'])
    return dict(
        contrast=windows * bands,
        level=bands,
        broadband=windows,
        spectrum=len(options['spectrum_edges']) - 1,
        modulation=len(options['modulation_edges']) - 1,
    )


def check_options(options: Mapping[str, Any]) -> None:
    """ValueError, which names the option, unless those of :class:`AcousticImage` are within their ranges."""
    check_bands('band_edges', options['band_edges'])
    sides, channels, windows = options['grid'], options['channels'], options['windows']
    positive = (options['sample_rate'], options['n_fft'], options['hop_length'], *sides)
    if min(positive) <= 0 or len(sides) != 2:
        raise ValueError('sample_rate, n_fft, hop_length and both sides of grid must be above 0')
    if not windows or any(window is not None and (len(window) != 2 or window[1] <= 0) for window in windows):
        raise ValueError(f'windows must be (center, half width > 0) in seconds or None, got {windows}')
    known = tuple(channel_sizes(options))
    if not channels or len(set(channels)) < len(channels) or set(channels) - set(known):
        raise ValueError(f'channels must be some of {known}, got {channels}')
    for channel in channels:
        for name in _EDGES_OF_CHANNELS.get(channel, ()):
            check_bands(name, options[name], options['sample_rate'])
    if options['weighting'] not in ('uniform', 'level', 'phat'):
        raise ValueError(f"weighting must be 'uniform', 'level' or 'phat', got {options['weighting']!r}")
    if options['beamformer'] not in ('bartlett', 'mvdr') or not options['loading'] > 0:
        raise ValueError(
            f"beamformer must be 'bartlett' or 'mvdr' and loading above 0, got {options['beamformer']!r} and "
            f'{options["loading"]}'
        )
    if not options['max_distance'] > 0 or (options['max_bins'] is not None and options['max_bins'] < 1):
        raise ValueError('max_distance and max_bins must be above 0')
