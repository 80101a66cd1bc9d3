"""The usual way to load MAVD, written out as the reference: everything is made ready on the CPU, in float.

Full-size images are normalized (in double precision: that is what numpy makes of float32 images and
statistics given as Python numbers), then letterboxed; each microphone's decibel spectrogram comes from its
pickle, is scaled to 0..1 and resized (cubic) to the network's input. What leaves the loader is float32.
"""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .mavd_files import CROP, DRIVE, THERMAL_RANGE

MEAN = dict(rgb=[0.485, 0.456, 0.406], thermal=[0.45], depth=[0.485, 0.456, 0.406])
STD = dict(rgb=[0.229, 0.224, 0.225], thermal=[0.225], depth=[0.229, 0.224, 0.225])


class PublishedLoader(Dataset):
    """Samples of a data set in the published layout, ready for a network.

    Args:
        root: Folder of the data set.
        size: Side of the network's square input in pixels.
    """

    def __init__(self, root: Path, size: int = 768) -> None:
        self.drive = Path(root) / DRIVE
        self.size = size
        coco = json.loads((Path(root) / 'annotations' / 'train.json').read_text())
        self.ids = [Path(image['file_name']).stem.removeprefix('fl_rgb_') for image in coco['images']]
        self.boxes = [
            [ann['bbox'] for ann in coco['annotations'] if ann['image_id'] == image['id']]
            for image in coco['images']
        ]
        thermal = next((self.drive / 'fl_ir_aligned').iterdir())
        self.files = dict(
            rgb='fl_rgb/fl_rgb_{}.jpg',
            thermal='fl_ir_aligned/fl_ir_aligned_{}' + thermal.suffix,
            depth='fl_rgb_depth/fl_rgb_{}.jpg',
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Sound (8, size, size), images (channels, size, size) and boxes (n, 4), all float32."""
        frame_id = self.ids[index]
        sample = {name: self._image(name, frame_id) for name in self.files}
        sample['audio'] = self._sound(frame_id)
        boxes = torch.tensor(self.boxes[index], dtype=torch.float32).reshape(-1, 4)
        sample['boxes'] = boxes * (self.size / (CROP[2] - CROP[0]))
        return sample

    def _image(self, name: str, frame_id: str) -> Tensor:
        path = str(self.drive / self.files[name].format(frame_id))
        if name == 'thermal':
            image = cv2.imread(path, cv2.IMREAD_UNCHANGED)
            if image.dtype == np.uint16:
                low, high = THERMAL_RANGE
                image = (image.clip(low, high) - low) / (high - low) * 255
            image = image[..., None]
        else:
            image = cv2.imread(path)[..., ::-1]
        image = image[CROP[1] : CROP[3], CROP[0] : CROP[2]].astype(np.float32) / 255
        image = (image - np.array(MEAN[name])) / np.array(STD[name])
        height, width = image.shape[:2]
        ratio = self.size / max(height, width)
        content = (round(width * ratio), round(height * ratio))
        resized = cv2.resize(image, content, interpolation=cv2.INTER_LINEAR)
        canvas = np.zeros((self.size, self.size, image.shape[2]))
        canvas[: content[1], : content[0]] = resized.reshape(content[1], content[0], -1)
        return torch.from_numpy(canvas).to(torch.float32).permute(2, 0, 1)

    def _sound(self, frame_id: str) -> Tensor:
        channels = []
        for microphone in range(8):
            with open(self.drive / 'audio' / f'audio_{microphone}_{frame_id}.pkl', 'rb') as file:
                # Files that this benchmark has written itself; others need the restricted unpickler.
                channels.append(pickle.load(file))
        scaled = (np.stack(channels, axis=-1) + 80) / 80
        resized = cv2.resize(scaled, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
        return torch.from_numpy(resized).to(torch.float32).permute(2, 0, 1)
