"""The one exception for data that cannot be used, and how commands tell of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SampleError(ValueError):
    """A file or annotation that cannot be used; its message names it and says why.

    ``MAVDDataset(on_error='skip')`` leaves out the frames that raise it. Every other exception is a
    fault of the program or its configuration and is never skipped.

    Args:
        source: File, or file and entry, that is at fault.
        reason: What is wrong with it and, where possible, what to do.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = str(source)
        self.reason = reason

    def __str__(self) -> str:
        return f'{self.source}: {self.reason}'


class StorageError(SampleError):
    """A server that holds data does not answer, which says nothing about the data: it is never skipped.

    ``on_error='skip'`` would else leave out half a data set because a server was started anew.
    """


@contextmanager
def malformed(source: str, what: str) -> Iterator[None]:
    """Make a SampleError of what a value of another type than expected raises while a file is taken apart.

    Args:
        source: The file.
        what: What it is not, for the message: 'is no index of a store'.

    Example:
        >>> with malformed('rig.json', 'is no rig'):
        ...     None['crop']
        Traceback (most recent call last):
        mmav.utils.errors.SampleError: rig.json: is no rig (TypeError: 'NoneType' object is not subscriptable)
    """
    try:
        yield
    except SampleError:
        raise
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise SampleError(source, f'{what} ({type(error).__name__}: {error})') from error


@contextmanager
def one_line_errors(
    kinds: tuple[type[Exception], ...] = (ValueError, OSError), resumable: bool = False
) -> Iterator[None]:
    """End a command with ``<tool>: <message>`` and exit status 2 instead of a traceback; also a decorator.

    ``--debug`` on the command line, which is taken out of ``sys.argv``, leaves the traceback.

    Args:
        kinds: Exceptions that tell of bad input. Defaults to ``ValueError``, which ``SampleError`` is, and
            ``OSError``.
        resumable: Whether the command goes on where it was interrupted; Control-C then says so.

    Raises:
        SystemExit: In the place of those.
    """
    tool, debug = Path(sys.argv[0]).stem, '--debug' in sys.argv[1:]
    if debug:
        sys.argv.remove('--debug')
    try:
        yield
    except kinds as error:
        if debug:
            raise
        raise _ending(f'{tool}: {error} (--debug shows the traceback)') from error
    except KeyboardInterrupt:
        if not resumable:
            raise
        raise _ending(f'{tool}: interrupted; the same command goes on where it stopped') from None
    except SystemExit as error:
        if isinstance(error.code, str):
            raise _ending(error.code) from error
        raise


def _ending(message: str) -> SystemExit:
    print(message, file=sys.stderr)
    ended = SystemExit(message)
    ended.code = 2  # of bad input, as argparse has it
    return ended
