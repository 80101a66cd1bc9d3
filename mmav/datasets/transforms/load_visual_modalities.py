"""Loading of a frame's images."""

import zlib
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmav.datasets.stores.prepared_store import PreparedFrame
from mmav.utils.checks import check_choice
from mmav.utils.errors import SampleError
from mmav.utils.readers import read_bytes


def read_image(path: str, backend_args: dict | None = None, flags: int = cv2.IMREAD_UNCHANGED) -> np.ndarray:
    """Decode an image file, by default as it is: (H, W) or (H, W, C), BGR, 8 or 16 bit.

    OpenCV fills the missing part of a truncated file with gray and says nothing, so the end marks of
    jpg and png files are looked for. ``flags`` are of cv2.imdecode; ``cv2.IMREAD_COLOR`` gives (H, W, 3) of 8
    bits, turned as the file asks. SampleError if the file is missing, empty, truncated or no image.
    """
    data = read_bytes(path, backend_args)
    # Cameras may append data of their own after the end mark; a mark further off is another image's.
    tail = data[-65536:]
    if (data[:2] == b'\xff\xd8' and b'\xff\xd9' not in tail) or (
        data[:4] == b'\x89PNG' and b'IEND' not in tail
    ):
        raise SampleError(path, 'truncated image: its end mark is missing')
    if data[:4] == b'\x89PNG':
        _check_png(data, path)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise SampleError(path, f'not a readable image ({error})') from error
    if image is None:
        raise SampleError(path, 'not a readable image')
    return image


def _check_png(data: bytes, path: str) -> None:
    """Compare the chunks of a PNG with their checksums, which OpenCV leaves out; it shows what it can."""
    place, name = 8, b''
    while name != b'IEND':
        length, name = int.from_bytes(data[place : place + 4], 'big'), data[place + 4 : place + 8]
        end = place + 8 + length
        if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], 'big') or len(name) < 4:
            raise SampleError(path, f'damaged image: {name!r} in it differs from its checksum; get it again')
        place = end + 4


@TRANSFORMS.register_module()
class LoadVisualModalities(BaseTransform):
    """Load a frame's images and crop them to the part that the boxes refer to.

    Required keys: ``modality_paths`` (dict: modality to file) or ``prepared``; ``ori_shape`` (H, W) of the
    cropped image, which every image must have; ``crop`` unless given here.

    Added keys: one per modality: 'thermal' (H, W, 1), every other (H, W, 3) in BGR; uint8;
    ``visual_modalities`` (their names) and ``crop``.

    16-bit thermal images are clipped to ``thermal_range`` and scaled to 0..255 (MM-DistillNet's released
    range); 8-bit ones are taken as they are.

    Args:
        modalities: What to load. Defaults to ('rgb', 'thermal', 'depth').
        crop: (x1, y1, x2, y2) in the file's pixels; 'dataset' takes the data
            set's; None does not crop. Defaults to 'dataset'.
        thermal_range: Raw values that become 0 and 255. Defaults to (21800, 25000).
        backend_args: Of mmengine's file backends.

    Raises:
        SampleError: In use, naming the file: missing, unreadable, truncated, or not of the size that the
            annotations state.
        KeyError: In use, if the data set does not offer a modality.
    """

    def __init__(
        self,
        modalities: Sequence[str] = ('rgb', 'thermal', 'depth'),
        crop: Sequence[int] | str | None = 'dataset',
        thermal_range: tuple[int, int] = (21800, 25000),
        backend_args: dict | None = None,
    ) -> None:
        if isinstance(modalities, str):
            raise TypeError(f'modalities must be a sequence of names, got the string {modalities!r}')
        self.modalities = tuple(modalities)
        if isinstance(crop, str):
            check_choice('LoadVisualModalities', 'crop', crop, ('dataset',))
        self.crop = crop if crop is None or isinstance(crop, str) else tuple(crop)
        self.thermal_range = tuple(thermal_range)
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add the images to ``results``; see the class."""
        prepared = results.get('prepared')
        if prepared is not None:
            return self._from_prepared(results, prepared)
        crop = results.get('crop') if isinstance(self.crop, str) else self.crop
        paths = results['modality_paths']
        for modality in self.modalities:
            if modality not in paths:
                raise KeyError(
                    f'modality {modality!r} is not among those of the data set '
                    f'({", ".join(paths) or "none"}): add it to its `modalities`'
                )
            path = paths[modality]
            image = read_image(path, self.backend_args)
            full_size = image.shape[1::-1]
            if crop is not None:
                x1, y1, x2, y2 = crop
                if x2 > full_size[0] or y2 > full_size[1]:
                    raise SampleError(
                        path, f'{full_size[0]} x {full_size[1]} pixels, too small to crop to {crop}'
                    )
                image = image[y1:y2, x1:x2]
            expected = tuple(results['ori_shape'][:2])
            if image.shape[:2] != expected:
                raise SampleError(
                    path,
                    f'{full_size[0]} x {full_size[1]} pixels, {image.shape[1]} x {image.shape[0]} after the '
                    f'crop, but boxes refer to {expected[1]} x {expected[0]}: correct crop or annotations',
                )
            results[modality] = self._to_bytes(image, modality, path)
        results['visual_modalities'] = self.modalities
        results['img_shape'] = tuple(results['ori_shape'][:2])
        results['crop'] = crop
        return results

    def _to_bytes(self, image: np.ndarray, modality: str, path: str) -> np.ndarray:
        """uint8 with the modality's number of channels."""
        if modality == 'thermal':
            if image.ndim == 3:
                image = cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY)
            if image.dtype == np.uint16:
                low, high = self.thermal_range
                image = cv2.subtract(image, np.array([float(low)]))  # saturates at 0
                image = cv2.convertScaleAbs(image, alpha=255.0 / (high - low))  # saturates at 255
            image = image[..., None]
        elif image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        image = image[..., :3]
        if image.dtype != np.uint8:
            raise SampleError(path, f'{image.dtype} pixels; {modality} images must have 8 bits a channel')
        return image

    def _from_prepared(self, results: dict, prepared: PreparedFrame) -> dict:
        for modality in self.modalities:
            results[modality] = prepared.read(modality)
        results['visual_modalities'] = self.modalities
        results['img_shape'] = tuple(results['ori_shape'][:2])
        # The images are resized already; ResizeModalities checks that it would do the same.
        results['prepared_resize'] = prepared.resize
        return results
