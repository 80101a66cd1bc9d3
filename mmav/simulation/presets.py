"""What the configurations of all simulators share: ranges that are checked, and presets to start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from mmav.utils.checks import check_choice

Config = TypeVar('Config', bound='SimulatorConfig')


@dataclass(frozen=True)
class SimulatorConfig:
    """Base of a simulator's frozen dataclass of parameters."""

    def check(self, **within: bool) -> None:
        """Refuse values out of their range, in ``__post_init__``: whether each parameter's is within it.

        Raises:
            ValueError: One is not; the message names it.
        """
        for name, passed in within.items():
            if not passed:
                raise ValueError(f'simulation parameter {name} = {getattr(self, name)!r} is out of its range')

    def check_shares(self, *names: str) -> None:
        """Refuse shares that are not in 0..1; see :meth:`check`."""
        self.check(**{name: 0 <= getattr(self, name) <= 1 for name in names})

    def check_intervals(self, *names: str, least: float = 0.0) -> None:
        """Refuse pairs (low, high) that do not have least <= low <= high; see :meth:`check`."""
        for name in names:
            low, high = getattr(self, name)
            self.check(**{name: least <= low <= high})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)


def config_of(presets: Mapping[str, Config], preset: str, overrides: Mapping[str, Any]) -> Config:
    """A preset with some of its values replaced.

    Raises:
        ValueError: Unknown preset or field, or a value is out of its range.
    """
    check_choice('simulation', 'preset', preset, sorted(presets))
    known = [field.name for field in fields(presets[preset])]
    for name in overrides:
        check_choice('simulation', 'parameter', name, known)
    return replace(presets[preset], **overrides)
