"""Whether an HDF5 file can be read: looked at by a process of its own, which may hang or crash.

The HDF5 library follows the structure of a damaged file wherever it leads: it may loop without end or die of
it. The functions that look run as a script, without the rest of mmav, which takes a fifth of a second for the
first file and two milliseconds for each further one.
"""

import json
import math
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

SECONDS = 60.0
"""Time that the examination of a file may take."""

_MEMORY = 4 << 30  # bytes of address space of the process
_CAUSES = {
    'truncated file': 'is truncated: get it again',
    'file signature not found': 'is no HDF5 file',
    'unable to lock file': 'is open for writing in another process: wait until that ends',
    'already open for write': 'was not closed by the program that wrote it, which runs still or was killed',
}


class H5Examiner:
    """The process that looks at files, started for the first one, and once in each process that asks."""

    def __init__(self) -> None:
        self._lock, self._owner = threading.Lock(), os.getpid()
        self._process: subprocess.Popen | None = None

    def __call__(self, path: str, key: str, limit: int, all_below: bool = False) -> str | None:
        """Look at a file.

        Args:
            path: The file, on a local disk.
            key: Name of the array that will be read.
            limit: Bytes that a compressed array may have.
            all_below: Whether instead all arrays whose names begin so will be. Defaults to False.

        Returns:
            What is wrong with it; None if it can be read.
        """
        if self._owner != os.getpid():  # what a fork inherited is its parent's
            self.__init__()  # type: ignore[misc]
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = _start()
            process = self._process
            timer = threading.Timer(SECONDS, process.kill)
            timer.start()
            answer = b''
            try:
                answer = _ask(process, os.path.abspath(path), key, limit, all_below)
            finally:
                timer.cancel()
                if not answer:  # it has ended, or this one is interrupted
                    process.kill()
                    process.communicate()
                    self._process = None
        if answer:
            return json.loads(answer)
        return (
            f'is damaged: reading its structure ends within {SECONDS:g} s neither in success nor in an error '
            'of HDF5; get it again'
        )


def _ask(process: subprocess.Popen, *question: Any) -> bytes:
    """Answer to a question, a line; empty if the process ends."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(json.dumps(question).encode() + b'\n')
        process.stdin.flush()
        return process.stdout.readline()
    except OSError:
        return b''


def _start() -> subprocess.Popen:
    # the paths of this process, and neither the working folder nor this one before them
    start = (
        'import json, runpy, sys; sys.path[:] = json.loads(sys.argv[1]); '
        'runpy.run_path(sys.argv[2], {}, "__main__")'
    )
    process = subprocess.Popen(
        [sys.executable, '-I', '-c', start, json.dumps([path for path in sys.path if path]), __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Control-C is not for it
        env=dict(os.environ, OPENBLAS_NUM_THREADS='1'),  # whose threads take address space
    )
    assert process.stdout is not None
    if not process.stdout.readline():
        process.communicate()
        raise RuntimeError(
            f'the process that looks at HDF5 files does not start (exit status {process.returncode}): '
            f'does `{sys.executable} -c "import h5py"` work?'
        )
    return process


examine = H5Examiner()


# in the process that looks


def _look_at(path: str, key: str, limit: int, all_below: bool) -> str | None:
    import h5py

    try:
        with h5py.File(path, 'r') as file:
            if not all_below:
                return _look_for(file, key, limit)

            def look(name: str, item: object) -> str | None:
                wanted = isinstance(item, h5py.Dataset) and name.startswith(key)
                return _look_at_array(name, item, limit) if wanted else None

            return file.visititems(look)
    except OSError as error:
        cause = next(
            (text for sign, text in _CAUSES.items() if sign in str(error)), 'is damaged: get it again'
        )
        return f'{cause} ({error})'
    except Exception as error:  # h5py raises many types, by the place that is damaged
        return f'is damaged: get it again ({type(error).__name__}: {error})'


def _look_for(file: 'h5py.File', key: str, limit: int) -> str | None:
    import h5py

    group = file
    parts = [part for part in key.split('/') if part]
    for part in parts:
        link = (
            group.get(part, getlink=True) if isinstance(group, h5py.Group) and part in group.keys() else None
        )
        if isinstance(link, h5py.ExternalLink):
            return f'{key} is a link to another file, {link.filename!r}: copy the array into this one'
        if isinstance(link, h5py.SoftLink):
            return f'{key} is a link to {link.path!r}: store the array itself under that name'
        group = group[part] if link is not None else None
    if not isinstance(group, h5py.Dataset):
        return f'has no array {key!r}; it has {sorted(file)[:20]}'
    reason = _look_at_array(key, group, limit)
    if reason is None:
        dict(group.attrs)
    return reason


def _look_at_array(key: str, array: 'h5py.Dataset', limit: int) -> str | None:
    import h5py

    if array.is_virtual:
        return f'{key} is a virtual data set, whose values lie in other files: copy them into this one'
    if array.external:
        names = [name for name, *_ in array.external]
        return f'the values of {key} lie in other files, {names}: copy them into this one'
    if array.dtype.kind not in 'biuf' or not array.ndim:
        return f'{key} must be an array of numbers, got {array.shape} {array.dtype}'
    if array.dtype != bool and not array.id.get_type().equal(h5py.h5t.py_create(array.dtype)):
        return f'{key} holds numbers in a layout that NumPy does not have: the file is damaged'
    size = math.prod(array.shape) * array.dtype.itemsize
    if array.chunks is None:
        stored = array.id.get_storage_size()
        return (
            None
            if stored == size
            else f'{key} has {stored} of {size} bytes: the file is damaged or unfinished'
        )
    largest = max(size, math.prod(array.chunks) * array.dtype.itemsize)
    if largest > limit:
        return f'{key} takes {largest} bytes, more than 100 times the file: it is damaged, or a bomb'
    stored = array.id.get_num_chunks()
    wanted = math.prod(-(-length // block) for length, block in zip(array.shape, array.chunks))
    if stored != wanted:
        return f'{key} has {stored} of {wanted} blocks: the file is damaged or unfinished'
    return None


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # no POSIX system
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _serve() -> None:
    import h5py  # noqa: F401  (as long as there is memory)

    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)  # what a library prints is no answer
    _limit_memory()
    answers.write(b'ready\n')
    answers.flush()
    for line in sys.stdin.buffer:
        answers.write(json.dumps(_look_at(*json.loads(line))).encode() + b'\n')
        answers.flush()


if __name__ == '__main__':
    _serve()
