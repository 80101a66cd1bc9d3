"""Checks within a budget of time: what fails is a row with its reason, what does not fit is left out."""

import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from speed.pairs import Comparison


@dataclass
class Row:
    """What came of one check.

    Attributes:
        part: 'tests', 'training', 'ceilings' or 'ratios'.
        name: Of the check.
        variant: Precision, memory format, compiled or not; '' where there is one alone.
        status: 'passed', 'failed' or 'left out'.
        reason: Why it failed or was left out.
        seconds: How long it took.
        figures: What it measured, as plain types, by name with the unit.
        comparisons: What it compared.
    """

    part: str
    name: str
    variant: str = ''
    status: str = 'passed'
    reason: str = ''
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)


class OutOfTimeError(Exception):
    """A check took longer than it may."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in the main thread after so many seconds, as soon as Python gets to it."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise OutOfTimeError(f'stopped after {seconds:.0f} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Session:
    """Runs checks until the budget is used up.

    Args:
        minutes: The budget; it begins now.
        device: 'cuda' or 'cpu'.
        tell: Takes each row as it comes.
    """

    def __init__(self, minutes: float, device: str, tell: Callable[[Row], None] = lambda row: None) -> None:
        self.end = time.monotonic() + 60 * minutes
        self.device = device
        self.tell = tell
        self.rows: list[Row] = []

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def attempt(
        self, part: str, name: str, variant: str, needed: float, check: Callable[[], dict[str, Any]]
    ) -> Row:
        """Run a check if there is time for it.

        Args:
            part: See :class:`Row`.
            name: See :class:`Row`.
            variant: See :class:`Row`.
            needed: Seconds that it needs as a rule; three times as many, but no less than 60, stop it.
            check: Gives the figures, and comparisons as ``comparisons``. What it raises is the reason of a
                failure.

        Returns:
            The row, which is kept in ``rows``.
        """
        row = Row(part, name, variant)
        left = self.left
        if left < needed:
            row.status, row.reason = 'left out', f'{needed:.0f} s needed, {max(left, 0):.0f} s left'
        else:
            begin = time.monotonic()
            try:
                with time_limit(min(left, max(3 * needed, 60))):
                    found = check()
                row.comparisons = found.pop('comparisons', [])
                row.figures = found
            except Exception as error:  # a row, not the end of all others
                row.status, row.reason = 'failed', _first_lines(error)
            row.seconds = round(time.monotonic() - begin, 1)
            self._free_memory()
        self.rows.append(row)
        self.tell(row)
        return row

    def _free_memory(self) -> None:
        gc.collect()
        if self.device == 'cuda':
            torch.compiler.reset()
            torch.cuda.empty_cache()


def _first_lines(error: Exception, lines: int = 3, width: int = 300) -> str:
    text = ' '.join(line.strip() for line in str(error).strip().splitlines()[:lines])
    return f'{type(error).__name__}: {text}'[:width]
