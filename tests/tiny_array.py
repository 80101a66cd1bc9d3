"""Sounds of an array whose sources and boxes are known, made by pyroomacoustics."""

import json
from pathlib import Path

import numpy as np
import pyroomacoustics as pra
import soundfile
from rigs import make_rig
from tiny_mavd import CROP, FULL_SIZE, TinyMAVD

from mmav.calibration import PlacePrior
from mmav.datasets.labeled_sound import LabeledSound
from mmav.structures import Rig

RATE = 44100
EXACT = PlacePrior(depth=0.0)
"""Boxes whose bottom center stands below the source."""


def tiny_rig(**fields) -> Rig:
    """The octagon above the images of :class:`TinyMAVD`."""
    camera = dict(camera_matrix=((100, 0, 96), (0, 100, 20), (0, 0, 1)), image_size=FULL_SIZE, crop=CROP)
    return make_rig(**{**camera, **fields})


def source_places(number: int, spread: float = 28.0, seed: int = 0) -> np.ndarray:
    """(N, 3) metres, 6 to 12 m away, azimuths within ``spread`` degrees."""
    rng = np.random.default_rng(seed)
    azimuth = np.radians(rng.permutation(np.linspace(-spread, spread, number)))
    distance = rng.uniform(6, 12, number)
    return np.stack((distance * np.sin(azimuth), distance * np.cos(azimuth), np.full(number, 0.5)), axis=1)


def box_of(rig: Rig, place: np.ndarray, depth: float = 0.0) -> np.ndarray:
    """(4,) box of 16 x 10 pixels whose bottom center is on the ground, ``depth`` metres before the place."""
    away = place[:2] - rig.camera_position[:2]
    ground = place[:2] - depth * away / np.linalg.norm(away)
    column, row = rig.project([[*ground, 0.0]])[0][0]
    return np.array([column - 8, row - 10, column + 8, row])


def record(rig: Rig, place: np.ndarray, seconds: float = 0.6, seed: int = 0) -> np.ndarray:
    """White noise of a source over a floor of reflection 0.7, in 20 dB of noise: (M, L) float32."""
    walls = dict.fromkeys(('east', 'west', 'north', 'south', 'ceiling'), pra.Material(1.0))
    materials = dict(walls, floor=pra.Material(1 - 0.7**2))
    room = pra.ShoeBox([80, 80, 30], fs=RATE, materials=materials, max_order=1)
    rng = np.random.default_rng(seed)
    samples = round(seconds * RATE)
    offset = np.array([40.0, 30.0, 0.0])
    room.add_source(offset + place, signal=rng.standard_normal(samples + 8000))
    room.add_microphone_array(offset[:, None] + rig.microphone_positions.T)
    room.simulate()
    sound = room.mic_array.signals[:, 8000 : 8000 + samples]
    sound = 0.1 * sound / sound.std()
    return (sound + 0.01 * rng.standard_normal(sound.shape)).clip(-1, 1).astype(np.float32)


def labeled(rig: Rig, places: np.ndarray, seed: int = 0) -> list[LabeledSound]:
    """A frame a place, four a drive."""
    return [
        LabeledSound(
            f'drive_{k // 4}', str(k), record(rig, place, seed=seed + k), RATE, box_of(rig, place)[None], ''
        )
        for k, place in enumerate(places)
    ]


def write_array_data(root: Path, rig: Rig, number: int) -> Path:
    """A data set in the published layout; boxes stand where the default :class:`PlacePrior` expects them."""
    data = TinyMAVD(root, modalities=('rgb',))
    for k, place in enumerate(source_places(number)):
        x1, y1, x2, y2 = box_of(rig, place, PlacePrior().depth)
        frame_id = data.add_frame(f'drive_{k // 2}', boxes=[(x1, y1, x2 - x1, y2 - y1)])
        for channel, sound in enumerate(record(rig, place, 1.0, seed=k)):
            soundfile.write(root / f'drive_{k // 2}/audio/audio_{channel}_{frame_id}.wav', sound, RATE)
    (root / 'rig.json').write_text(json.dumps(rig.to_dict()))
    return data.finish('train')
