"""LLP (look, listen and parse): features of videos and their events.

Shapes: T segments (seconds), C classes, F frames, D channels.
"""

from collections import Counter
from logging import INFO, WARNING
from typing import Any

import numpy as np
from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.fileio import join_path
from mmengine.logging import print_log

from mmav.datasets.clip_names import YOUTUBE_ID
from mmav.media.array_files import read_npy
from mmav.utils.errors import SampleError
from mmav.utils.storage import list_files

from .data_root import below_root
from .event_table import EventTable, read_event_table, read_table
from .verification import log_left_out

LLP_CLASSES = (
    'Speech',
    'Car',
    'Cheering',
    'Dog',
    'Cat',
    'Frying_(food)',
    'Basketball_bounce',
    'Fire_alarm',
    'Chainsaw',
    'Cello',
    'Banjo',
    'Singing',
    'Chicken_rooster',
    'Violin_fiddle',
    'Vacuum_cleaner',
    'Baby_laughter',
    'Accordion',
    'Lawn_mower',
    'Motorcycle',
    'Helicopter',
    'Acoustic_guitar',
    'Telephone_bell_ringing',
    'Baby_cry_infant_cry',
    'Blender',
    'Clapping',
)
FEATURES = dict(audio='feats/vggish', visual='feats/res152', visual_st='feats/r2plus1d_18')
SEGMENT_LABELS = dict(audio='AVVP_eval_audio.csv', visual='AVVP_eval_visual.csv')


