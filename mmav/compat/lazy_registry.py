"""Registered classes whose module is imported when the first object of theirs is built."""

import importlib
from typing import Any

from mmengine.registry import Registry


def register_lazily(registry: Registry, name: str, module: str) -> None:
    """Register a class without importing the module that defines it.

    For classes that stand on a package which not every user has. The module registers the class itself, by
    ``@registry.register_module(force=True)``, so that it takes this place once it is imported.

    Args:
        registry: Where the class is looked up.
        name: Name of the class.
        module: The module that defines it, in full.

    Example:
        >>> from mmengine.registry import Registry
        >>> from mmav.compat import register_lazily
        >>> shapes = Registry('shape')
        >>> register_lazily(shapes, 'Fraction', 'fractions')
        >>> shapes.build(dict(type='Fraction', numerator=1, denominator=2))
        Fraction(1, 2)
    """

    def build(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    build.__name__ = build.__qualname__ = name
    registry.register_module(name=name, module=build)
