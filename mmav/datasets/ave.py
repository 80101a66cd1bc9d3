"""AVE (audio-visual events): features of videos and the event in each.

Shapes: N videos of the published files, T segments (seconds), C categories; class C is background.
"""

from logging import INFO, WARNING
from typing import Any

import numpy as np
from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset
from mmengine.fileio import join_path
from mmengine.logging import print_log

from mmav.datasets.clip_names import H5_KEY, read_clip_names
from mmav.media.h5_array import H5Array
from mmav.utils.checks import check_choice
from mmav.utils.errors import SampleError

AVE_CLASSES = (
    'Church bell',
    'Male speech, man speaking',
    'Bark',
    'Fixed-wing aircraft, airplane',
    'Race car, auto racing',
    'Female speech, woman speaking',
    'Helicopter',
    'Violin, fiddle',
    'Flute',
    'Ukulele',
    'Frying (food)',
    'Truck',
    'Shofar',
    'Motorcycle',
    'Acoustic guitar',
    'Train horn',
    'Clock',
    'Banjo',
    'Goat',
    'Baby cry, infant cry',
    'Bus',
    'Chainsaw',
    'Cat',
    'Horse',
    'Toilet flush',
    'Rodents, rats, mice',
    'Accordion',
    'Mandolin',
)
BACKGROUND = 'Background'
ORDER_KEY = 'order'

# Files by what they hold; '{split}' stands for the split.
FILES = dict(
    visual='visual_feature.h5',
    audio='audio_feature.h5',
    labels='labels.h5',
    video_labels='mil_labels.h5',
    background_visual='visual_feature_noisy.h5',
    background_audio='audio_feature_noisy.h5',
    background_labels='labels_noisy.h5',
    order='{split}_order.h5',
)
CROSS_MODALITY_FILES = dict(
    visual='visual_feature_vec.h5', labels='labels_closs.h5', order='{split}_order_match.h5'
)
SUPERVISIONS = ('fully', 'weakly', 'cross_modality')


