"""Files that are either whole or absent, whatever kills the writer."""

import json
import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

TEMPORARY_SUFFIX = '.mmav-tmp'


class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` whose ``put`` and ``put_text`` replace the target in one step.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and the file is renamed. A
    killed process or a power cut leaves the previous file, and at most a temporary one beside it, which
    :meth:`remove_leftovers` deletes. Registered in MMEngine as ``atomic_local``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file.

        Args:
            obj (bytes): The content.
            filepath (str or Path): The file; its folder is made if missing.

        Raises:
            OSError: The disk is full, or the folder cannot be written. The previous file stays.
        """
        filepath = Path(filepath)
        filepath.parent.mkdir(parents=True, exist_ok=True)
        temporary = filepath.with_name(f'.{filepath.name}.{os.getpid()}{TEMPORARY_SUFFIX}')
        try:
            with open(temporary, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, filepath)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if os.name == 'posix':  # the rename itself must reach the disk, too
            folder = os.open(filepath.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file; see :meth:`put`.

        Args:
            obj (str): The content.
            filepath (str or Path): The file.
            encoding (str): Encoding of the text. Defaults to 'utf-8'.
        """
        self.put(obj.encode(encoding), filepath)

    @staticmethod
    def remove_leftovers(folder: str | Path) -> list[str]:
        """Delete temporary files that a killed process left in a folder.

        Args:
            folder (str or Path): The folder; subfolders are not searched. It may be missing.

        Returns:
            list[str]: Names of the deleted files.
        """
        leftovers = sorted(Path(folder).glob(f'.*{TEMPORARY_SUFFIX}'))
        for path in leftovers:
            path.unlink(missing_ok=True)
        return [path.name for path in leftovers]


# a reloaded module registers its own class
register_backend('atomic_local', AtomicLocalBackend, force=True)


def write_json(path: str | Path, content: object, indent: int | None = None) -> None:
    """Write a json file whole or not at all.

    Args:
        path: File to write; its folder is made if missing.
        content: What json can hold.
        indent: As in :func:`json.dumps`.
    """
    AtomicLocalBackend().put_text(json.dumps(content, indent=indent), path)
