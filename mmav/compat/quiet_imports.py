"""What other packages say while they are imported, and what concerns no user of mmav.

mmdet tells of optional packages that are not installed (OneDL's data sets, ``faster_coco_eval``) though
nobody asked for them, and packages that import ``pkg_resources`` pass setuptools' deprecation on.
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

PRINTED = ('Could not import OneDL. Skipping OneDL datasets.',)
WARNED = (
    'faster_coco_eval is not installed, metrics will not be computed',
    'pkg_resources is deprecated as an API',
    '`TorchScript` support for functional optimizers is deprecated',  # torch 2.4, of what MMEngine imports
)


class _Filter(io.TextIOBase):
    """A text stream that passes everything on but the lines of :data:`PRINTED`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._swallow_line_end = False

    def write(self, text: str) -> int:
        # print() writes a line and its end one after the other
        if text.rstrip('\n') in PRINTED:
            self._swallow_line_end = not text.endswith('\n')
        elif self._swallow_line_end and text == '\n':
            self._swallow_line_end = False
        else:
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Import other packages without the messages of this module; all others come through.

    Example:
        >>> from mmav.compat import quiet_imports
        >>> with quiet_imports():
        ...     print('Could not import OneDL. Skipping OneDL datasets.')
        ...     print('another message')
        another message
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(_Filter(sys.stdout)):
        show = warnings.showwarning

        def show_others(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if not str(message).startswith(WARNED):
                show(message, *args, **kwargs)

        # no filter: torch sets its own before it warns; catch_warnings gives this function back, too
        warnings.showwarning = show_others
        yield