@DATASETS.register_module()
class AVEDataset(BaseDataset):
    """Videos of AVE as published: HDF5 files of features and labels, and the rows of each split.

    Features are read when a video is asked for, from files that each process opens once; floats of 64 bits
    become such of 32. A sample has ``video_id``, ``duration`` (s), ``num_segments``, ``split`` and

    - ``'fully'``: ``visual`` (T, H, W, D), ``audio`` (T, D), ``gt_segments`` (T, C + 1), ``category`` (name);
    - ``'weakly'``: for training ``gt_events`` (C + 1,) in place of the labels of segments, and behind the
      videos of the split those that hold nothing but background (``visual_feature_noisy.h5`` and so on); in
      test mode as ``'fully'``;
    - ``'cross_modality'``: ``visual`` (T, D), ``audio`` (T, D), ``query_mask`` (T,) and ``gt_segments``
      (T, 1), 1 in the seconds of the event, which are asked for in one modality and searched in the other.

    Args:
        split: 'train', 'val' or 'test': whose rows are read from ``{split}_order.h5``. Defaults to 'train'.
        supervision: 'fully', 'weakly' or 'cross_modality'. Defaults to 'fully'.
        ann_file: AVE's ``Annotations.txt``, whose lines name the rows, or a text file with a name a
            line. '': rows are named by their numbers. Defaults to ''.
        files: Other names of files, by 'visual', 'audio', 'labels', 'video_labels',
            'background_visual', 'background_audio', 'background_labels' and 'order'.
        append_background: Whether weakly supervised training has the background videos. Defaults to True.
        segment_duration: Seconds. Defaults to 1.
        backend_args: Of mmengine's file backends.
        **kwargs: Of mmengine's BaseDataset (data_root, pipeline, test_mode, metainfo, indices, ...).

    Raises:
        SampleError: Naming the file: it is missing, cut off, of another shape than the others, or has a row
            that is none of the labels'; the labels of a video that are not as they should be.
    """

    METAINFO = dict(classes=AVE_CLASSES)

    def __init__(
        self,
        split: str = 'train',
        supervision: str = 'fully',
        ann_file: str = '',
        files: dict | None = None,
        append_background: bool = True,
        segment_duration: float = 1.0,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if split not in ('train', 'val', 'test'):
            raise ValueError(f"split must be 'train', 'val' or 'test', got {split!r}")
        check_choice('AVEDataset', 'supervision', supervision, SUPERVISIONS)
        if unknown := set(files or {}) - set(FILES):
            raise ValueError(f'files has {sorted(unknown)}, known are {sorted(FILES)}')
        self.split, self.supervision = split, supervision
        known = FILES | CROSS_MODALITY_FILES if supervision == 'cross_modality' else FILES
        self.files = known | dict(files or {})
        self.weakly = supervision == 'weakly' and not kwargs.get('test_mode')
        self.append_background = append_background
        self.segment_duration = segment_duration
        self.backend_args = backend_args
        self.features: dict[str, H5Array] = {}
        super().__init__(ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Videos in the order of the split, background videos last."""
        labels = self._read_labels('video_labels' if self.weakly else 'labels', '')
        names = self._read_names(len(labels))
        data_list = [
            self._describe(int(row), labels[row], names[row]) for row in self._read_order(len(labels))
        ]
        number = len(data_list)
        if self.weakly and self.append_background:
            labels = self._read_labels('background_labels', 'background_')
            data_list += [
                self._describe(row, label, f'background{row:05d}', 'background_')
                for row, label in enumerate(labels)
            ]
        print_log(
            f'{self._path("order")}: {number} videos, {len(data_list) - number} background videos',
            'current',
            INFO,
        )
        if self.supervision == 'cross_modality':
            whole = sum(bool(info['query_mask'].all()) for info in data_list)
            if whole:
                text = f'in {whole} of {number} videos the event lasts from start to end: nothing to search'
                print_log(f'{self._path("order")}: {text}', 'current', WARNING)
        return data_list

    def _path(self, name: str) -> str:
        path = self.files[name].replace('{split}', self.split)
        return join_path(self.data_root, path) if self.data_root else path

    def _open(self, name: str, key: str = H5_KEY) -> H5Array:
        return H5Array(self._path(name), key, self.backend_args)

    def _read(self, name: str, key: str = H5_KEY) -> np.ndarray:
        array = self._open(name, key)
        try:
            return array[:]
        finally:
            array.close()

    def _read_labels(self, name: str, kind: str) -> np.ndarray:
        """Labels of all rows; opens their features, of which none is read yet."""
        labels = self._read(name)
        self._open_features(kind, name, len(labels))
        self._check_labels(name, labels)
        return labels

    def _open_features(self, kind: str, labels: str, number: int) -> None:
        visual, audio = self._open(f'{kind}visual'), self._open(f'{kind}audio')
        dimensions = 3 if self.supervision == 'cross_modality' else 5
        for array, expected in ((visual, dimensions), (audio, 3)):
            if len(array.shape) != expected:
                size = 'height, width, ' if expected == 5 else ''
                raise SampleError(
                    array.path, f'must be (videos, segments, {size}channels), got {array.shape}'
                )
            if len(array) != number:
                raise SampleError(
                    array.path,
                    f'has {len(array)} videos, {self._path(labels)} has {number}: they are no pair',
                )
        if visual.shape[1] != audio.shape[1]:
            raise SampleError(
                visual.path, f'has {visual.shape[1]} segments a video, {audio.path} has {audio.shape[1]}'
            )
        self.features[f'{kind}visual'], self.features[f'{kind}audio'] = visual, audio

    def _check_labels(self, name: str, labels: np.ndarray) -> None:
        path, segments, classes = self._path(name), self._num_segments, len(self.metainfo['classes']) + 1
        if self.supervision == 'cross_modality':
            shape: tuple[int, ...] = (len(labels), segments)
        elif self.weakly:
            shape = (len(labels), classes)
        else:
            shape = (len(labels), segments, classes)
        if labels.shape != shape:
            raise SampleError(path, f'has shape {labels.shape}, features and categories ask for {shape}')
        # NaN compares as false
        bad = ~((labels >= 0) & (labels <= 1)).reshape(len(labels), -1).all(1)
        if not self.weakly:
            bad |= ((labels != 0) & (labels != 1)).reshape(len(labels), -1).any(1)
        if name == 'labels' and self.supervision != 'cross_modality':
            bad |= (labels.sum(-1) != 1).any(1)
        if bad.any():
            raise SampleError(
                f'{path}, row {int(bad.argmax())}',
                'labels are 0 or 1, and each segment has one category or background',
            )

    @property
    def _num_segments(self) -> int:
        return self.features['audio'].shape[1]

    def _read_order(self, number: int) -> np.ndarray:
        path, order = self._path('order'), self._read('order', ORDER_KEY)
        if order.ndim != 1 or not len(order) or (order != order.round()).any():
            raise SampleError(path, f'must hold row numbers, got {order.shape} {order.dtype}')
        if order.min() < 0 or order.max() >= number:
            raise SampleError(
                path, f'has rows {order.min():.0f} to {order.max():.0f}, the labels have 0 to {number - 1}'
            )
        return order.astype(np.int64)

    def _read_names(self, number: int) -> list[str]:
        if not self.ann_file:
            return [f'{row:05d}' for row in range(number)]
        try:
            names = read_clip_names(self.ann_file, self.backend_args)
        except SampleError:
            raise
        except ValueError as error:
            raise SampleError(self.ann_file, f'no names can be read from it ({error})') from error
        if len(names) != number:
            raise SampleError(self.ann_file, f'names {len(names)} videos, the labels have {number} rows')
        return names

    def _describe(self, row: int, label: np.ndarray, name: str, kind: str = '') -> dict:
        label = label.astype(np.float32)
        info = dict(
            row=row,
            kind=kind,
            video_id=name,
            duration=self._num_segments * self.segment_duration,
            num_segments=self._num_segments,
            split=self.split,
        )
        if self.weakly:
            return dict(info, gt_events=label)
        if self.supervision == 'cross_modality':
            if not label.any() or np.count_nonzero(np.diff(label, prepend=0, append=0)) != 2:
                raise SampleError(
                    f'{self._path("labels")}, row {row}',
                    f'video {name} must have one event without a break, got {label.astype(int).tolist()}',
                )
            return dict(info, query_mask=label, gt_segments=label[:, None])
        seconds = label[:, :-1].sum(0)
        classes = self.metainfo['classes']
        category = classes[int(seconds.argmax())] if seconds.any() else BACKGROUND
        return dict(info, gt_segments=label, category=category)

    def prepare_data(self, idx: int) -> dict:
        """Video ``idx`` with its features, through the pipeline; SampleError if they cannot be read."""
        info = self.get_data_info(idx)
        row, kind = info.pop('row'), info.pop('kind')
        for name in ('visual', 'audio'):
            array = self.features[f'{kind}{name}']
            info[name] = array[row]
            if not np.isfinite(info[name]).all():
                raise SampleError(f'{array.path}, {info["video_id"]} (row {row})', 'holds NaN or infinity')
        return self.pipeline(info)
