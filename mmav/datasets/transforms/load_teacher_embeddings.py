"""Loading of what teachers say of a clip, seen through the same crop and mirror as the image.

Shapes: C length of an embedding; h, w size of a feature map; H, W size of an image.
"""

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from torch.nn.functional import grid_sample

from ..stores.embedding_store import EmbeddingStore

NAMES = ('audio', 'visual')


def sample_map(
    values: np.ndarray,
    homography: np.ndarray,
    ori_shape: tuple[int, int],
    img_shape: tuple[int, int],
) -> np.ndarray:
    """Look at a map (C, h, w) float32 of the whole image (H, W) through a crop of it.

    The augmented image is cut into h x w cells; each takes the value at its center, bilinearly between the
    centers of the map's cells. Nothing lies beyond the outermost centers: there the nearest value counts. The
    values themselves come back if the image was only resized. The homography (3, 3) leads from pixels of the
    whole image to those of the augmented one, counted from the image's corner.
    """
    # from -1..1 of the augmented image to -1..1 of the whole one, as grid_sample counts
    matrix = np.linalg.inv(np.asarray(homography, np.float64))
    matrix = _to_unit(ori_shape) @ matrix @ np.linalg.inv(_to_unit(img_shape))
    if np.allclose(matrix / matrix[2, 2], np.eye(3), rtol=0, atol=1e-5):
        return values
    height, width = values.shape[1:]
    x, y = (2 * (np.arange(size) + 0.5) / size - 1 for size in (width, height))
    cells = np.stack([*np.broadcast_arrays(x[None, :], y[:, None]), np.ones((height, width))], axis=-1)
    places = cells @ matrix.T
    grid = torch.from_numpy((places[..., :2] / places[..., 2:]).astype(np.float32))
    sampled = grid_sample(
        torch.from_numpy(values)[None],
        grid[None],
        mode='bilinear',
        padding_mode='border',
        align_corners=False,
    )
    return sampled[0].numpy()


def _to_unit(shape: tuple[int, int]) -> np.ndarray:
    """(3, 3) from pixels of an image to -1..1."""
    height, width = shape[:2]
    return np.array([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]])


@TRANSFORMS.register_module()
class LoadTeacherEmbeddings(BaseTransform):
    """Load what ``tools/extract_teacher_embeddings.py`` has stored of a clip.

    To stand behind ``Resize``, ``RandomCrop`` and ``RandomFlip`` of mmdet: these note what they do, and the
    visual teacher's map is seen through the same window, :func:`sample_map`. The teacher saw the whole
    image, so its features know more of the surroundings than those of a teacher on line, which sees the
    crop; without augmentation they are the same.

    Required keys: ``clip``; for 'visual' ``ori_shape``, ``img`` and, unless the image is as it was,
    ``homography_matrix``. Added keys: ``teacher_audio`` (C,) and ``teacher_visual`` (C, h, w), float32.

    Args:
        store: Folder of the store, or its address on a server. It is opened with the first clip.
        names: Which of 'audio' and 'visual' to load. Defaults to both.
        backend_args: Of mmengine's file backends.

    Raises:
        ValueError: If a name is unknown.
        SampleError: In use: if the store is missing, unfinished or damaged, or lacks the clip.
        KeyError: In use: if the store lacks a teacher, or if it is not known what was done to the image.
    """

    def __init__(self, store: str, names: Sequence[str] = NAMES, backend_args: dict | None = None) -> None:
        unknown = [name for name in names if name not in NAMES]
        if unknown or not names:
            raise ValueError(f'LoadTeacherEmbeddings: names are of {NAMES}, got {tuple(names)}')
        self.store = store
        self.names = tuple(names)
        self.backend_args = backend_args
        self._opened: EmbeddingStore | None = None

    def transform(self, results: dict) -> dict:
        """Add the embeddings to ``results``; see the class."""
        if self._opened is None:
            self._opened = EmbeddingStore(self.store, self.backend_args)
        for name in self.names:
            results[f'teacher_{name}'] = self._opened.read(results['clip'], name)
        if 'visual' in self.names:
            results['teacher_visual'] = self._align(results['teacher_visual'], results)
        return results

    def _align(self, values: np.ndarray, results: dict) -> np.ndarray:
        ori_shape, img_shape = results['ori_shape'][:2], results['img'].shape[:2]
        homography = results.get('homography_matrix')
        if homography is not None:
            return sample_map(values, homography, ori_shape, img_shape)
        if tuple(ori_shape) != tuple(img_shape):
            raise KeyError(
                f'LoadTeacherEmbeddings: clip {results["clip"]} was {ori_shape} and is {img_shape}, but '
                "'homography_matrix' is missing: resize, crop and mirror with mmdet's transforms, before it"
            )
        return values
