"""Features from inside a detector while it does its work, so that nothing is computed twice."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def check_tap(detector: nn.Module, tap: str, owner: str) -> None:
    """Refuse a tap that is no submodule.

    Args:
        detector: The detector.
        tap: Name of a submodule, e.g. 'backbone' or 'neck'.
        owner: What the error message calls the detector.

    Raises:
        ValueError: If there is no submodule of that name.
    """
    try:
        detector.get_submodule(tap)
    except AttributeError:
        children = [name for name, _ in detector.named_children() if name != 'data_preprocessor']
        raise ValueError(
            f'{owner} has no submodule {tap!r} to take features from; it has {children} and theirs'
        ) from None


@contextmanager
def tap_features(detector: nn.Module, taps: Iterable[str]) -> Iterator[dict[str, tuple[Tensor, ...]]]:
    """Record what submodules put out.

    Args:
        detector: The detector.
        taps: Names of submodules.

    Yields:
        Filled while the detector runs within the context: by name, the levels of the submodule's
        last output. A submodule with a single tensor as output has one level.
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
    """Pick levels of a tap.

    Args:
        found: From :func:`tap_features`.
        tap: Name of the submodule.
        levels: Positions in its output, the finest first.
        owner: What the error messages call the detector.

    Returns:
        The levels, each (B, channels, height, width).

    Raises:
        ValueError: If the submodule did not run or has fewer levels.
    """
    if tap not in found:
        raise ValueError(
            f'{owner}: {tap!r} did not run, so there are no features of it; tap another submodule'
        )
    if max(levels) >= len(found[tap]):
        raise ValueError(f'{owner}: {tap!r} has {len(found[tap])} levels, but levels are {tuple(levels)}')
    return [found[tap][level] for level in levels]
