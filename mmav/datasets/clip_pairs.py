"""What the data sets of sound localization have in common: clips of an image and its sound.

Shapes: n boxes.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import BaseDataset
from mmengine.fileio import join_path

from mmav.media.suffixes import AUDIO_SUFFIXES, IMAGE_SUFFIXES, VIDEO_SUFFIXES, has_suffix
from mmav.utils.errors import SampleError
from mmav.utils.readers import read_rows, read_text
from mmav.utils.storage import list_files

from .data_root import below_root, hand_down
from .transforms import LoadAudioSegment, LoadClipFrame
from .verification import drop_faults, log_left_out


class ClipPairDataset(BaseDataset):
    """Clips, each with the files ``<stem>.jpg`` and ``<stem>.wav`` (or the like) in two folders.

    What the data set will yield is fixed and logged at start-up; no clip ever takes another one's place.
    A sample has ``img_id`` (position in the list), ``clip`` (file stem), ``img_path``, ``audio_path`` or
    ``video_path``, ``category`` (str or None), ``gt_label`` (place of the category among the classes, where
    these are known), ``split`` (str or None) and, in annotated sets, ``gt_boxes`` (n, 4) float64 x1 y1 x2 y2,
    relative to the image (0..1), and ``annotator`` (n,) int or None.

    Args:
        ann_file: Annotations, as the subclass says. Defaults to ''.
        split_file: List of clip stems: a text file with one a line, or a csv file with them in its first
            column. None: every annotated clip or, without annotations, every pair in the folders.
        data_prefix: Folders ``img``, ``audio`` and ``video``. Defaults to frames, audio, videos.
        from_video: The sound lies in the clip's video, not in a file of its own. Defaults to False.
        on_missing: What becomes of clips that lack image, sound or annotation: 'skip' leaves them out, with
            their number in the log; 'raise' is an error. Defaults to 'skip', as few have all clips.
        on_error: 'raise' or 'skip', and
        verify: whether to read every file at start-up: as of :class:`MAVDDataset`.
        backend_args: Of mmengine's file backends; also of loading transforms that have none.
        **kwargs: Of mmengine's BaseDataset (data_root, pipeline, metainfo, filter_cfg, indices, ...).
            ``filter_cfg=dict(filter_empty_gt=True)`` leaves out annotated clips without a box.

    Raises:
        SampleError: Naming the file, and what is wrong with it.
    """

    annotated = True  # whether only clips with an annotation belong to the set
    folders = dict(img='frames', audio='audio', video='videos')

    def __init__(
        self,
        ann_file: str = '',
        split_file: str | None = None,
        data_prefix: dict | None = None,
        from_video: bool = False,
        on_missing: str = 'skip',
        on_error: str = 'raise',
        verify: bool | None = None,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        for name, value in (('on_missing', on_missing), ('on_error', on_error)):
            if value not in ('raise', 'skip'):
                raise ValueError(f"{name} must be 'raise' or 'skip', got {value!r}")
        if on_error == 'skip' and verify is False:
            raise ValueError("on_error='skip' must read every file at start-up: leave verify alone")
        self.split_file = split_file
        self.from_video = from_video
        self.on_missing = on_missing
        self.on_error = on_error
        self.verify = on_error == 'skip' if verify is None else verify
        self.backend_args = backend_args
        self.left_out: Counter[str] = Counter()
        unknown = set(data_prefix or {}) - set(self.folders)
        if unknown:
            raise ValueError(f'unknown data_prefix {sorted(unknown)}, expected {sorted(self.folders)}')
        super().__init__(ann_file=ann_file, data_prefix={**self.folders, **(data_prefix or {})}, **kwargs)

    # what the data set yields

    @abstractmethod
    def read_annotations(self, stems: Sequence[str] | None) -> dict[str, dict]:
        """What is known of clips: stem to ``category``, ``split``, ``gt_boxes``, ``annotator``, or less.

        ``stems`` are the clips that ``split_file`` lists; others may be left out.
        """

    def load_data_list(self) -> list[dict]:
        """Clips in the order of ``split_file``, else of the annotations, else of their names."""
        self.left_out = Counter()
        kinds = LoadAudioSegment, LoadClipFrame, LoadImageFromFile
        hand_down(self.backend_args, [t for t in self.pipeline.transforms if isinstance(t, kinds)])
        listed = self._read_split(below_root(self.data_root, self.split_file)) if self.split_file else None
        annotations = self.read_annotations(listed)
        kind, suffixes = ('video', VIDEO_SUFFIXES) if self.from_video else ('audio', AUDIO_SUFFIXES)
        images = self._list(self.data_prefix['img'], IMAGE_SUFFIXES)
        sounds = self._list(self.data_prefix[kind], suffixes)
        if listed is None:
            listed = list(annotations) if self.annotated else sorted({*images, *sounds})
        stems = self._keep_those_with('an image', images, listed)
        stems = self._keep_those_with('a sound', sounds, stems)
        if self.annotated:
            stems = self._keep_those_with('an annotation', annotations, stems)
        split = self.split_file and self.split_file.rsplit('/', 1)[-1].rsplit('.', 1)[0]
        classes = {name: label for label, name in enumerate(self._metainfo.get('classes', ()))}
        numbers = {stem: number for number, stem in enumerate(listed)}
        data_list = []
        for stem in stems:
            info = dict(img_id=numbers[stem], clip=stem, img_path=images[stem], category=None, split=split)
            info[f'{kind}_path'] = sounds[stem]
            info.update(annotations.get(stem, {}))
            if classes and info['category'] is not None:
                if info['category'] not in classes:
                    raise SampleError(f'clip {stem}', f'its class {info["category"]!r} is not in metainfo')
                info['gt_label'] = classes[info['category']]
            data_list.append(info)
        return data_list

    def _keep_those_with(self, what: str, present: Container, stems: Sequence[str]) -> list[str]:
        missing = [stem for stem in stems if stem not in present]
        if missing and self.on_missing == 'raise':
            raise SampleError(
                self._source(),
                f'{len(missing)} of {len(stems)} clips lack {what} ({", ".join(missing[:10])}): '
                "get them, or leave them out by on_missing='skip'",
            )
        self.left_out[f'without {what}'] += len(missing)
        return [stem for stem in stems if stem in present]

    def _list(self, folder: str, suffixes: tuple[str, ...]) -> dict[str, str]:
        """Stem to path of the files in a folder; of two files the one with the earlier suffix."""
        files = list_files(folder, backend_args=self.backend_args)
        # a name that begins with a dot is no clip: macOS writes ._x.wav beside x.wav on other disks
        names = [name for name in files if has_suffix(name, suffixes) and not name.startswith('.')]
        # the last one of a stem wins
        names.sort(key=lambda name: -suffixes.index(f'.{name.rsplit(".", 1)[1].lower()}'))
        return {name.rsplit('.', 1)[0]: join_path(folder, name) for name in names}

    def _read_split(self, path: str) -> list[str]:
        if path.endswith('.csv'):
            lines = [row[0] for _, row in read_rows(path, self.backend_args)]
        else:
            lines = read_text(path, self.backend_args).splitlines()
        stems = [line.strip() for line in lines if line.strip()]
        unique = list(dict.fromkeys(stems))
        self.left_out['listed twice'] += len(stems) - len(unique)
        return unique

    def _source(self) -> str:
        return self.split_file or self.ann_file or self.data_prefix['img']

    def _sound_boxes(self, boxes: Sequence, source: str) -> np.ndarray:
        """Relative boxes (n, 4), clipped to the image; those without area, which mark nothing, left out."""
        sound = []
        for box in boxes:
            try:
                corners = np.array([float(value) for value in box])
                bad = corners.shape != (4,) or not np.isfinite(corners).all()
            except (TypeError, ValueError):
                bad = True
            if bad:
                if self.on_error == 'raise':
                    raise SampleError(source, f'its box {box} is not [x1, y1, x2, y2]')
                self.left_out['bad boxes'] += 1
                continue
            corners = corners.clip(0, 1)
            if (corners[2:] > corners[:2]).all():
                sound.append(corners)
            else:
                self.left_out['boxes without area'] += 1
        return np.array(sound).reshape(-1, 4)

    def filter_data(self) -> list[dict]:
        """The filter, then the verification if asked for, then one line in the log."""
        data_list = self.data_list
        if (self.filter_cfg or {}).get('filter_empty_gt', False):
            kept = [info for info in data_list if 'gt_boxes' not in info or len(info['gt_boxes'])]
            self.left_out['without a box'] += len(data_list) - len(kept)
            data_list = kept
        if self.verify:
            kept = drop_faults(data_list, self._read_files, self.on_error, 'clips')
            self.left_out['unreadable'] += len(data_list) - len(kept)
            data_list = kept
        self.left_out = +self.left_out  # without what was not left out
        log_left_out(self._source(), data_list, 'clips', self.left_out)
        return data_list

    def _read_files(self, info: dict) -> None:
        LoadClipFrame(self.backend_args)(dict(info))
        LoadAudioSegment(from_video=self.from_video, backend_args=self.backend_args)(dict(info))

    # one clip

    def prepare_data(self, idx: int) -> dict:
        """Clip ``idx`` through the pipeline; SampleError if a file is unreadable, a transform gives nothing.

        mmengine would draw another clip at random.
        """
        info = self.get_data_info(idx)
        clip = info['clip']
        try:
            results = self.pipeline(info)
        except (AssertionError, cv2.error) as error:  # of mmcv's LoadImageFromFile; OpenCV's tell no file
            raise SampleError(info['img_path'], f'clip {clip} cannot be loaded ({error})') from error
        if results is None:
            raise SampleError(info['img_path'], f'a transform of the pipeline gave nothing for clip {clip}')
        return results
