"""Write one drive in MAVD's layout.

A drive's files are made in a temporary folder that is renamed when it is whole, so an interrupted run leaves
no half drive behind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import soundfile

from mmav.utils.fileio import whole_folder

from .config import SimulationConfig
from .geometry import SAMPLE_RATE, PinholeCamera
from .recording import AUDIBLE_SNR, Recording, render_recording, to_int16
from .rendering import DriveRenderer
from .scene import DriveScene
from .truth import VehicleView, view_vehicles

TRUTH_FILE = 'truth.json'


def drive_truth(
    scene: DriveScene, config: SimulationConfig, views: list[list[VehicleView]], recording: Recording
) -> dict[str, Any]:
    """Drive, split, conditions and a list of frames with their objects, as plain values.

    ``views`` has, for each image, the view of each vehicle; ``recording`` tells what is audible.
    """
    frames = []
    for index, time in enumerate(scene.frame_times):
        snr = recording.vehicle_snr(time)
        objects = []
        for v, view in enumerate(views[index]):
            if not view.labeled(config):
                continue
            x1, y1, x2, y2 = (round(float(value), 2) for value in view.box)
            objects.append(
                dict(
                    bbox=[x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                    track_id=view.vehicle.track_id,
                    visibility=round(view.visibility, 3),
                    distance=round(view.distance, 3),
                    azimuth=round(view.azimuth, 3),
                    audible=bool(view.vehicle.level is not None and snr[v] >= AUDIBLE_SNR),
                    kind=view.vehicle.kind,
                )
            )
        timestamp = round(scene.start_time + time, 6)
        frame = dict(frame_id=scene.frame_id(index), timestamp=timestamp, seconds=time, objects=objects)
        frames.append(frame)
    return dict(
        drive=scene.name,
        split=scene.split,
        condition=scene.condition,
        time_of_day=scene.time_of_day,
        motion=scene.motion,
        snr=round(scene.snr, 3),
        frames=frames,
    )


def write_drive(root: Path, scene: DriveScene, config: SimulationConfig) -> dict[str, Any]:
    """Simulate a drive and write its folder below ``root``; return its truth, as in its `truth.json`."""
    camera = PinholeCamera()
    views = [view_vehicles(scene, camera, time) for time in scene.frame_times]
    in_view = np.array([[view.labeled(config) for view in image] for image in views], dtype=bool)
    recording = render_recording(scene, config, in_view)
    truth = drive_truth(scene, config, views, recording)
    with whole_folder(root / scene.name) as folder:
        _write_audio(folder / 'audio', scene, config, to_int16(recording.waveform))
        _write_images(folder, DriveRenderer(scene, config, camera), scene, config)
        (folder / TRUTH_FILE).write_text(json.dumps(truth, indent=1) + '\n')
    return truth


def _write_audio(folder: Path, scene: DriveScene, config: SimulationConfig, samples: np.ndarray) -> None:
    folder.mkdir(parents=True)
    if config.audio_layout == 'drive':
        soundfile.write(folder / 'drive.wav', samples.T, SAMPLE_RATE, 'PCM_16')
        rows = [f'{scene.frame_id(i)},{time:.9f}' for i, time in enumerate(scene.frame_times)]
        (folder / 'timestamps.csv').write_text('frame_id,seconds\n' + '\n'.join(rows) + '\n')
        return
    for index, time in enumerate(scene.frame_times):
        first = round((time - 0.5) * SAMPLE_RATE)
        second = samples[:, first : first + SAMPLE_RATE]
        for microphone in range(8):
            path = folder / f'audio_{microphone}_{scene.frame_id(index)}.wav'
            soundfile.write(path, second[microphone], SAMPLE_RATE, 'PCM_16')


def _write_images(folder: Path, renderer: DriveRenderer, scene: DriveScene, config: SimulationConfig) -> None:
    jpeg = [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality]
    # Level 1 with run lengths takes half the default's time; a fixed row filter, where OpenCV has the option,
    # halves it once more.
    png = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    if hasattr(cv2, 'IMWRITE_PNG_FILTER'):
        png += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    places = dict(
        rgb=('fl_rgb', 'fl_rgb_{}.jpg', jpeg),
        thermal=('fl_ir_aligned', 'fl_ir_aligned_{}.png', png),
        depth=('fl_rgb_depth', 'fl_rgb_{}.jpg', jpeg),
    )
    for modality in config.modalities:
        (folder / places[modality][0]).mkdir()
    for index in range(len(scene.frame_times)):
        for modality, image in renderer.render(index).items():
            subfolder, name, options = places[modality]
            path = folder / subfolder / name.format(scene.frame_id(index))
            if not cv2.imwrite(str(path), image, options):
                raise OSError(f'cannot write {path}')
