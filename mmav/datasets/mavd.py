"""The multimodal audio-visual detection data set MAVD, and recordings laid out like it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.fileio import join_path

from mmav.media.coco_file import CheckedCOCO
from mmav.structures.rig_checks import array_of
from mmav.utils.checks import check_below, check_choice
from mmav.utils.errors import SampleError, StorageError, malformed
from mmav.utils.readers import read_json
from mmav.utils.storage import backend_errors, file_exists

from .box_checks import box_error
from .data_root import below_root, hand_down
from .mavd_conditions import CONDITIONS, fill_conditions, keep_condition
from .mavd_layout import (
    AUDIO_EXTENSIONS,
    FrameFiles,
    is_bogus,
    read_split_list,
    read_timestamps,
    split_file_name,
    timestamp_of,
)
from .mavd_rig import read_rig
from .microphones import OCTAGON_POSITIONS
from .stores.prepared_store import PreparedStore
from .transforms import LoadMultichannelAudio, LoadVisualModalities
from .verification import drop_faults, log_left_out

_INSTANCE_KEYS = ('track_id', 'visibility', 'distance', 'azimuth', 'audible', 'kind', 'score', 'modality')


@DATASETS.register_module()
class MAVDDataset(CocoDataset):
    """Frames of drives: 8 microphones, up to three cameras, boxes in the cropped camera image.

    ``docs/data.md`` describes the published layout and its conventions, and what becomes of bad data.
    Annotations are COCO files, so mmdet's CocoMetric works. What the data set will yield is fixed and logged
    at start-up; nothing is replaced afterwards. Beside mmdet's keys a sample has ``drive``, ``frame_id``,
    ``timestamp`` (seconds), ``time_of_day``, ``motion``, ``condition`` (None where unknown), ``crop``,
    ``ori_shape``, ``img_shape``, ``microphone_positions`` and the files: ``modality_paths`` and
    ``audio_paths`` (one file a microphone) or ``audio_path`` and ``audio_offset`` (center of the clip in the
    drive's recording, seconds), or ``prepared``. Where a ``rig.json`` lies beside the drives, the metainfo
    holds it as ``rig`` (:meth:`mmav.structures.Rig.to_dict`).

    Args:
        ann_file: COCO file; '' takes the frames of ``split_file`` without labels. Defaults to ''.
        split_file: List of ``<drive>/<id>``; only these frames are taken. None: all of ``ann_file``.
        modalities: Visual modalities that samples offer. None: those that the pipeline loads.
        time_of_day: Only 'day' or 'night' frames: as the COCO file says, else the published lists.
        motion: Only 'static' or 'drive' frames (ego vehicle); likewise.
        audio_layout: 'frame': files of a clip for each frame; 'drive': one recording per drive with
            ``timestamps.csv``. Defaults to 'frame'.
        audio_ext: 'wav', 'flac', 'npy', 'mp3' or 'pkl'. None: what each drive has, in this order.
        num_microphones: Files of a frame's sound. Defaults to 8.
        crop: (x1, y1, x2, y2) of the camera image's part that the boxes refer to.
            Defaults to (200, 0, 1720, 650); None for images that are cropped already.
        image_size: (width, height) of unlabeled frames where ``crop`` is None.
        box_tolerance: Pixels by which a box may stick out of the image without an error. Defaults to 2.
        on_error: 'raise': bad annotations are an error at start-up, unreadable files when their turn comes.
            'skip': they are left out at start-up and logged. Defaults to 'raise'.
        verify: Read the files of every frame at start-up, in threads. None: as ``on_error`` needs.
        prepared: Folder of a prepared store to read sound and images from, or its address on a server.
        modality_files: Further modalities: name to (folder in the drive, stem with ``{}`` for the id).
        **kwargs: Of mmdet's CocoDataset (data_root, pipeline, filter_cfg, backend_args, metainfo, ...).
            Loading transforms that have no ``backend_args`` take the data set's.

    Raises:
        SampleError: Naming file, line or annotation, and what is wrong with it.
    """

    COCOAPI: Callable[..., CheckedCOCO] = CheckedCOCO
    METAINFO = dict(
        classes=('vehicle',),
        palette=[(220, 20, 60)],
        microphone_positions=OCTAGON_POSITIONS,
    )

    def __init__(
        self,
        ann_file: str = '',
        split_file: str | None = None,
        modalities: Sequence[str] | None = None,
        time_of_day: str | None = None,
        motion: str | None = None,
        audio_layout: str = 'frame',
        audio_ext: str | None = None,
        num_microphones: int = 8,
        crop: Sequence[int] | None = (200, 0, 1720, 650),
        image_size: tuple[int, int] | None = None,
        box_tolerance: float = 2.0,
        on_error: str = 'raise',
        verify: bool | None = None,
        prepared: str | None = None,
        modality_files: dict | None = None,
        data_prefix: dict | None = None,
        **kwargs: Any,
    ) -> None:
        for name, value, choices in (
            ('time_of_day', time_of_day, (None, *CONDITIONS['time_of_day'])),
            ('motion', motion, (None, *CONDITIONS['motion'])),
            ('audio_layout', audio_layout, ('frame', 'drive')),
            ('audio_ext', audio_ext, (None, *AUDIO_EXTENSIONS)),
            ('on_error', on_error, ('raise', 'skip')),
        ):
            check_choice('MAVDDataset', name, value, choices)
        if not ann_file and not split_file:
            raise ValueError('give ann_file (labeled frames) or split_file (unlabeled ones), or both')
        if (
            not ann_file
            and (kwargs.get('filter_cfg') or {}).get('filter_empty_gt')
            and not kwargs.get('test_mode')
        ):
            raise ValueError('filter_cfg.filter_empty_gt would leave out every frame: there is no ann_file')
        if not ann_file and crop is None and image_size is None:
            raise ValueError('unlabeled frames need crop or image_size, to which boxes would refer')
        self.split_file = split_file
        self.time_of_day = time_of_day
        self.motion = motion
        self.audio_layout = audio_layout
        self.audio_ext = audio_ext
        self.num_microphones = num_microphones
        self.crop = None if crop is None else tuple(crop)
        self.image_size = image_size
        self.box_tolerance = box_tolerance
        self.on_error = on_error
        self.verify = on_error == 'skip' if verify is None else verify
        if on_error == 'skip' and not self.verify:
            raise ValueError(
                "on_error='skip' must read every file at start-up: leave verify alone or set it to True"
            )
        self.modalities = None if modalities is None else tuple(modalities)
        self.modality_files = modality_files
        self.store = None if prepared is None else PreparedStore(prepared, kwargs.get('backend_args'))
        if self.store is not None and self.store.crop != self.crop:
            raise ValueError(
                f'{prepared} was prepared with crop {self.store.crop}, this data set has {self.crop}'
            )
        self.left_out: Counter[str] = Counter()
        metainfo = kwargs.get('metainfo') or {}
        self._geometry_given = 'microphone_positions' in metainfo
        self._rig_given = 'rig' in metainfo
        super().__init__(ann_file=ann_file, data_prefix=data_prefix or dict(img=''), **kwargs)

    # what the data set yields

    def load_data_list(self) -> list[dict]:
        """Frames in the order of the COCO file, else of the split list; see the class."""
        self.left_out = Counter()
        hand_down(self.backend_args, self._loaders())
        self._files = FrameFiles(
            self.data_prefix['img'],
            self.audio_layout,
            self.audio_ext,
            self.num_microphones,
            self.modality_files,
            self.backend_args,
        )
        rig = None if self._rig_given else read_rig(self.data_prefix['img'], self.crop, self.backend_args)
        if rig is not None:
            self._metainfo['rig'] = rig
        self._take_geometry()
        frames = None
        if self.split_file:
            frames = read_split_list(below_root(self.data_root, self.split_file), self.backend_args)
            bogus = [frame for frame in frames if is_bogus(frame[1])]
            if not self.ann_file:
                self.left_out['bogus ids'] += len(bogus)
            frames = [frame for frame in frames if not is_bogus(frame[1])]
        if self.ann_file or frames is None:
            data_list = self._load_labeled(frames)
        else:
            data_list = self._load_unlabeled(frames)
        source = self.split_file or self.ann_file
        split = source.rsplit('/', 1)[-1].split('.')[0].split('_')[0]
        fill_conditions(data_list, self.data_prefix['img'], split, self.backend_args)
        for key in CONDITIONS:
            data_list = keep_condition(data_list, key, getattr(self, key), source)
        if self.store is not None:
            data_list = self._each(
                data_list, 'frames not in the prepared store', self._add_prepared_row, self.store
            )
        elif self.audio_layout == 'drive':
            times: dict[str, dict] = {}
            data_list = self._each(data_list, 'frames without a time stamp', self._add_audio_offset, times)
        return data_list

    def _take_geometry(self) -> None:
        """Microphone positions of the configuration, else of simulated data's manifest, else of the rig."""
        if self._geometry_given:
            return
        path, positions = join_path(self.data_prefix['img'], 'manifest.json'), None
        if file_exists(path, self.backend_args):
            manifest = read_json(path, self.backend_args)
            if not isinstance(manifest, dict):
                raise SampleError(path, f'must hold an object with keys, got a {type(manifest).__name__}')
            positions = manifest.get('microphone_positions')
        if positions is None and self._metainfo.get('rig') is not None:
            positions = np.asarray(self._metainfo['rig']['microphone_positions'])
            positions = (positions - positions.mean(0)).round(9).tolist()
        if positions is not None:
            try:
                checked = array_of('microphone_positions', positions, '(M, 3)', None, 3)
            except ValueError as error:
                raise SampleError(path, str(error)) from error
            self._metainfo['microphone_positions'] = tuple(map(tuple, checked.tolist()))

    def _load_labeled(self, frames: list | None) -> list[dict]:
        self.COCOAPI = partial(CheckedCOCO, source=self.ann_file)  # mmdet gives it the path of a local copy
        with backend_errors(self.ann_file), malformed(self.ann_file, 'no valid COCO file'):
            data_list = super().load_data_list()
        missing = len(self._metainfo['classes']) - len(self.cat_ids)
        if missing:
            raise SampleError(
                self.ann_file,
                f'{missing} of the classes {self._metainfo["classes"]} are not among its categories',
            )
        data_list = [info for info in data_list if info is not None]
        if frames is not None:
            wanted = set(frames)
            data_list = [info for info in data_list if (info['drive'], info['frame_id']) in wanted]
            self.left_out['listed frames without an entry in the annotations'] += len(wanted) - len(data_list)
        return data_list

    def _load_unlabeled(self, frames: list) -> list[dict]:
        self.cat_ids = list(range(1, len(self._metainfo['classes']) + 1))
        self.cat2label = {cat_id: label for label, cat_id in enumerate(self.cat_ids)}
        self.cat_img_map: dict[int, list[int]] = defaultdict(list)
        x1, y1, x2, y2 = self.crop or (0, 0, 0, 0)
        width, height = self.image_size or (x2 - x1, y2 - y1)
        data_list = []
        for number, (drive, frame_id) in enumerate(frames, 1):
            info: dict[str, Any] = dict(
                img_id=number, width=width, height=height, instances=[], seg_map_path=None
            )
            data_list.append(self._describe(info, {}, drive, frame_id))
        return data_list

    def parse_data_info(self, raw_data_info: dict) -> dict | None:
        """One COCO image and its annotations; None for a bogus id."""
        image, annotations = raw_data_info['raw_img_info'], raw_data_info['raw_ann_info']
        source = f'{self.ann_file}, image {image["id"]}'
        if 'drive' in image and 'frame_id' in image:
            drive, frame_id = image['drive'], image['frame_id']
        else:
            try:
                drive, frame_id = split_file_name(image['file_name'])
            except ValueError as error:
                raise SampleError(source, str(error)) from None
        if is_bogus(frame_id):
            self.left_out['bogus ids'] += 1
            return None
        for name in (image['file_name'], f'{drive}/{frame_id}'):
            check_below(name, source)
        size = (image['width'], image['height'])
        if self.crop is not None and size != (self.crop[2] - self.crop[0], self.crop[3] - self.crop[1]):
            raise SampleError(
                source, f'its size is {size}, but crop is {self.crop}: boxes refer to the cropped image'
            )
        usable = []
        for annotation in annotations:
            reason = box_error(annotation, size, self.box_tolerance)
            if reason is None:
                usable.append(annotation)
            elif self.on_error == 'raise':
                raise SampleError(f'{self.ann_file}, annotation {annotation.get("id")}', reason)
            else:
                self.left_out['bad boxes'] += 1
        info = super().parse_data_info(dict(raw_img_info=image, raw_ann_info=usable))
        # CocoDataset keeps the order, leaves out what it ignores, and drops the keys that tracking needs.
        kept = [ann for ann in usable if not ann.get('ignore') and ann['category_id'] in self.cat_ids]
        for instance, annotation in zip(info['instances'], kept):
            instance.update({key: annotation[key] for key in _INSTANCE_KEYS if key in annotation})
        return self._describe(info, image, drive, frame_id)

    def _describe(self, info: dict, image: dict, drive: str, frame_id: str) -> dict:
        timestamp = image.get('timestamp')
        info.update(
            drive=drive,
            frame_id=frame_id,
            timestamp=timestamp_of(frame_id) if timestamp is None else timestamp,
            time_of_day=image.get('time_of_day'),
            motion=image.get('motion'),
            condition=image.get('condition'),
        )
        return info

    # conditions, stores, recordings

    def _each(self, data_list: list[dict], what: str, add: Callable, *args: Any) -> list[dict]:
        """Apply ``add`` to every frame; leave out those that fail, if so asked."""
        kept = []
        for info in data_list:
            try:
                add(info, *args)
                kept.append(info)
            except StorageError:
                raise
            except SampleError:
                if self.on_error == 'raise':
                    raise
                self.left_out[what] += 1
        return kept

    def _add_prepared_row(self, info: dict, store: PreparedStore) -> None:
        info['prepared_row'] = store.row(f'{info["drive"]}/{info["frame_id"]}')

    def _add_audio_offset(self, info: dict, times: dict) -> None:
        path = self._files.timestamps(info['drive'])
        if path not in times:
            times[path] = read_timestamps(path, self.backend_args)
        if info['frame_id'] not in times[path]:
            raise SampleError(path, f'no line for the frame {info["frame_id"]}')
        info['audio_offset'] = times[path][info['frame_id']]

    # verification

    def filter_data(self) -> list[dict]:
        """CocoDataset's filter, then the verification if asked for, then one line in the log."""
        data_list = super().filter_data()
        if self.verify:
            kept = drop_faults(data_list, self._read, self.on_error, 'frames')
            self.left_out['unreadable frames'] += len(data_list) - len(kept)
            data_list = kept
        log_left_out(str(self.ann_file or self.split_file), data_list, 'frames', self.left_out)
        return data_list

    def _loaders(self) -> list:
        return [
            t
            for t in self.pipeline.transforms
            if isinstance(t, (LoadMultichannelAudio, LoadVisualModalities))
        ]

    def _read(self, info: dict) -> None:
        results = self._complete(dict(info))
        for loader in self._loaders():
            results = loader(results)

    # one frame

    def frame_name(self, idx: int) -> str:
        """``<drive>/<id>`` of frame ``idx``."""
        info = super().get_data_info(idx)
        return f'{info["drive"]}/{info["frame_id"]}'

    def get_data_info(self, idx: int) -> dict:
        """Frame ``idx`` with its files, before the pipeline; see the class."""
        return self._complete(super().get_data_info(idx))

    def _complete(self, info: dict) -> dict:
        """Add to a listed frame what follows from its name."""
        drive, frame_id = info['drive'], info['frame_id']
        info['ori_shape'] = info['img_shape'] = (info['height'], info['width'])
        info['crop'] = self.crop
        info['microphone_positions'] = self._metainfo['microphone_positions']
        info['audio_layout'] = self.audio_layout
        if 'img_path' not in info:
            info['img_path'] = self._files.images(drive, frame_id, ['rgb'])['rgb']
        if self.store is not None:
            info['prepared'] = self.store.frame(info.pop('prepared_row'))
            return info
        modalities = self._modalities_in_use()
        others = [name for name in modalities if name != 'rgb']
        info['modality_paths'] = self._files.images(drive, frame_id, others)
        if 'rgb' in modalities:
            info['modality_paths']['rgb'] = info['img_path']
        if any(isinstance(loader, LoadMultichannelAudio) for loader in self._loaders()):
            info.update(self._files.sound(drive, frame_id))
        return info

    def _modalities_in_use(self) -> list[str]:
        if self.modalities is not None:
            return list(self.modalities)
        loaders = [loader for loader in self._loaders() if isinstance(loader, LoadVisualModalities)]
        return list(dict.fromkeys(name for loader in loaders for name in loader.modalities))
