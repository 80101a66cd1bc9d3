"""Pairs of a smooth random image and a random sound, in the published layout of VGG-Sound."""

from pathlib import Path

import cv2
import numpy as np
import soundfile

RATE = 8000  # hertz


class TinyClips:
    """Writes clips; images and sounds are kept to compare with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images, self.sounds = {}, {}

    def add(self, stem: str, audio_ext: str | None = 'wav', img_ext: str | None = 'jpg', seconds=1.0) -> str:
        """A clip; None leaves out one of its files."""
        rng = np.random.default_rng(len(self.images))
        image = cv2.resize(rng.integers(0, 256, (4, 5, 3), np.uint8), (40, 32))
        sound = (rng.standard_normal(round(seconds * RATE)) * 3000).astype(np.int16)
        if img_ext:
            self.path('frames', stem, img_ext).parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(self.path('frames', stem, img_ext)), image)
        if audio_ext:
            self.path('audio', stem, audio_ext).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(self.path('audio', stem, audio_ext), sound, RATE)
        self.images[stem], self.sounds[stem] = image, sound
        return stem

    def path(self, folder: str, stem: str, extension: str) -> Path:
        """One of a clip's files."""
        return self.root / folder / f'{stem}.{extension}'

    def write(self, name: str, text: str) -> str:
        """A list or annotation file."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)
        return name


def tear(path: Path) -> None:
    """Keep the first two thirds of a file, as a full disk or a broken download does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
