"""Data sets of the study: simulated drives, and copies of them with another rig or changed sound.

Shapes: M microphones, L samples.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from mmengine.fileio import load

from mmav.simulation.drives.array_mismatch import perturb_rig
from mmav.simulation.drives.geometry import SAMPLE_RATE
from mmav.structures import Rig
from mmav.structures.rig import RIG_FILE
from mmav.utils.fileio import write_json


def change_data_set(
    source: Path,
    out: Path,
    seed: int,
    displaced: float | None = None,
    channels: Sequence[int] | None = None,
    sound: str | None = None,
) -> None:
    """Make a changed copy of a data set.

    Args:
        source: Its root.
        out: Root of the copy.
        seed: Of what is drawn at random.
        displaced: Standard deviation in metres of each coordinate of the microphones' positions in
            ``rig.json`` from where they are.
        channels: Microphones that are left.
        sound: 'shifted': see :func:`shift_channels`; 'one_dead': see :func:`silence_one`.
    """
    rig = None
    if displaced is not None:
        rig = perturb_rig(Rig.from_file(source / RIG_FILE), position_std=displaced, seed=seed)
    changes = {None: None, 'shifted': shift_channels, 'one_dead': silence_one}
    copy_with_changes(source, out, rig, channels, changes[sound])


def copy_with_changes(
    source: Path,
    out: Path,
    rig: Rig | None = None,
    channels: Sequence[int] | None = None,
    change_sound: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> None:
    """Copy a simulated data set (a file for each microphone and frame) with another rig or changed sound.

    Files that stay as they are become symbolic links. ``out`` is there when all of it is.

    Args:
        source: Root of the data set.
        out: Root of the copy.
        rig: Written as ``rig.json``; None: the source's, of the microphones that are left.
        channels: Microphones that are left, in their new order. None: all.
        change_sound: Takes the int16 samples (M, L) of the microphones that are left and the image's id, and
            gives those to write.
    """
    part = out.with_name(f'{out.name}.part')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    old = Rig.from_file(source / RIG_FILE)
    channels = list(range(len(old.microphone_positions)) if channels is None else channels)
    for path in source.iterdir():
        if path.is_dir() and (path / 'audio').is_dir():
            (part / path.name).mkdir()
            for below in path.iterdir():
                if below.name != 'audio':
                    (part / path.name / below.name).symlink_to(os.path.abspath(below))
        elif path.name != RIG_FILE:
            (part / path.name).symlink_to(os.path.abspath(path))
    write_json(part / RIG_FILE, (rig or keep_microphones(old, channels)).to_dict(), indent=1)
    for split in ('train', 'val', 'test'):
        for image in load(source / 'annotations' / f'{split}.json')['images']:
            folder, name = Path(image['drive']) / 'audio', f'{image["frame_id"]}.wav'
            (part / folder).mkdir(exist_ok=True)
            files = [os.path.abspath(source / folder / f'audio_{channel}_{name}') for channel in channels]
            targets = [part / folder / f'audio_{row}_{name}' for row in range(len(files))]
            if change_sound is None:
                for file, target in zip(files, targets):
                    target.symlink_to(file)
                continue
            samples = np.stack([soundfile.read(file, dtype='int16')[0] for file in files])
            for row, target in zip(change_sound(samples, image['id']), targets):
                soundfile.write(target, row, SAMPLE_RATE, 'PCM_16')
    part.rename(out)


def keep_microphones(rig: Rig, channels: Sequence[int]) -> Rig:
    """The rig with some of its microphones, in the given order."""
    values = rig.to_dict()
    for name in ('positions', 'axes', 'gains', 'delays'):
        of_all = values.get(f'microphone_{name}')
        if of_all is not None:
            values[f'microphone_{name}'] = [of_all[channel] for channel in channels]
    return Rig.from_dict(values)


def shift_channels(samples: np.ndarray, image_id: int, greatest: float = 0.05) -> np.ndarray:
    """Shift each microphone's sound by a time of its own, circularly: no phase relation is left.

    Args:
        samples: (M, L)
        image_id: Determines the times.
        greatest: Of the times, in seconds.
    """
    random = np.random.default_rng((12, image_id))
    times = random.integers(0, round(greatest * SAMPLE_RATE), len(samples))
    return np.stack([np.roll(row, time) for row, time in zip(samples, times)])


def silence_one(samples: np.ndarray, image_id: int) -> np.ndarray:
    """Silence one of the microphones (M, L), another for each image."""
    samples = samples.copy()
    samples[np.random.default_rng((13, image_id)).integers(len(samples))] = 0
    return samples
