"""Arrays that are not what their rig says.

Shapes: M microphones, L samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmav.structures import Rig


def perturb_rig(
    rig: Rig,
    position_std: float = 0.0,
    gain_std: float = 0.0,
    delay_std: float = 0.0,
    swapped: Sequence[int] | None = None,
    seed: int = 0,
) -> Rig:
    """A rig that is off from the true one by normal draws: the data stay as they are, what is told is wrong.

    Args:
        rig: The true one.
        position_std: Metres an axis.
        gain_std: Decibel.
        delay_std: Seconds.
        swapped: Two microphones whose rows are exchanged.
        seed: Of the draws.

    Returns:
        The rough rig.

    Raises:
        ValueError: If ``swapped`` are no two microphones of the array.

    Example:
        >>> from mmav.simulation.drives.simulated_rig import SimulationConfig, make_rig
        >>> rig = make_rig(SimulationConfig())
        >>> perturb_rig(rig, position_std=0.02, seed=1).differences(rig)
        ['microphone_positions: up to 0.0333 m apart (microphone 7)']
    """
    rng = np.random.default_rng(seed)
    values, number = rig.to_dict(), len(rig.microphone_positions)
    # all are drawn whatever is asked for, so that a seed means the same offsets everywhere
    moves, gains, delays = rng.standard_normal((number, 3)), *rng.standard_normal((2, number))
    values['microphone_positions'] = rig.microphone_positions + position_std * moves
    for key, std, draws in (
        ('microphone_gains', gain_std, gains),
        ('microphone_delays', delay_std, delays),
    ):
        if std:
            values[key] = np.asarray(values.get(key, np.zeros(number))) + std * draws
    if swapped is not None:
        first, second = _pair(swapped, number)
        order = np.arange(number)
        order[[first, second]] = second, first
        for key in ('microphone_positions', 'microphone_axes', 'microphone_gains', 'microphone_delays'):
            if values.get(key) is not None:
                values[key] = np.asarray(values[key])[order]
    return Rig.from_dict(values)


def _pair(swapped: Sequence[int], number: int) -> tuple[int, int]:
    pair = [int(channel) for channel in swapped]
    if len(set(pair)) != 2 or len(pair) != 2 or not all(0 <= channel < number for channel in pair):
        raise ValueError(f'swapped must be two different microphones of 0..{number - 1}, got {swapped}')
    return pair[0], pair[1]


def mismatched_recording(
    waveform: np.ndarray, sample_rate: float, gains: np.ndarray | None, delays: np.ndarray | None
) -> np.ndarray:
    """What channels of other gains (M,), decibel, and delays (M,), seconds of lateness, would have recorded.

    Delays are fractions of samples: the spectrum's phase is turned. The clip (M, L) counts as periodic, so
    with delays its first and last samples hold some of its other end.

    Raises:
        ValueError: If their number is not that of the channels, or the waveform is of whole numbers.
    """
    if not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(f'give samples as floating-point numbers in -1..1, got {waveform.dtype}')
    for name, values in (('gains', gains), ('delays', delays)):
        if values is not None and np.shape(values) != (len(waveform),):
            raise ValueError(f'{name} must have shape ({len(waveform)},), got {np.shape(values)}')
    out = np.asarray(waveform, dtype=np.float64)
    if gains is not None:
        out = out * 10 ** (np.asarray(gains)[:, None] / 20)
    if delays is not None:
        frequencies = np.fft.rfftfreq(out.shape[1], 1 / sample_rate)
        phase = np.exp(-2j * np.pi * frequencies * np.asarray(delays)[:, None])
        out = np.fft.irfft(np.fft.rfft(out) * phase, out.shape[1])
    return out.astype(waveform.dtype)
