"""Reading of stored embeddings of teachers: what they say of each clip, computed once.

It is a store of ``shard_store.py`` that holds, of the teachers that there were::

    shard_00000/audio.npy        (clips, C) float32 or float16
    shard_00000/visual.npy       (clips, C, h, w) of the whole image, without augmentation

``tools/extract_teacher_embeddings.py`` writes it, ``LoadTeacherEmbeddings`` reads it.

Shapes: C length of an embedding; h, w size of a feature map.
"""

import numpy as np

from mmav.media.array_files import read_row

from .shard_store import ShardStore


class EmbeddingStore(ShardStore):
    """A finished store of embeddings; a clip's name is its file stem. See :class:`ShardStore`."""

    KIND = 'store of teacher embeddings'
    TOOL = 'tools/extract_teacher_embeddings.py'

    def read(self, clip: str, name: str) -> np.ndarray:
        """The embedding of a clip (file stem) by the teacher 'audio' or 'visual', (C,) or (C, h, w), float32.

        Raises:
            SampleError: If the clip is not there, or could not be read when the store was made.
            KeyError: If there was no such teacher.
        """
        shard, row = self.row(clip)
        return read_row(self.array(shard, name), row).astype(np.float32, copy=False)
