"""VGG-Sound: clips without boxes, to train on."""

from collections.abc import Sequence
from typing import Any

from mmdet.registry import DATASETS

from mmav.utils.errors import SampleError
from mmav.utils.readers import read_rows

from .clip_pairs import ClipPairDataset
from .data_root import below_root


@DATASETS.register_module()
class VGGSoundDataset(ClipPairDataset):
    """Clips of VGG-Sound, or of any folder of images and sounds: ``frames/<stem>.jpg``,
    ``audio/<stem>.wav``.

    Training sets are lists of stems: ``split_file='vggss_10k.txt'``. Stems of VGG-Sound are the YouTube id
    and the start in seconds, ``zpWuikVorYg_000032``.

    Args:
        class_file: Classes of clips, as VGG-Sound publishes them: ``vggsound.csv`` with the
            columns YouTube id, start, label, split; or a csv file with the columns stem, label. Clips that it
            lacks have no category. The classes are all labels in it, sorted, unless ``metainfo`` names them.
        **kwargs: Of :class:`ClipPairDataset`.

    Raises:
        SampleError: Naming the file or clip, and what is wrong with it.
    """

    annotated = False

    def __init__(self, class_file: str | None = None, **kwargs: Any) -> None:
        if kwargs.get('ann_file'):
            raise ValueError('the clips carry no annotations: give split_file, or take VGGSSDataset')
        self.class_file = class_file
        super().__init__(**kwargs)

    def read_annotations(self, stems: Sequence[str] | None) -> dict[str, dict]:
        """Category and, from ``vggsound.csv``, split of the clips in ``class_file``."""
        if self.class_file is None:
            return {}
        path, annotations = below_root(self.data_root, self.class_file), {}
        for number, row in read_rows(path, self.backend_args):
            if len(row) == 2:
                annotations[row[0]] = dict(category=row[1])
            elif len(row) == 4 and row[1].isascii() and row[1].isdigit() and len(row[1]) < 10:
                annotations[f'{row[0]}_{int(row[1]):06d}'] = dict(category=row[2], split=row[3])
            else:
                raise SampleError(f'{path}, line {number}', f'expected id, start, label, split, got {row}')
        labels = sorted({annotation['category'] for annotation in annotations.values()})
        self._metainfo.setdefault('classes', tuple(labels))
        return annotations