@DATASETS.register_module()
class LLPDataset(BaseDataset):
    """Videos of LLP as published: lists of their events, features ``<folder>/<first 11 characters>.npy``.

    The list is tab-separated with the columns ``filename`` and ``event_labels`` (classes between commas). A
    list without the latter has no labels, for pretraining. In test mode events of seconds are read, too, and
    the log tells the sha256 of their files: the published labels were corrected in April 2024 (three rows of
    ``AVVP_eval_audio.csv``), and scores by both revisions do not compare.

    A sample has ``video_id`` (``filename``), ``duration`` (s), ``num_segments``; the features ``audio``
    (T, D), ``visual`` and ``visual_st`` (F, D), F a multiple of T, float32, those that ``data_prefix`` names;
    ``gt_events`` (C,); in test mode ``gt_audio`` and ``gt_visual`` (T, C); with ``pseudo_labels`` the soft
    labels ``pseudo_audio`` and ``pseudo_visual`` (T, C), 0..1.

    Args:
        ann_file: The list. Defaults to ``AVVP_train.csv``.
        data_prefix: Folder of each feature. Defaults to ``audio`` in feats/vggish,
            ``visual`` in feats/res152, ``visual_st`` in feats/r2plus1d_18; what is not named is not read.
        segment_labels: Files of ``audio`` and ``visual`` events, read in test mode; see
            :func:`read_event_table`. A video without rows has no events. None: they are not read. Defaults to
            ``AVVP_eval_audio.csv`` and ``AVVP_eval_visual.csv``.
        pseudo_labels: Soft labels of seconds, ``audio`` and/or ``visual``: a table (.tsv,
            .csv) as ``segment_labels``, with a column ``score`` if it likes; or a folder of arrays
            ``<first 11 characters>.npy`` (T, C), 0..1. Defaults to None.
        num_segments: T. Defaults to 10.
        on_missing: What becomes of videos that lack a feature or an array of pseudo labels. 'raise':
            an error that lists all missing files, before anything starts. 'skip': left out, with their number
            in the log. Defaults to 'raise'.
        on_error: What becomes of broken rows: 'raise', or 'skip' to leave them out with their number in
            the log. Defaults to 'raise'.
        backend_args: Of mmengine's file backends.
        **kwargs: Of mmengine's BaseDataset (data_root, pipeline, test_mode, metainfo, indices, ...).

    Raises:
        SampleError: Naming file and line, or the video, and what is wrong.
    """

    METAINFO = dict(classes=LLP_CLASSES)

    def __init__(
        self,
        ann_file: str = 'AVVP_train.csv',
        data_prefix: dict | None = None,
        segment_labels: dict | None = SEGMENT_LABELS,
        pseudo_labels: dict | None = None,
        num_segments: int = 10,
        on_missing: str = 'raise',
        on_error: str = 'raise',
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        for name, value in (('on_missing', on_missing), ('on_error', on_error)):
            if value not in ('raise', 'skip'):
                raise ValueError(f"{name} must be 'raise' or 'skip', got {value!r}")
        data_prefix = FEATURES if data_prefix is None else data_prefix
        for name, given, known in (
            ('data_prefix', data_prefix, FEATURES),
            ('segment_labels', segment_labels or {}, SEGMENT_LABELS),
            ('pseudo_labels', pseudo_labels or {}, SEGMENT_LABELS),
        ):
            if unknown := set(given) - set(known):
                raise ValueError(f'{name} has {sorted(unknown)}, known are {sorted(known)}')
        if num_segments < 1:
            raise ValueError(f'num_segments must be at least 1, got {num_segments}')
        self.segment_labels = dict(segment_labels or {}) if kwargs.get('test_mode') else {}
        self.pseudo_labels = dict(pseudo_labels or {})
        self.num_segments = num_segments
        self.on_missing, self.on_error = on_missing, on_error
        self.backend_args = backend_args
        self.left_out: Counter = Counter()
        super().__init__(ann_file=ann_file, data_prefix=dict(data_prefix), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Videos in the order of the list."""
        self.left_out = Counter()
        data_list = self._read_list()
        tables = {}
        for kind, files in (('gt', self.segment_labels), ('pseudo', self.pseudo_labels)):
            for modality, path in files.items():
                path = below_root(self.data_root, path)
                if kind == 'gt' or path.endswith(('.tsv', '.csv')):
                    tables[f'{kind}_{modality}'] = self._read_events(path, kind == 'pseudo')
        folders = {key: self.data_prefix[key] for key in self.data_prefix}
        for modality, path in self.pseudo_labels.items():
            if f'pseudo_{modality}' not in tables:
                folders[f'pseudo_{modality}'] = below_root(self.data_root, path)
        data_list = self._keep_whole(data_list, folders)
        nothing = np.zeros((self.num_segments, len(self.metainfo['classes'])), np.float32)
        for key, table in tables.items():
            for info in data_list:
                info[key] = table.segments.get(info['video_id'], nothing)
            self._log_table(key, table, data_list)
        log_left_out(self.ann_file, data_list, 'videos', self.left_out)
        return data_list

    def _read_list(self) -> list[dict]:
        rows, _ = read_table(self.ann_file, ('filename',), self.backend_args)
        classes = {name: index for index, name in enumerate(self.metainfo['classes'])}
        data_list = []
        seen: set[str] = set()
        for where, row in rows:
            try:
                data_list.append(self._read_row(where, row, classes, seen))
            except SampleError:
                if self.on_error == 'raise':
                    raise
                self.left_out['broken rows'] += 1
        return data_list

    def _read_row(self, where: str, row: dict[str, str], classes: dict[str, int], seen: set) -> dict:
        video = row['filename']
        if not video or '/' in video:
            raise SampleError(where, f'{video!r} is no name of a video')
        if video in seen:
            raise SampleError(where, f'video {video} comes twice')
        info: dict[str, Any] = dict(
            video_id=video, duration=float(self.num_segments), num_segments=self.num_segments
        )
        if 'event_labels' in row:
            names = [name.strip() for name in row['event_labels'].split(',')]
            unknown = [name for name in names if name not in classes]
            if unknown:
                raise SampleError(where, f'unknown classes {unknown} of video {video}')
            info['gt_events'] = np.zeros(len(classes), np.float32)
            info['gt_events'][[classes[name] for name in names]] = 1
        seen.add(video)
        return info

    def _keep_whole(self, data_list: list[dict], folders: dict[str, str]) -> list[dict]:
        """Videos that have a file in each folder, with the files' paths."""
        names = {
            key: set(list_files(folder, '.npy', backend_args=self.backend_args))
            for key, folder in folders.items()
        }
        kept, missing = [], []
        for info in data_list:
            file = f'{info["video_id"][:YOUTUBE_ID]}.npy'
            lacking = [join_path(folders[key], file) for key in folders if file not in names[key]]
            if not lacking:
                kept.append(dict(info, files={key: join_path(folders[key], file) for key in folders}))
            missing += lacking
        if missing and self.on_missing == 'raise':
            listed = '\n  '.join(missing)
            raise SampleError(
                self.ann_file,
                f'{len(missing)} files of {len(data_list) - len(kept)} videos are missing: get them, or '
                f"leave these videos out by on_missing='skip':\n  {listed}",
            )
        if missing:
            self.left_out['videos without all files'] = len(data_list) - len(kept)
        return kept

    def _read_events(self, path: str, with_scores: bool) -> EventTable:
        return read_event_table(
            path, self.metainfo['classes'], self.num_segments, with_scores, self.on_error, self.backend_args
        )

    @staticmethod
    def _log_table(key: str, table: EventTable, data_list: list[dict]) -> None:
        without = sum(info['video_id'] not in table.segments for info in data_list)
        left_out = ', '.join(f'{number} rows {what}' for what, number in table.left_out.items())
        text = (
            f'{table.path} ({key}): sha256 {table.sha256}; {without} of {len(data_list)} videos have no row'
        )
        text += f'; left out: {left_out}' if left_out else ''
        if key.startswith('gt'):
            text += '; the published labels were corrected in 2024-04 (3 rows of AVVP_eval_audio.csv): name '
            text += 'the revision beside scores'
        print_log(text, 'current', WARNING if table.left_out['broken'] else INFO)

    # one video

    def prepare_data(self, idx: int) -> dict:
        """Video ``idx`` with its features, through the pipeline; SampleError for unfit files."""
        info = self.get_data_info(idx)
        for key, path in info.pop('files').items():
            array = self._read_array(path)
            if key.startswith('pseudo'):
                self._check_soft_labels(path, array)
            elif len(array) % self.num_segments or (key == 'audio' and len(array) != self.num_segments):
                needed = 'exactly' if key == 'audio' else 'a multiple of'
                raise SampleError(
                    path, f'has {len(array)} rows, needed are {needed} {self.num_segments} (num_segments)'
                )
            info[key] = array
        return self.pipeline(info)

    def _read_array(self, path: str) -> np.ndarray:
        array = read_npy(path, self.backend_args)
        if array.ndim != 2 or array.dtype.kind != 'f' or not array.size:
            raise SampleError(path, f'must hold floats, (rows, channels), got {array.shape} {array.dtype}')
        if not np.isfinite(array).all():
            raise SampleError(path, 'holds NaN or infinity')
        return array.astype(np.float32, copy=False)

    def _check_soft_labels(self, path: str, array: np.ndarray) -> None:
        shape = (self.num_segments, len(self.metainfo['classes']))
        if array.shape != shape:
            raise SampleError(path, f'pseudo labels must be (segments, classes) {shape}, got {array.shape}')
        if array.min() < 0 or array.max() > 1:
            raise SampleError(path, f'pseudo labels must lie in 0..1, found {array.min()}..{array.max()}')
