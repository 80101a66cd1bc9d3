"""Write clips in the layout in which VGG-Sound and VGG-SS are published.

frames/<stem>.jpg, audio/<stem>.wav
train.txt, val.txt, test.txt, teachers.txt   stems; all of val and test show what sounds
offscreen.txt                                stems of val and test clips that do not
vggsound.csv                                 video id, start, class, 'train' or 'test', of every clip
vggss.json                                   boxes of what sounds, of the clips of val.txt and test.txt
annotations/<split>.json                     COCO: everything in the images, silent things, too
truth.json                                   all there is to know of every clip
manifest.json                                parameters
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import soundfile

from mmav.utils.fileio import AtomicLocalBackend, whole_file, write_json

from ..resuming import open_data_set, sample_splits, write_missing
from .clip_images import render_clip
from .clip_sounds import clip_sound
from .clips import SPLITS, ClipConfig, ClipScene, sample_clip

FORMAT_VERSION = 1


def simulate_clips(
    root: str | os.PathLike, config: ClipConfig, workers: int = 1, progress: bool = True
) -> Path:
    """Make a data set, or go on with one that was interrupted.

    The bytes depend on the configuration alone, not on the number of processes or on interruptions.

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
    manifest = dict(format='mmav simulated clips', format_version=FORMAT_VERSION, parameters=config.to_dict())
    with open_data_set(root, manifest) as root:
        drawn = sample_splits(sample_clip, config, SPLITS, config.clips)
        scenes = [scene for split in SPLITS for scene in drawn[split]]
        write_missing(
            _write_clip, root, config, scenes, partial(_files, root, config), workers, 'clip', progress
        )
        _write_lists(root, config, scenes)
    return root


def _files(root: Path, config: ClipConfig, scene: ClipScene) -> tuple[Path, Path]:
    return root / 'frames' / f'{scene.stem}.jpg', root / 'audio' / f'{scene.stem}.{config.audio_ext}'


def _write_clip(root: Path, config: ClipConfig, scene: ClipScene) -> None:
    frame, audio = _files(root, config, scene)
    done, jpeg = cv2.imencode(
        '.jpg', render_clip(scene, config.clutter), [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality]
    )
    if not done:
        raise OSError(f'cannot encode {frame}')
    with whole_file(frame, flush=False) as temporary:
        temporary.write_bytes(jpeg.tobytes())
    length = round(config.duration * config.sample_rate)
    sound = clip_sound(scene.kind, length, config.sample_rate, scene.snr, scene.seed)
    with whole_file(audio, flush=False) as temporary:
        soundfile.write(temporary, sound, config.sample_rate, 'PCM_16', format=config.audio_ext)


def _write_lists(root: Path, config: ClipConfig, scenes: list[ClipScene]) -> None:
    backend = AtomicLocalBackend()
    lists: dict[str, list[str]] = {name: [] for name in (*SPLITS, 'offscreen')}
    rows, boxes = [], []
    for scene in scenes:
        tested = scene.split in ('val', 'test')
        lists['offscreen' if tested and scene.offscreen else scene.split].append(scene.stem)
        rows.append(f'{scene.video_id},{scene.start},{scene.kind},{"test" if tested else "train"}\n')
        if tested and not scene.offscreen:
            sounding = [list(thing.box) for thing in scene.things if thing.sounding]
            boxes.append({'file': scene.stem, 'class': scene.kind, 'bbox': sounding})
    for name, stems in lists.items():
        backend.put_text(''.join(f'{stem}\n' for stem in stems), root / f'{name}.txt')
    backend.put_text(''.join(rows), root / 'vggsound.csv')
    write_json(root / 'vggss.json', boxes)
    for split in SPLITS:
        coco = coco_of([scene for scene in scenes if scene.split == split], config)
        write_json(root / 'annotations' / f'{split}.json', coco)
    write_json(root / 'truth.json', [truth_of(scene) for scene in scenes])


def truth_of(scene: ClipScene) -> dict[str, Any]:
    """All there is to know of a clip, as plain values."""
    return {
        'file': scene.stem,
        'split': scene.split,
        'class': scene.kind,
        'offscreen': scene.offscreen,
        'snr': round(scene.snr, 3),
        'size': list(scene.size),
        'objects': [
            dict(kind=thing.kind, bbox=list(thing.box), sounding=thing.sounding) for thing in scene.things
        ],
    }


def coco_of(scenes: list[ClipScene], config: ClipConfig) -> dict[str, Any]:
    """COCO annotations of everything that images show; categories are the kinds, ids from 1."""
    images: list[dict] = []
    annotations: list[dict] = []
    for number, scene in enumerate(scenes, 1):
        width, height = scene.size
        images.append(dict(id=number, file_name=f'frames/{scene.stem}.jpg', width=width, height=height))
        for thing in scene.things:
            x1, y1, x2, y2 = thing.box
            box = [round(v, 2) for v in (x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height)]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=config.kinds.index(thing.kind) + 1,
                    bbox=box,
                    area=round(box[2] * box[3], 2),
                    iscrowd=0,
                    sounding=thing.sounding,
                )
            )
    categories = [dict(id=number, name=kind) for number, kind in enumerate(config.kinds, 1)]
    return dict(images=images, annotations=annotations, categories=categories)
