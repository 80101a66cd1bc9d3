"""From a folder of videos to one image and one short sound of each: what the data sets of clips read.

Shapes: H, W height and width in pixels; L samples.
"""

import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import soundfile
from tqdm import tqdm

from mmav.media.suffixes import VIDEO_SUFFIXES, files_with
from mmav.media.video import iter_video_frames, read_video_audio, read_video_info
from mmav.utils.checks import check_distinct
from mmav.utils.errors import SampleError
from mmav.utils.fileio import AtomicLocalBackend, whole_file, write_json
from mmav.utils.locks import folder_lock
from mmav.utils.readers import read_json
from mmav.utils.run_parameters import refuse_other_parameters

from ..utils.processes import run_in_processes
from .transforms.load_audio_segment import middle_of

NOTE_FILE = 'prepare_clips.json'
FAILED_FILE = 'failed.txt'


class ClipSettings(NamedTuple):
    """What is kept of a clip.

    Attributes:
        duration: Seconds of sound, from the clip's middle; a shorter clip keeps all it has.
        sample_rate: Of the sound, in hertz. 32,000 serve a CNN14 teacher as well; the student's 22,050
            are made of them when a clip is loaded.
        audio_ext: 'wav' or 'flac', 16 bit, one channel.
        short_side: Larger images are made smaller until their shorter side has so many
            pixels. None keeps the size.
        jpeg_quality: 1..100.
    """

    duration: float = 3.0
    sample_rate: int = 32000
    audio_ext: str = 'wav'
    short_side: int | None = None
    jpeg_quality: int = 95


def prepare_clip(video: str | Path, root: str | Path, settings: ClipSettings) -> None:
    """Write the middle image and the middle of the sound of a video, each file whole or not at all.

    They become ``frames/<stem>.jpg`` and ``audio/<stem>.<audio_ext>`` below ``root``. SampleError if the
    video is missing or damaged, or lacks images or sound.
    """
    info = read_video_info(video)
    frame = next(iter_video_frames(video, fps=1.0, start=info.duration / 2))
    wave = middle_of(
        read_video_audio(video, settings.sample_rate), round(settings.duration * settings.sample_rate)
    )
    if not wave.size:
        raise SampleError(str(video), 'has no sound')
    frame_file, audio_file = clip_files(video, root, settings)
    image = _shrink(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), settings.short_side)
    done, jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality])
    if not done:
        raise SampleError(str(video), 'its image cannot be encoded')
    AtomicLocalBackend().put(jpeg.tobytes(), frame_file)
    with whole_file(audio_file) as temporary:
        wave = np.clip(wave, -1, 1)
        soundfile.write(temporary, wave, settings.sample_rate, 'PCM_16', format=settings.audio_ext)


def clip_files(video: str | Path, root: str | Path, settings: ClipSettings) -> tuple[Path, Path]:
    """Image and sound file of a video."""
    stem = Path(video).stem
    return Path(root, 'frames', f'{stem}.jpg'), Path(root, 'audio', f'{stem}.{settings.audio_ext}')


def prepare_clips(
    videos: str | Path, root: str | Path, settings: ClipSettings, workers: int = 1, progress: bool = True
) -> dict[str, str]:
    """Prepare every video of a folder by :func:`prepare_clip`, or go on with what was interrupted.

    A clip with both files is done and not touched again; clips that failed are tried again. ``failed.txt``
    below ``root`` lists them, a line ``<file name><tab><reason>`` each. ``workers``: 0 works in the calling
    process.

    Returns:
        File name of each video that failed, to the reason.

    Raises:
        SampleError: If the folder holds no videos, or two of one stem.
        OutputInUseError: If another process writes ``root``.
        FileExistsError: If ``root`` holds clips that were prepared with other settings, or not by this
            function.
    """
    videos, root = Path(videos), Path(root)
    paths = files_with(videos, VIDEO_SUFFIXES) if videos.is_dir() else []
    if not paths:
        raise SampleError(str(videos), f'holds no videos ({", ".join(VIDEO_SUFFIXES)})')
    check_distinct((path, path.stem) for path in paths)
    with folder_lock(root, 'preparation'):
        _record_settings(root, settings)
        todo = [
            path for path in paths if not all(file.is_file() for file in clip_files(path, root, settings))
        ]
        failed: dict[str, str] = {}
        bar = tqdm(
            total=len(paths),
            initial=len(paths) - len(todo),
            desc='prepare',
            unit='clip',
            disable=not progress,
        )
        try:
            with bar:
                for name, reason in run_in_processes(partial(_try, root, settings), todo, workers):
                    if reason is not None:
                        failed[name] = reason
                    bar.update()
        finally:  # an interrupted run tells, too
            lines = (f'{name}\t{" ".join(reason.split())}\n' for name, reason in sorted(failed.items()))
            AtomicLocalBackend().put_text(''.join(lines), root / FAILED_FILE)
    return failed


def _try(root: Path, settings: ClipSettings, path: Path) -> tuple[str, str | None]:
    try:
        prepare_clip(path, root, settings)
    except SampleError as error:
        return path.name, error.reason
    return path.name, None


def _record_settings(root: Path, settings: ClipSettings) -> None:
    """Note the settings beside the clips, or see that those in place are the same."""
    note, folders = root / NOTE_FILE, (root / 'frames', root / 'audio')
    if note.is_file():
        refuse_other_parameters(
            read_json(str(note)),
            settings._asdict(),
            f'the clips in {root} were prepared with other settings',
            advice='choose another folder',
            error=FileExistsError,
            show_values=True,
        )
    elif any(folder.is_dir() and os.listdir(folder) for folder in folders):
        raise FileExistsError(f'{root} holds frames or audio but no {note.name}: choose another folder')
    else:
        write_json(note, settings._asdict())
    for folder in folders:
        folder.mkdir(exist_ok=True)
        AtomicLocalBackend.remove_leftovers(folder)


def _shrink(image: np.ndarray, short_side: int | None) -> np.ndarray:
    height, width = image.shape[:2]
    if short_side is None or min(height, width) <= short_side:
        return image
    scale = short_side / min(height, width)
    size = (round(width * scale), round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
