"""Simulate a whole data set: a pool of processes makes drives, then the lists and labels are gathered."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mmav.structures.rig import RIG_FILE
from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.processes import run_in_processes
from mmav.utils.readers import read_json

from ..resuming import open_data_set
from .config import SPLITS, SimulationConfig
from .geometry import CROP, SAMPLE_RATE, PinholeCamera
from .recording import make_array
from .sampling import sample_drive
from .scene import drive_name
from .simulated_rig import make_rig
from .writer import TRUTH_FILE, write_drive

FORMAT_VERSION = 1


def make_manifest(config: SimulationConfig) -> dict[str, Any]:
    """Everything that tells how a data set was made; equal manifests mean equal bytes."""
    array, camera = make_array(config), PinholeCamera()
    return dict(
        format='mmav simulated MAVD',
        format_version=FORMAT_VERSION,
        seed=config.seed,
        parameters=config.to_dict(),
        sample_rate=SAMPLE_RATE,
        microphone_positions=array.offsets.round(9).tolist(),
        microphone_axes=array.axes.round(9).tolist(),
        array_height=array.height,
        camera=dict(camera.__dict__),
        crop=list(CROP),
    )


def simulate_dataset(
    root: str | os.PathLike, config: SimulationConfig, workers: int = 1, progress: bool = True
) -> Path:
    """Make a data set, or go on with one that was interrupted.

    Finished drives are left as they are. The bytes depend on the configuration alone, not on the number of
    processes or on interruptions.

    Args:
        root: Folder of the data set.
        config: Parameters.
        workers: Number of processes; 0 works in the calling process.
        progress: Whether to show a progress bar.

    Returns:
        The folder.

    Raises:
        OutputInUseError: Another process writes the folder.
        FileExistsError: The folder holds something else, or a set made with other parameters.
    """
    with open_data_set(root, make_manifest(config), sort_keys=True) as root:
        AtomicLocalBackend().put_text(
            json.dumps(make_rig(config).to_dict(), indent=1) + '\n', root / RIG_FILE
        )
        jobs = [(split, index) for split, count in zip(SPLITS, config.drives) for index in range(count)]
        todo = [job for job in jobs if not (root / drive_name(*job) / TRUTH_FILE).is_file()]
        bar = tqdm(
            total=len(jobs) * config.frames_per_drive,
            initial=(len(jobs) - len(todo)) * config.frames_per_drive,
            desc='simulate',
            unit='frame',
            disable=not progress,
        )
        with bar:
            for _ in run_in_processes(partial(_simulate_one, root, config), todo, workers):
                bar.update(config.frames_per_drive)
        _gather(root, jobs)
    return root


def _simulate_one(root: Path, config: SimulationConfig, job: tuple[str, int]) -> str:
    scene = sample_drive(config, *job)
    write_drive(root, scene, config)
    return scene.name


def _gather(root: Path, jobs: Sequence[tuple[str, int]]) -> None:
    """Write COCO files and split lists from the drives' truth files."""
    truths: dict[str, list[dict]] = {split: [] for split in SPLITS}
    for split, index in jobs:
        truths[split].append(read_json(str(root / drive_name(split, index) / TRUTH_FILE)))
    backend = AtomicLocalBackend()
    for split, drives in truths.items():
        backend.put_text(json.dumps(coco_of(drives)) + '\n', root / 'annotations' / f'{split}.json')
        for light, motion in product(('', '_day', '_night'), ('', '_all', '_static', '_drive')):
            lines = [
                f'{drive["drive"]}/{frame["frame_id"]}\n'
                for drive in drives
                for frame in drive['frames']
                if light in ('', '_' + drive['time_of_day']) and motion in ('', '_all', '_' + drive['motion'])
            ]
            backend.put_text(''.join(lines), root / f'{split}{light}{motion}.txt')


def coco_of(drives: list[dict[str, Any]]) -> dict[str, Any]:
    """COCO annotations of some drives' truths; boxes in pixels of the cropped image."""
    images: list[dict] = []
    annotations: list[dict] = []
    width, height = CROP[2] - CROP[0], CROP[3] - CROP[1]
    for drive in drives:
        for frame in drive['frames']:
            image_id = len(images) + 1
            images.append(
                dict(
                    id=image_id,
                    file_name=f'{drive["drive"]}/fl_rgb/fl_rgb_{frame["frame_id"]}.jpg',
                    width=width,
                    height=height,
                    drive=drive['drive'],
                    frame_id=frame['frame_id'],
                    timestamp=frame['timestamp'],
                    time_of_day=drive['time_of_day'],
                    motion=drive['motion'],
                    condition=drive['condition'],
                )
            )
            for thing in frame['objects']:
                area = round(thing['bbox'][2] * thing['bbox'][3], 2)
                number = len(annotations) + 1
                label = dict(id=number, image_id=image_id, category_id=1, area=area, iscrowd=0)
                annotations.append({**label, **thing})
    info = dict(description='mmav simulated MAVD')
    categories = [dict(id=1, name='vehicle')]
    return dict(info=info, images=images, annotations=annotations, categories=categories)
