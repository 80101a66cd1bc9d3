"""Imports without collections of garbage, which find nothing among a million objects that live on."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused_garbage_collection() -> Iterator[None]:
    """Pause Python's cyclic garbage collector, and leave it as it was found.

    Importing torch and mmdet creates objects in such numbers that the collector looks at all of them seven
    times, a sixth of the time of the import; more than half of that comes due after it.

    Example:
        >>> import gc
        >>> from mmav.compat import paused_garbage_collection
        >>> with paused_garbage_collection():
        ...     print(gc.isenabled())
        False
        >>> gc.isenabled()
        True
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
