"""A tiny data set in the published layout, made of random images and sounds."""

import json
from pathlib import Path

import cv2
import numpy as np
import soundfile

from mmav.datasets.mavd_layout import MODALITY_FILES

SAMPLE_RATE = 44100
FULL_SIZE = (192, 65)  # width, height in pixels: a tenth of the published ones
CROP = (20, 0, 172, 65)
SIZE = (152, 65)


class TinyMAVD:
    """Writes frames; boxes, sounds and images are kept to compare with.

    Images are smooth, so that jpg keeps them nearly.
    """

    def __init__(self, root: Path, audio_ext: str = 'wav', modalities=('rgb', 'thermal', 'depth')) -> None:
        self.root = root
        self.audio_ext = audio_ext
        self.modalities = modalities
        self.rng = np.random.default_rng(0)
        self.frames, self.sounds, self.images, self.annotations = [], [], [], []

    def add_frame(self, drive='drive_0', boxes=((30.0, 20.0, 40.0, 30.0),), **conditions) -> str:
        number = len(self.frames)
        frame_id = f'{1588000000 + number}_{(number * 37 + 5) * 1000:09d}_{number:04d}'
        self.frames.append((drive, frame_id))
        for name in self.modalities:
            folder, stem = MODALITY_FILES[name]
            extension = 'png' if name == 'thermal' else 'jpg'
            self.write_image(self.root / drive / folder / f'{stem.format(frame_id)}.{extension}', name)
        self.write_sound(drive, frame_id)
        file_name = f'{drive}/fl_rgb/fl_rgb_{frame_id}.jpg'
        image = dict(id=number + 1, file_name=file_name, width=SIZE[0], height=SIZE[1], **conditions)
        self.images.append(image)
        for box in boxes:
            self.annotations.append(
                dict(
                    id=len(self.annotations) + 1,
                    image_id=number + 1,
                    category_id=1,
                    bbox=list(box),
                    area=float(box[2] * box[3]),
                    iscrowd=0,
                    track_id=7,
                )
            )
        return frame_id

    def write_image(self, path: Path, modality: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        small = self.rng.random((5, 12, 3))
        image = cv2.resize(small, FULL_SIZE, interpolation=cv2.INTER_CUBIC).clip(0, 1)
        if modality == 'thermal':
            cv2.imwrite(str(path), (21000 + image[..., 0] * 5000).astype(np.uint16))
        else:
            cv2.imwrite(str(path), (image * 255).astype(np.uint8))

    def write_sound(self, drive: str, frame_id: str, samples: int = SAMPLE_RATE) -> None:
        folder = self.root / drive / 'audio'
        folder.mkdir(parents=True, exist_ok=True)
        sound = (self.rng.standard_normal((8, samples)) * 3000).astype(np.int16)
        self.sounds.append(sound)
        for k in range(8):
            path = folder / f'audio_{k}_{frame_id}.{self.audio_ext}'
            if self.audio_ext == 'npy':
                np.save(path, sound[k])
            else:
                soundfile.write(path, sound[k], SAMPLE_RATE)

    def finish(self, split='train') -> Path:
        """Write annotations and the split list; returns the root."""
        (self.root / 'annotations').mkdir(exist_ok=True)
        content = dict(
            images=self.images, annotations=self.annotations, categories=[dict(id=1, name='vehicle')]
        )
        (self.root / 'annotations' / f'{split}.json').write_text(json.dumps(content))
        self.write_list(split, self.frames)
        return self.root

    def write_list(self, name: str, frames) -> None:
        (self.root / f'{name}.txt').write_text(''.join(f'{d}/{i}\n' for d, i in frames))
