"""Features from inside a detector while it does its work, so that nothing is computed twice."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def check_tap(detector: nn.Module, tap: str, owner: str) -> None:
    """ValueError unless a tap, e.g. 'backbone', is a submodule of the detector, called ``owner``."""
    try:
        detector.get_submodule(tap)
    except AttributeError:
        children = [name for name, _ in detector.named_children() if name != 'data_preprocessor']
        raise ValueError(
            f'{owner} has no submodule {tap!r} to take features from; it has {children} and theirs'
        ) from None


@contextmanager
def tap_features(detector: nn.Module, taps: Iterable[str]) -> Iterator[dict[str, tuple[Tensor, ...]]]:
    """Record what submodules put out while the detector runs within the context.

    By name, the levels of the submodule's last output. One with a single tensor as output has one level.
    """
    found: dict[str, tuple[Tensor, ...]] = {}

    def recorder(tap: str) -> Callable[[nn.Module, tuple, Any], None]:
        def record(module: nn.Module, inputs: tuple, output: Tensor | Sequence[Tensor]) -> None:
            found[tap] = (output,) if isinstance(output, Tensor) else tuple(output)

        return record

    handles = [detector.get_submodule(tap).register_forward_hook(recorder(tap)) for tap in set(taps)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def select_levels(
    found: dict[str, tuple[Tensor, ...]], tap: str, levels: Sequence[int], owner: str
) -> list[Tensor]:
    """Pick levels of a tap, each (B, channels, height, width), from :func:`tap_features`; 0 is the finest.

    Raises:
        ValueError: If the submodule of ``owner`` did not run or has fewer levels.
    """
    if tap not in found:
        raise ValueError(
            f'{owner}: {tap!r} did not run, so there are no features of it; tap another submodule'
        )
    if max(levels) >= len(found[tap]):
        raise ValueError(f'{owner}: {tap!r} has {len(found[tap])} levels, but levels are {tuple(levels)}')
    return [found[tap][level] for level in levels]
