"""Where the files of a frame lie."""

from collections.abc import Iterable, Sequence

from mmengine.fileio import exists, join_path

from mmav.utils.errors import SampleError

from .mavd_layout import AUDIO_EXTENSIONS, IMAGE_EXTENSIONS, MODALITY_FILES


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
        self._found = {}

    def pictures(self, drive: str, frame_id: str, modalities: Iterable[str]) -> dict[str, str]:
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
                if exists(f'{stem}.{extension}', backend_args=self.backend_args):
                    self._found[key] = extension
                    break
            else:
                raise SampleError(f'{stem}.*', f'the file is missing (looked for {", ".join(extensions)})')
        return f'{stem}.{self._found[key]}'
