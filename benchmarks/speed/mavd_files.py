"""A small data set in MAVD's published layout, to time loaders on.

Its images are textures with the detail of a camera's, so that their files have a camera's size and cost a
camera's time to decode; its sound is noise.
"""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import soundfile

from .log_mel import librosa_log_mel

SAMPLE_RATE = 44100
IMAGE_SIZE = (1920, 650)
CROP = (200, 0, 1720, 650)
DRIVE = 'drive_0'
THERMAL_RANGE = (21800, 25000)


def write_mavd(root: Path, num_frames: int, thermal_bits: int = 8, seed: int = 0) -> list[str]:
    """Write frames with RGB, thermal, depth, sound as wav, and the published spectrogram caches.

    Args:
        root: Folder of the data set.
        num_frames: Frames, all of one drive.
        thermal_bits: 8: thermal images are jpg files; 16: png files of raw values.
        seed: Of the images and the sound.

    Returns:
        The frames' ids.
    """
    rng = np.random.default_rng(seed)
    drive = root / DRIVE
    for folder in ('fl_rgb', 'fl_ir_aligned', 'fl_rgb_depth', 'audio'):
        (drive / folder).mkdir(parents=True, exist_ok=True)
    ids = [f'{1_500_000_000 + number}_{number:09d}_0' for number in range(num_frames)]
    for frame_id in ids:
        _write_images(drive, frame_id, thermal_bits, rng)
        _write_sound(drive / 'audio', frame_id, rng)
    _write_annotations(root, ids)
    return ids


def _texture(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Noise of every scale, the coarse the stronger as in natural images, and a sensor's."""
    width, height = IMAGE_SIZE
    image = np.full((height, width, channels), 110, np.float32)
    for cells in (4, 8, 16, 32, 64, 128, 256):
        coarse = rng.standard_normal((cells * height // width + 2, cells, channels)).astype(np.float32)
        image += 120 / cells**0.6 * cv2.resize(coarse, IMAGE_SIZE).reshape(image.shape)
    image += rng.standard_normal(image.shape).astype(np.float32) * 2
    return image.clip(0, 255).astype(np.uint8)


def _write_images(drive: Path, frame_id: str, thermal_bits: int, rng: np.random.Generator) -> None:
    cv2.imwrite(str(drive / 'fl_rgb' / f'fl_rgb_{frame_id}.jpg'), _texture(rng, 3))
    cv2.imwrite(str(drive / 'fl_rgb_depth' / f'fl_rgb_{frame_id}.jpg'), _texture(rng, 3))
    thermal, suffix = _texture(rng, 1), 'jpg'
    if thermal_bits == 16:
        low, high = THERMAL_RANGE
        thermal, suffix = (low + thermal * ((high - low) / 255)).astype(np.uint16), 'png'
    cv2.imwrite(str(drive / 'fl_ir_aligned' / f'fl_ir_aligned_{frame_id}.{suffix}'), thermal)


def _write_sound(folder: Path, frame_id: str, rng: np.random.Generator) -> None:
    waveform = (rng.standard_normal((8, SAMPLE_RATE)) * 3000).clip(-32768, 32767).astype(np.int16)
    spectrograms = librosa_log_mel(waveform.astype(np.float32) / 32768, SAMPLE_RATE)
    for microphone, (samples, spectrogram) in enumerate(zip(waveform, spectrograms)):
        soundfile.write(folder / f'audio_{microphone}_{frame_id}.wav', samples, SAMPLE_RATE)
        with open(folder / f'audio_{microphone}_{frame_id}.pkl', 'wb') as file:
            pickle.dump(spectrogram, file)


def _write_annotations(root: Path, ids: list[str]) -> None:
    width, height = CROP[2] - CROP[0], CROP[3] - CROP[1]
    images, annotations = [], []
    for number, frame_id in enumerate(ids, 1):
        file_name = f'{DRIVE}/fl_rgb/fl_rgb_{frame_id}.jpg'
        images.append(dict(id=number, file_name=file_name, width=width, height=height))
        for box in ([100, 300, 200, 120], [700, 280, 240, 150]):
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=1,
                    bbox=box,
                    area=box[2] * box[3],
                    iscrowd=0,
                )
            )
    coco = dict(images=images, annotations=annotations, categories=[dict(id=1, name='vehicle')])
    (root / 'annotations').mkdir(exist_ok=True)
    (root / 'annotations' / 'train.json').write_text(json.dumps(coco))
    (root / 'train.txt').write_text(''.join(f'{DRIVE}/{frame_id}\n' for frame_id in ids))
