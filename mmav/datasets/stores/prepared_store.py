"""Reading of a prepared store: decoded, resized samples in large memory-mapped files.

It is a store of ``shard_store.py`` that holds::

    shard_00000/audio.npy        (frames, C, L) int16 or float32, or (frames, C, M, T) float16 decibel
    shard_00000/rgb.npy          (frames, H, W, 3) uint8, cropped and resized; one file a modality

``tools/dataset_converters/prepare_mavd.py`` writes it; the pipeline
that reads plain files reads it too (``MAVDDataset(prepared=...)``), and gives the same values.
"""

import numpy as np

from mmav.media.array_files import read_row

from .shard_store import ShardStore


class PreparedStore(ShardStore):
    """A finished store of prepared frames, named ``<drive>/<id>``. See :class:`ShardStore`."""

    KIND = 'prepared store'
    TOOL = 'tools/dataset_converters/prepare_mavd.py'

    @property
    def crop(self) -> tuple[int, ...] | None:
        """Crop (x1, y1, x2, y2) of the images; None if they were not cropped."""
        crop = self.settings['crop']
        return None if crop is None else tuple(crop)

    def frame(self, row: tuple[int, int]) -> 'PreparedFrame':
        """Handle to the arrays of a frame, by what :meth:`row` gave."""
        return PreparedFrame(self, *row)


class PreparedFrame:
    """One frame of a prepared store, a row of a shard, as loading transforms see it."""

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
        """Settings of the ResizeModalities that made the images."""
        return self._store.settings['resize']

    @property
    def sample_rate(self) -> int | None:
        """Of the sound, in hertz."""
        return self._store.settings['sample_rate']

    @property
    def log_mel(self) -> dict | None:
        """Settings of the LogMelSpectrogram that made the spectrograms; None where unknown or waveforms."""
        return self._store.settings['log_mel']

    @property
    def acoustic_image(self) -> dict | None:
        """Settings of the AcousticImage that made the acoustic images; None for other sound."""
        return self._store.settings.get('acoustic_image')

    def read(self, name: str) -> np.ndarray:
        """Copy of the frame's 'audio' or of a modality; KeyError if the store does not hold it."""
        return read_row(self._store.array(self._shard, name), self._row)
