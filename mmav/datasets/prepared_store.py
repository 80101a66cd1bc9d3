"""Reading of a prepared store: decoded, resized samples in large memory-mapped files.

A store is a folder::

    index.json                   written last: settings, shards, checksums, frames that could not be read
    shard_00000/audio.npy        (frames, C, L) int16 or float32, or (frames, C, M, T) float16 decibel
    shard_00000/rgb.npy          (frames, H, W, 3) uint8, cropped and resized; one file a modality
    shard_00000/shard.json       the shard's frames and checksums
    shard_00001/...

Rows follow the shard's list of frames. ``tools/dataset_converters/prepare_mavd.py`` writes it; the pipeline
that reads plain files reads it too (``MAVDDataset(prepared=...)``), and gives the same values.
"""

import hashlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
from mmengine.fileio import load

from .errors import SampleError

INDEX_FILE = 'index.json'
STORE_VERSION = 1
_MAX_OPEN_FILES = 256


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, 'rb') as file:
        return (
            hashlib.file_digest(file, 'sha256').hexdigest()
            if hasattr(hashlib, 'file_digest')
            else _digest(file)
        )


def _digest(file) -> str:
    """For Python 3.10, which has no hashlib.file_digest."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


class PreparedStore:
    """A finished store on a local disk.

    Args:
        path (str): Its folder.

    Raises:
        SampleError: If it is missing, unfinished, of another version, or a file of it is missing or
            truncated.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        index_path = self.path / INDEX_FILE
        if not index_path.is_file():
            raise SampleError(
                str(path), 'no finished prepared store: run tools/dataset_converters/prepare_mavd.py'
            )
        index = load(str(index_path))
        if index.get('version') != STORE_VERSION:
            raise SampleError(
                str(path), f'store version {index.get("version")}, expected {STORE_VERSION}: prepare it anew'
            )
        self.settings = index['settings']
        self.failures = index['failures']
        self._shards = [shard['name'] for shard in index['shards']]
        self._files = {}
        self._rows = {}
        for number, shard in enumerate(index['shards']):
            for name, entry in shard['files'].items():
                file = self.path / shard['name'] / name
                if not file.is_file() or file.stat().st_size != entry['bytes']:
                    raise SampleError(
                        str(file), f'missing or not of {entry["bytes"]} bytes: the store is damaged'
                    )
                self._files[file] = entry['sha256']
            for row, frame in enumerate(shard['frames']):
                self._rows[frame] = (number, row)
        self._open_files = OrderedDict()

    def __getstate__(self) -> dict:
        return dict(self.__dict__, _open_files=OrderedDict())  # each worker maps the files itself

    def __len__(self) -> int:
        return len(self._rows) - len(self.failures)

    @property
    def crop(self) -> tuple[int, ...] | None:
        """Crop (x1, y1, x2, y2) of the pictures; None if they were not cropped."""
        crop = self.settings['crop']
        return None if crop is None else tuple(crop)

    def verify(self) -> None:
        """Compare every file with its checksum.

        Raises:
            SampleError: Naming the first file that differs.
        """
        for file, checksum in self._files.items():
            if file_checksum(file) != checksum:
                raise SampleError(str(file), 'its checksum differs from the index: the store is damaged')

    def row(self, frame: str) -> tuple[int, int]:
        """Shard and row of the frame ``<drive>/<id>``.

        Raises:
            SampleError: If the store does not hold it, or it could not be read when the store was made.
        """
        if frame in self.failures:
            raise SampleError(
                frame, f'could not be read when {self.path} was prepared: {self.failures[frame]}'
            )
        if frame not in self._rows:
            raise SampleError(frame, f'not in the prepared store {self.path}: prepare a store with its split')
        return self._rows[frame]

    def frame(self, row: tuple[int, int]) -> 'PreparedFrame':
        """Handle to the arrays of a frame, by what :meth:`row` gave."""
        return PreparedFrame(self, *row)

    def array(self, shard: int, name: str) -> np.ndarray:
        """Memory-mapped array of a shard: 'audio' or a modality.

        Raises:
            KeyError: If the store does not hold it.
        """
        key = (shard, name)
        if key in self._open_files:
            self._open_files.move_to_end(key)
            return self._open_files[key]
        file = self.path / self._shards[shard] / f'{name}.npy'
        if file not in self._files:
            held = sorted({path.stem for path in self._files})
            raise KeyError(f'the prepared store {self.path} holds no {name!r}, only {", ".join(held)}')
        array = self._open_files[key] = np.load(file, mmap_mode='r')
        if len(self._open_files) > _MAX_OPEN_FILES:  # a process may hold about a thousand
            self._open_files.popitem(last=False)
        return array


class PreparedFrame:
    """One frame of a prepared store, as loading transforms see it.

    Args:
        store (PreparedStore): The store.
        shard (int): Number of the shard.
        row (int): Row in it.
    """

    def __init__(self, store: PreparedStore, shard: int, row: int) -> None:
        self._store = store
        self._shard = shard
        self._row = row

    def __deepcopy__(self, memo: dict) -> 'PreparedFrame':
        return self  # immutable; a copy of the store would be one per sample

    @property
    def source(self) -> str:
        """Where the frame lies, for messages."""
        return f'{self._store.path}, shard {self._shard}, row {self._row}'

    @property
    def resize(self) -> dict:
        """Settings of the ResizeModalities that made the pictures."""
        return self._store.settings['resize']

    @property
    def sample_rate(self) -> int | None:
        """Of the sound, in hertz."""
        return self._store.settings['sample_rate']

    @property
    def log_mel(self) -> dict | None:
        """Settings of the LogMelSpectrogram that made the spectrograms; None where unknown or waveforms."""
        return self._store.settings['log_mel']

    def read(self, name: str) -> np.ndarray:
        """Copy of the frame's 'audio' or of a modality.

        Raises:
            KeyError: If the store does not hold it.
        """
        return np.array(self._store.array(self._shard, name)[self._row])
