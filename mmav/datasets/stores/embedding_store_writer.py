"""Writing of stored embeddings of teachers (the store: ``embedding_store.py``).

Batches never reach from one shard into the next, so a clip meets the same neighbors, and gets the same
embedding to the last bit, whoever writes its shard and however often the run was stopped.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.model import BaseDataPreprocessor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from mmav.models.localizers import AVCTeachers
from mmav.utils.errors import SampleError

from .embedding_store import EmbeddingStore
from .shard_store import STORE_VERSION
from .shard_writer import record_settings, shard_folder, unfinished_shards, write_index, write_shard

DTYPES = ('float32', 'float16')


class EmbeddingWriter:
    """Embeds the clips of a data set and writes them in shards.

    Several processes may write one store, whose folder they hold together (:func:`folder_lock`): one of them
    calls :meth:`record_settings` and :meth:`unfinished` before, and :meth:`finish` after all have called
    :meth:`write` with a share of the shards.

    Args:
        path: Folder of the store; may hold an unfinished one of the same settings and clips.
        dataset: Clips with the key ``clip``; its pipeline packs what the teachers need.
        teachers: :class:`AVCTeachers` with their weights, on the device where they compute.
        data_preprocessor: Of the model that is to be trained, on the same device.
        settings: What the embeddings depend on besides teachers and clips, as json can hold it: the
            pipeline, the data preprocessor.
        dtype: 'float32' or 'float16', which takes half the space. Defaults to 'float32'.
        shard_size: Clips of a shard. Defaults to 512.
        batch_size: Clips that the teachers see at a time. Defaults to 32.
        num_workers: Processes that read files. Defaults to 2.
        on_error: 'raise', or 'skip' to note clips that cannot be read in the index, where
            ``LoadTeacherEmbeddings`` finds them. Defaults to 'raise'.

    Raises:
        SampleError: If a clip comes twice.
    """

    def __init__(
        self,
        path: str,
        dataset: BaseDataset,
        teachers: AVCTeachers,
        data_preprocessor: BaseDataPreprocessor,
        settings: Mapping,
        dtype: str = 'float32',
        shard_size: int = 512,
        batch_size: int = 32,
        num_workers: int = 2,
        on_error: str = 'raise',
    ) -> None:
        if dtype not in DTYPES or on_error not in ('raise', 'skip') or min(shard_size, batch_size) < 1:
            raise ValueError(
                f'bad dtype {dtype!r}, on_error {on_error!r}, shard_size {shard_size} or batch_size '
                f'{batch_size}'
            )
        self.path = Path(path)
        self.dataset = dataset
        self.teachers = teachers
        self.data_preprocessor = data_preprocessor
        self.dtype = np.dtype(dtype)
        self.shard_size = shard_size
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.on_error = on_error
        self.names = [dataset.get_data_info(index)['clip'] for index in range(len(dataset))]
        if len(set(self.names)) != len(self.names):
            raise SampleError(str(path), 'a clip comes twice')
        self.num_shards = -(-len(self.names) // shard_size)
        # A store is only ever continued with the same.
        self.settings = dict(
            settings,
            version=STORE_VERSION,
            kind=EmbeddingStore.KIND,
            teachers=teachers.identity(),
            dtype=dtype,
            shard_size=shard_size,
            clips=hashlib.sha256('\n'.join(self.names).encode()).hexdigest(),
        )

    def record_settings(self) -> None:
        """Note the settings in the folder, or see that the ones in place are the same.

        Raises:
            FileExistsError: If the folder holds something else, or a store of other settings or clips.
        """
        record_settings(self.path, self.settings, EmbeddingStore.KIND)

    def unfinished(self) -> list[int]:
        """Numbers of the shards that are still to be written."""
        return unfinished_shards(self.path, self.num_shards)

    def rows(self, number: int) -> range:
        """Positions of a shard's clips in the data set."""
        return range(number * self.shard_size, min((number + 1) * self.shard_size, len(self.names)))

    def write(self, numbers: Sequence[int], progress: tqdm) -> None:
        """Embed and write shards of some numbers.

        Raises:
            SampleError: If a clip cannot be read and ``on_error`` is 'raise'.
            ValueError: If an embedding is not finite.
        """
        samples = self._embed(numbers, progress)
        for number in numbers:
            names = [self.names[row] for row in self.rows(number)]
            write_shard(shard_folder(self.path, number), names, islice(samples, len(names)), self.on_error)

    def finish(self) -> EmbeddingStore:
        """Write the index; RuntimeError if shards are missing."""
        missing = self.unfinished()
        if missing:
            raise RuntimeError(
                f'{self.path} lacks {len(missing)} of {self.num_shards} shards: all processes must write '
                'into one folder. Start again to write the rest'
            )
        write_index(self.path, self.settings, self.num_shards)
        return EmbeddingStore(str(self.path))

    def _embed(self, numbers: Sequence[int], progress: tqdm) -> Iterator[dict[str, np.ndarray] | SampleError]:
        """Embeddings of the clips of shards, or why there are none."""
        batches = [
            list(rows[start : start + self.batch_size])
            for rows in map(self.rows, numbers)
            for start in range(0, len(rows), self.batch_size)
        ]
        loader = DataLoader(
            _Readable(self.dataset), batch_sampler=batches, num_workers=self.num_workers, collate_fn=list
        )
        for rows, batch in zip(batches, loader):
            progress.update(len(batch))
            found = iter(self._embed_batch([sample for sample in batch if isinstance(sample, dict)]))
            for row, sample in zip(rows, batch):
                if not isinstance(sample, dict):
                    yield sample
                    continue
                embeds = next(found)
                for name, values in embeds.items():
                    if not np.isfinite(values).all():
                        raise ValueError(
                            f'the {name} teacher gives values for clip {self.names[row]} that are not finite '
                            f'as {values.dtype}: take dtype float32, or check its checkpoint'
                        )
                yield embeds

    def _embed_batch(self, samples: Sequence[dict]) -> list[dict[str, np.ndarray]]:
        if not samples:
            return []
        embeds = self.teachers(self.data_preprocessor(pseudo_collate(samples))['inputs'])
        with np.errstate(over='ignore'):  # looked for afterwards
            arrays = {
                name.removeprefix('teacher_'): values.float().cpu().numpy().astype(self.dtype)
                for name, values in embeds.items()
            }
        return [dict(zip(arrays, rows)) for rows in zip(*arrays.values())]


class _Readable(Dataset):
    """A data set that gives errors instead of raising them: out of a worker they come as another type."""

    def __init__(self, dataset: BaseDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict | SampleError:
        try:
            return self.dataset[index]
        except SampleError as error:
            return type(error)(error.source, error.reason)
