"""VGG-SS: the boxes of what sounds in clips of VGG-Sound."""

from collections.abc import Sequence
from typing import Any

from mmdet.registry import DATASETS

from mmav.utils.errors import SampleError, malformed
from mmav.utils.readers import read_json

from .clip_pairs import ClipPairDataset


@DATASETS.register_module()
class VGGSSDataset(ClipPairDataset):
    """Clips of VGG-Sound with boxes around what sounds, ``frames/<stem>.jpg`` and ``audio/<stem>.wav``.

    ``vggss.json`` is a list of ``{file, class, bbox}``, ``bbox`` a list of [x1, y1, x2, y2] relative to the
    image. The published file holds boxes that stick out of the image, which are clipped, and some without
    area, which are left out with their number in the log; a clip may then have none, and its ``gt_map`` is 0,
    as in the published evaluation. The classes are all that the file names, sorted, unless ``metainfo`` names
    them.

    Args:
        ann_file: The boxes. Defaults to 'vggss.json'.
        **kwargs: Of :class:`ClipPairDataset`; ``split_file`` takes a part of the clips (heard, unheard).

    Raises:
        SampleError: Naming the file or clip, and what is wrong with it.
    """

    def __init__(self, ann_file: str = 'vggss.json', **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, **kwargs)

    def read_annotations(self, stems: Sequence[str] | None) -> dict[str, dict]:
        """Category and boxes of every clip of the file."""
        entries = read_json(self.ann_file, self.backend_args)
        with malformed(self.ann_file, 'not a list of file, class and bbox'):
            rows = [(str(entry['file']), entry['class'], list(entry['bbox'])) for entry in entries]
        for stem, category, _ in rows:
            if not isinstance(category, str):
                raise SampleError(f'{self.ann_file}, {stem}', f'its class must be a name, got {category!r}')
        self._metainfo.setdefault('classes', tuple(sorted({category for _, category, _ in rows})))
        annotations = {}
        for stem, category, boxes in rows:
            if stem in annotations:
                raise SampleError(f'{self.ann_file}, {stem}', 'the clip comes twice')
            gt_boxes = self._sound_boxes(boxes, f'{self.ann_file}, {stem}')
            annotations[stem] = dict(category=category, gt_boxes=gt_boxes, annotator=None)
        return annotations
