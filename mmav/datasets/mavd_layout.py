"""The published layout of MAVD: names of frames, their files, and the lists beside them.

A frame is named ``<drive>/<id>``; ``<id>`` is ``<seconds>_<nanoseconds>_<code>``. Ids whose nanosecond field
is shorter than 9 digits are bogus (their leading zeros were lost, so they name another instant).
"""

import re
from collections.abc import Iterable, Sequence

from mmengine.fileio import join_path

from mmav.utils.checks import check_below
from mmav.utils.errors import SampleError
from mmav.utils.readers import read_rows, read_text
from mmav.utils.storage import file_exists

AUDIO_EXTENSIONS = ('wav', 'flac', 'npy', 'mp3', 'pkl')
IMAGE_EXTENSIONS = ('png', 'jpg', 'jpeg', 'tiff', 'tif')

MODALITY_FILES = dict(
    rgb=('fl_rgb', 'fl_rgb_{}'),
    thermal=('fl_ir_aligned', 'fl_ir_aligned_{}'),
    depth=('fl_rgb_depth', 'fl_rgb_{}'),
)
"""Folder in the drive and stem of the file of each visual modality; ``{}`` is the frame's id."""

_ID = re.compile(r'^(\d+)_(\d+)_(.+)$')


def is_bogus(frame_id: str) -> bool:
    """Whether the nanosecond field of an id is shorter than 9 digits."""
    match = _ID.match(frame_id)
    return match is not None and len(match.group(2)) < 9


def timestamp_of(frame_id: str) -> float | None:
    """Time stamp of a frame in seconds; None where the id does not say it."""
    match = _ID.match(frame_id)
    if match is None or len(match.group(2)) != 9:
        return None
    return int(match.group(1)) + int(match.group(2)) * 1e-9


def split_file_name(file_name: str) -> tuple[str, str]:
    """Drive and frame id of ``<drive>/fl_rgb/fl_rgb_<id>.<ext>``; ValueError for names of another form."""
    parts = file_name.replace('\\', '/').rsplit('/', 2)
    stem = parts[-1].rsplit('.', 1)[0]
    if len(parts) != 3 or not stem.startswith('fl_rgb_'):
        raise ValueError(f'file_name {file_name!r} is not of the form <drive>/fl_rgb/fl_rgb_<id>.jpg')
    return parts[0], stem[len('fl_rgb_') :]


def read_split_list(path: str, backend_args: dict | None = None) -> list[tuple[str, str]]:
    """Frames (drive, id) of a split list, in its order; bogus ids included.

    SampleError if the file is missing, a line is not ``<drive>/<id>`` below the root, or a frame comes twice.
    """
    frames = []
    for number, line in enumerate(read_text(path, backend_args).splitlines(), 1):
        line = line.strip()
        if not line:
            continue
        drive, slash, frame_id = line.rpartition('/')
        if not (slash and drive and frame_id):
            raise SampleError(f'{path}, line {number}', f'{line!r} is not <drive>/<id>')
        check_below(line, f'{path}, line {number}')
        frames.append((drive, frame_id))
    if len(set(frames)) != len(frames):
        raise SampleError(path, 'a frame is listed twice')
    return frames


def read_timestamps(path: str, backend_args: dict | None = None) -> dict[str, float]:
    """``timestamps.csv`` of a drive recorded in one file: frame id -> center of its clip in seconds.

    SampleError if the file is missing, has another header, or a line is not an id and a number.
    """
    rows = read_rows(path, backend_args)
    if not rows or rows[0][1] != ['frame_id', 'seconds']:
        raise SampleError(path, "the first line must be 'frame_id,seconds'")
    times = {}
    for number, row in rows[1:]:
        try:
            frame_id, seconds = row
            times[frame_id] = float(seconds)
        except ValueError:
            raise SampleError(f'{path}, line {number}', f'{row} is not an id and seconds') from None
    return times


class FrameFiles:
    """Finds the files of frames below a root; extensions are looked up once a drive.

    Args:
        root: Folder of the drives.
        audio_layout: 'frame' or 'drive'.
        audio_ext: Extension of sound files; None: the first of ``AUDIO_EXTENSIONS`` found.
        num_microphones: Files of a frame's sound.
        modality_files: Further modalities: name to (folder in the drive, stem with ``{}``).
        backend_args: Of mmengine's file backends.
    """

    def __init__(
        self,
        root: str,
        audio_layout: str = 'frame',
        audio_ext: str | None = None,
        num_microphones: int = 8,
        modality_files: dict | None = None,
        backend_args: dict | None = None,
    ) -> None:
        self.root = root
        self.audio_layout = audio_layout
        self.audio_extensions = AUDIO_EXTENSIONS if audio_ext is None else (audio_ext,)
        self.num_microphones = num_microphones
        self.modality_files = dict(MODALITY_FILES, **(modality_files or {}))
        self.backend_args = backend_args
        self._found: dict[tuple[str, str], str] = {}

    def images(self, drive: str, frame_id: str, modalities: Iterable[str]) -> dict[str, str]:
        """File of each modality; ValueError if one is unknown, SampleError if there is no such file."""
        paths = {}
        for name in modalities:
            if name not in self.modality_files:
                raise ValueError(f'unknown modality {name!r}: give its files in modality_files')
            folder, stem = self.modality_files[name]
            stem = join_path(self.root, drive, folder, stem.format(frame_id))
            paths[name] = self._file(stem, IMAGE_EXTENSIONS, (drive, name))
        return paths

    def sound(self, drive: str, frame_id: str) -> dict:
        """``audio_paths`` (layout 'frame') or ``audio_path`` ('drive'); SampleError if there is none."""
        folder = join_path(self.root, drive, 'audio')
        if self.audio_layout == 'drive':
            path = self._file(join_path(folder, 'drive'), self.audio_extensions, (drive, 'audio'))
            return dict(audio_path=path)
        stems = [join_path(folder, f'audio_{k}_{frame_id}') for k in range(self.num_microphones)]
        first = self._file(stems[0], self.audio_extensions, (drive, 'audio'))
        extension = first.rsplit('.', 1)[-1]
        return dict(audio_paths=[f'{stem}.{extension}' for stem in stems])

    def timestamps(self, drive: str) -> str:
        """Table of the clips in a drive's recording (layout 'drive')."""
        return join_path(self.root, drive, 'audio', 'timestamps.csv')

    def _file(self, stem: str, extensions: Sequence[str], key: tuple[str, str]) -> str:
        if len(extensions) == 1:
            return f'{stem}.{extensions[0]}'
        if key not in self._found:
            for extension in extensions:
                if file_exists(f'{stem}.{extension}', self.backend_args):
                    self._found[key] = extension
                    break
            else:
                raise SampleError(f'{stem}.*', f'the file is missing (looked for {", ".join(extensions)})')
        return f'{stem}.{self._found[key]}'
