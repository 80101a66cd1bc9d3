"""One writer for each output: a second process that would write into the same folder is refused."""

import errno
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from logging import WARNING
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

LOCK_FILE = '.mmav-lock'

_PATIENCE = 10.0  # seconds
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_held: dict[Path, int] = {}  # output -> process that holds it: forks inherit the table, but no lock


class OutputInUseError(OSError):
    """Another process writes the output; the message names the process."""


@contextmanager
def folder_lock(folder: str | Path, purpose: str, joint: bool = False) -> Iterator[None]:
    """Be the only process that writes a folder.

    The lock is the operating system's, on the hidden file :data:`LOCK_FILE` in the folder, which says who
    holds it and is removed at the end. A process that is killed holds it no longer, whatever is left of the
    file. The process that holds a lock may take it once more. Where the file system knows no locks, a warning
    says so.

    Args:
        folder: The folder; made if missing.
        purpose: What is done to it, for the message that others get: 'training'.
        joint: Whether all processes of a launcher take it together: the main process does for them.

    Raises:
        OutputInUseError: Another process holds it.
        OSError: The folder cannot be written.

    Example:
        >>> with folder_lock('out', 'simulation'):
        ...     size = Path('out', 'manifest.json').write_text('{}')
        >>> os.listdir('out')
        ['manifest.json']
    """
    with _hold(Path(folder), Path(folder, LOCK_FILE), purpose, joint):
        yield


@contextmanager
def file_lock(file: str | Path, purpose: str, joint: bool = False) -> Iterator[None]:
    """Be the only process that makes a file, while others may make other files in its folder.

    As :func:`folder_lock`; the lock file is ``.<name>.mmav-lock`` beside it.
    """
    file = Path(file)
    with _hold(file, file.with_name(f'.{file.name}{LOCK_FILE}'), purpose, joint):
        yield


def holds_lock(output: str | Path) -> bool:
    """Whether this process holds the lock of a file or folder, or of a folder that it lies in."""
    place = Path(os.path.realpath(output))
    return any(_held.get(each) == os.getpid() for each in (place, *place.parents))


@contextmanager
def _hold(output: Path, lock_file: Path, purpose: str, joint: bool) -> Iterator[None]:
    place = Path(os.path.realpath(output))
    lock: FileLock | None = None
    refused: list[Any] = [None]
    if (is_main_process() or not joint) and _held.get(place) != os.getpid():
        try:
            lock = _acquire(output, lock_file, purpose)
        except OSError as error:
            refused = [error]
    if joint:  # the others must not wait for a main process that has ended
        broadcast_object_list(refused)
    if refused[0] is not None:
        raise refused[0]
    if lock is None:
        yield
        return
    _held[place] = os.getpid()
    try:
        yield
    finally:
        del _held[place]
        if lock.is_locked:
            lock_file.unlink(missing_ok=True)  # while it is held: who waits for this very file takes another
            lock.release()


def _acquire(output: Path, lock_file: Path, purpose: str) -> FileLock:
    # A marker file instead of a lock (soft) would stay when its process is killed.
    lock = FileLock(lock_file, fallback_to_soft=False)
    deadline = time.monotonic() + _PATIENCE
    while True:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except (Timeout, FileNotFoundError):  # in use; or its holder has just removed the folder
            holder = _read_holder(lock_file)
            # One that has just taken it has not written yet; what one that ended has started follows it soon.
            if (holder and not _has_ended(holder)) or time.monotonic() > deadline:
                raise OutputInUseError(_refusal(output, holder)) from None
            time.sleep(0.05)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            print_log(
                f'{output}: its file system has no locks ({error.strerror}): let no other process write it',
                'current',
                WARNING,
            )
            return lock
        else:
            break
    since = datetime.now().astimezone().isoformat(' ', 'seconds')
    who = dict(pid=os.getpid(), host=socket.gethostname(), since=since, purpose=purpose)
    lock_file.write_text(json.dumps(dict(who, command=shlex.join(sys.argv)[:200])))
    return lock


def _read_holder(lock_file: Path) -> dict[str, Any]:
    """What the lock file says, or {}."""
    try:
        holder = json.loads(lock_file.read_text())
        return (
            holder if holder['pid'] > 0 and {'host', 'since', 'purpose', 'command'} <= holder.keys() else {}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _has_ended(holder: dict[str, Any]) -> bool:
    if os.name != 'posix' or holder['host'] != socket.gethostname():
        return False
    try:
        os.kill(holder['pid'], 0)
    except ProcessLookupError:
        return True
    except OSError:  # of another user
        return False
    return False


def _refusal(output: Path, holder: dict[str, Any]) -> str:
    who = 'another process'
    if holder:
        who = 'process {pid} on {host} since {since} ({purpose}: {command})'.format_map(holder)
    return f'{output} is in use by {who}: wait until it ends, or choose another output'
