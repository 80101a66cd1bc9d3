"""Flickr-SoundNet: clips to train on, and those of which several people marked what sounds.

Shapes: n boxes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.registry import DATASETS

from mmav.utils.errors import SampleError
from mmav.utils.readers import read_xml

from .clip_pairs import ClipPairDataset

ANNOTATION_SIZE = 256  # pixels: the annotators saw every image stretched to this width and height


@DATASETS.register_module()
class FlickrSoundNetDataset(ClipPairDataset):
    """Clips of Flickr-SoundNet: ``frames/<stem>.jpg``, ``audio/<stem>.wav`` and ``Annotations/<stem>.xml``.

    In an xml file the root's children hold elements ``bbox``, one child for each annotator; of a ``bbox`` the
    first child is skipped, the other four are x1, y1, x2, y2 in pixels of an image of 256 x 256.
    ``annotator`` tells which child of the root a box belongs to, and ``gt_map`` becomes the annotators'
    consensus.

    Args:
        annotated: Whether the clips have boxes; False for training lists (``flickr_10k.txt``).
            Defaults to True.
        data_prefix (dict, optional): Also ``ann``, the folder of xml files. Defaults to Annotations.
        **kwargs: Of :class:`ClipPairDataset`.

    Raises:
        SampleError: Naming the file or clip, and what is wrong with it.
    """

    folders = dict(ClipPairDataset.folders, ann='Annotations')

    def __init__(self, annotated: bool = True, **kwargs: Any) -> None:
        if kwargs.get('ann_file'):
            raise ValueError("there is an xml file for each clip: give their folder in data_prefix['ann']")
        self.annotated = annotated
        super().__init__(**kwargs)

    def read_annotations(self, stems: Sequence[str] | None) -> dict[str, dict]:
        """Boxes and annotators of every clip that belongs to the set; nothing of training lists."""
        if not self.annotated:
            return {}
        files = self._list(self.data_prefix['ann'], ('.xml',))
        # The published folder holds thousands of files, the test list names 250.
        wanted = sorted(files) if stems is None else [stem for stem in stems if stem in files]
        return {stem: self._parse(files[stem]) for stem in wanted}

    def _parse(self, path: str) -> dict:
        root = read_xml(path, self.backend_args)
        number = len(list(root.iter('bbox')))
        if not number:
            raise SampleError(path, 'holds no bbox: it is damaged, or no annotation of Flickr-SoundNet')
        if number != len(root.findall('*/bbox')):
            raise SampleError(
                path, "holds a bbox that is not within an annotator's element, a child of the root"
            )
        boxes: list[np.ndarray] = []
        annotators = []
        for annotator, child in enumerate(root):
            for box in child.findall('bbox'):
                texts = [corner.text for corner in list(box)[1:]]
                try:
                    corners: np.ndarray | list = (
                        np.array([float(text or '') for text in texts]) / ANNOTATION_SIZE
                    )
                except ValueError:
                    corners = texts
                sound = self._sound_boxes([corners], path)
                boxes.extend(sound)
                annotators.extend([annotator] * len(sound))
        return dict(gt_boxes=np.array(boxes).reshape(-1, 4), annotator=np.array(annotators, np.int64))
