"""First-order directivity of microphones.

Shapes: F frequencies, K tabulated frequencies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Directivity:
    """Gain ``alpha + (1 - alpha) cos(angle)`` of a microphone, ``angle`` between its axis and the source.

    The standard first-order pattern (Eargle, The Microphone Book): ``alpha`` is 1 for omnidirectional
    microphones, 0.75 for wide cardioids, 0.5 for cardioids, 0 for figures of eight. It may depend on the
    frequency, as where a body shadows the microphone.

    Args:
        alpha: One value, or K values, in 0..1.
        frequencies: K increasing frequencies in hertz, between which ``alpha`` is interpolated linearly;
            outside of them it is constant. Empty for a single value.

    Raises:
        ValueError: If the values are out of their range or their numbers differ.

    Example:
        >>> Directivity(0.5).alpha_at([100.0, 1000.0])
        array([0.5, 0.5])
    """

    alpha: tuple[float, ...] | float
    frequencies: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        alpha = tuple(float(value) for value in np.atleast_1d(self.alpha))
        frequencies = tuple(float(value) for value in self.frequencies)
        if len(alpha) != max(len(frequencies), 1):
            raise ValueError(
                f'{len(alpha)} values of alpha for {len(frequencies)} frequencies: give one alpha, or one '
                'for each frequency'
            )
        if not all(0.0 <= value <= 1.0 for value in alpha):
            raise ValueError(
                f'alpha must lie in 0..1 (1 = omnidirectional, 0.5 = cardioid), got {list(alpha)}'
            )
        if not all(value >= 0 for value in frequencies) or not (np.diff(frequencies) > 0).all():
            raise ValueError(f'frequencies must be positive and increase, got {list(frequencies)}')
        object.__setattr__(self, 'alpha', alpha)
        object.__setattr__(self, 'frequencies', frequencies)

    @classmethod
    def from_value(cls, value: Any) -> Directivity | None:
        """Make it of what a file or config may hold; None for omnidirectional microphones.

        Args:
            value: None or 'omni' (omnidirectional), a number (``alpha``), a dict of the constructor's
                arguments, or a :class:`Directivity`; else there is a ValueError.
        """
        if value is None or value == 'omni' or isinstance(value, cls):
            return None if value == 'omni' else value
        if isinstance(value, Mapping) and {'alpha'} <= set(value) <= {'alpha', 'frequencies'}:
            try:
                return cls(value['alpha'], tuple(value.get('frequencies') or ()))
            except TypeError:
                raise ValueError(f'alpha and frequencies must be numbers, got {value!r}') from None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return cls(float(value))
        raise ValueError(
            "must be null or 'omni', a number alpha in 0..1 (gain = alpha + (1 - alpha) cos), or an object "
            f'with alpha and frequencies, got {value!r}'
        )

    def to_value(self) -> float | dict[str, list[float]]:
        """Plain value from which :meth:`from_value` makes it again."""
        alpha = np.atleast_1d(self.alpha).tolist()
        return dict(alpha=alpha, frequencies=list(self.frequencies)) if self.frequencies else alpha[0]

    def alpha_at(self, frequencies: ArrayLike) -> np.ndarray:
        """``alpha`` at some frequencies (F,) in hertz."""
        frequencies = np.asarray(frequencies, dtype=np.float64)
        if not self.frequencies:
            return np.full(frequencies.shape, self.alpha)
        return np.interp(frequencies, self.frequencies, self.alpha)
