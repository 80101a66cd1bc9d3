"""The multimodal audio-visual detection data set MAVD, and recordings laid out like it."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from logging import WARNING

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.dist import broadcast_object_list, get_dist_info
from mmengine.fileio import exists, join_path
from mmengine.logging import print_log
from tqdm import tqdm

from .errors import SampleError
from .mavd_layout import (
    AUDIO_EXTENSIONS,
    IMAGE_EXTENSIONS,
    MODALITY_FILES,
    find_condition_list,
    is_bogus,
    read_split_list,
    read_timestamps,
    split_file_name,
    timestamp_of,
)
from .microphones import OCTAGON_POSITIONS
from .prepared_store import PreparedStore
from .transforms import LoadMultichannelAudio, LoadVisualModalities

_INSTANCE_KEYS = ('track_id', 'visibility', 'distance', 'azimuth', 'audible', 'kind', 'score', 'modality')


@DATASETS.register_module()
class MAVDDataset(CocoDataset):
    """Frames of drives: 8 microphones, up to three cameras, boxes in the cropped camera image.

    The layout on disk is MAVD's published one, described with every convention in ``docs/data.md``. Annotations are
    COCO files, so mmdet's CocoMetric works. What the data set will yield is fixed and logged at start-up; nothing is
    replaced afterwards. Beside mmdet's keys a sample has ``drive``, ``frame_id``, ``timestamp`` (seconds),
    ``time_of_day``, ``motion``, ``condition`` (None where unknown), ``crop``, ``ori_shape``, ``img_shape``,
    ``microphone_positions`` and the files: ``modality_paths`` and ``audio_paths`` (one file a microphone) or
    ``audio_path`` and ``audio_offset`` (centre of the clip in the drive's recording, seconds), or ``prepared``.

    Args:
        ann_file (str): COCO file; '' takes the frames of ``split_file`` without labels. Defaults to ''.
        split_file (str, optional): List of ``<drive>/<id>``; only these frames are taken. None: all of ``ann_file``.
        modalities (Sequence[str], optional): Visual modalities that samples offer. None: those that the pipeline loads.
        time_of_day (str, optional): Only 'day' or 'night' frames: as the COCO file says, else the published lists.
        motion (str, optional): Only 'static' or 'drive' frames (ego vehicle); likewise.
        audio_layout (str): 'frame': files of a clip for each frame; 'drive': one recording per drive with
            ``timestamps.csv``. Defaults to 'frame'.
        audio_ext (str, optional): 'wav', 'flac', 'npy', 'mp3' or 'pkl'. None: what each drive has, in this order.
        num_microphones (int): Files of a frame's sound. Defaults to 8.
        crop (tuple[int], optional): (x1, y1, x2, y2) of the camera image's part that the boxes refer to.
            Defaults to (200, 0, 1720, 650); None for pictures that are cropped already.
        image_size (tuple[int], optional): (width, height) of unlabelled frames where ``crop`` is None.
        box_tolerance (float): Pixels by which a box may stick out of the image (it is clipped later). A box further out
            is an error: it usually means annotations in the uncropped image. Defaults to 2.
        on_error (str): 'raise': a bad annotation is an error at start-up, a file that cannot be read is one when its
            turn comes. 'skip': bad boxes and frames are left out at start-up, with their number and the first names in
            the log; for this every file is read once (see ``verify``). So length and order are the same in every
            process and every epoch, and no other sample takes a bad one's place. Defaults to 'raise'.
        verify (bool, optional): Run the pipeline's loading transforms on every frame at start-up, in threads; in
            distributed runs the first process does it for all. None: as ``on_error`` needs.
        prepared (str, optional): Folder of a prepared store to read sound and pictures from.
        modality_files (dict, optional): Further modalities: name to (folder in the drive, stem with ``{}`` for the id).
        **kwargs: Of mmdet's CocoDataset (data_root, pipeline, filter_cfg, backend_args, metainfo, ...).

    Raises:
        SampleError: Naming file, line or annotation, and what is wrong with it.
        ValueError: For bad or contradicting arguments.
    """

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
        **kwargs,
    ) -> None:
        for name, value, choices in (
            ('time_of_day', time_of_day, (None, 'day', 'night')),
            ('motion', motion, (None, 'static', 'drive')),
            ('audio_layout', audio_layout, ('frame', 'drive')),
            ('audio_ext', audio_ext, (None, *AUDIO_EXTENSIONS)),
            ('on_error', on_error, ('raise', 'skip')),
        ):
            if value not in choices:
                raise ValueError(f'{name} must be one of {choices}, got {value!r}')
        if not ann_file and not split_file:
            raise ValueError('give ann_file (labelled frames) or split_file (unlabelled ones), or both')
        if (
            not ann_file
            and (kwargs.get('filter_cfg') or {}).get('filter_empty_gt')
            and not kwargs.get('test_mode')
        ):
            raise ValueError('filter_cfg.filter_empty_gt would leave out every frame: there is no ann_file')
        if not ann_file and crop is None and image_size is None:
            raise ValueError('unlabelled frames need crop or image_size, to which boxes would refer')
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
        self.modality_files = dict(MODALITY_FILES, **(modality_files or {}))
        self.modalities = None if modalities is None else tuple(modalities)
        for name in self.modalities or ():
            if name not in self.modality_files:
                raise ValueError(f'unknown modality {name!r}: give its files in modality_files')
        self.store = PreparedStore(prepared) if prepared is not None else None
        self.left_out = Counter()
        self._extensions = {}
        super().__init__(ann_file=ann_file, data_prefix=data_prefix or dict(img=''), **kwargs)

    # ---- what the data set yields -------------------------------------------------------------------------------

    def load_data_list(self) -> list[dict]:
        """Frames in the order of the COCO file, else of the split list; see the class."""
        self.left_out = Counter()
        frames = None
        if self.split_file:
            frames = read_split_list(self._below_root(self.split_file), self.backend_args)
            bogus = [frame for frame in frames if is_bogus(frame[1])]
            if not self.ann_file:
                self.left_out['bogus ids'] += len(bogus)
            frames = [frame for frame in frames if not is_bogus(frame[1])]
        data_list = self._load_labelled(frames) if self.ann_file else self._load_unlabelled(frames)
        self._add_conditions(data_list)
        for key in ('time_of_day', 'motion'):
            data_list = self._keep_condition(data_list, key, getattr(self, key))
        if self.store is not None:
            data_list = self._each(data_list, 'frames not in the prepared store', self._add_prepared_row)
        elif self.audio_layout == 'drive':
            times = {}
            data_list = self._each(data_list, 'frames without a time stamp', self._add_audio_offset, times)
        return data_list

    def _load_labelled(self, frames: list | None) -> list[dict]:
        try:
            data_list = super().load_data_list()
        except (KeyError, TypeError, AssertionError) as error:
            raise SampleError(
                self.ann_file, f'not a sound COCO file ({type(error).__name__}: {error})'
            ) from error
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

    def _load_unlabelled(self, frames: list) -> list[dict]:
        self.cat_ids = list(range(1, len(self._metainfo['classes']) + 1))
        self.cat2label = {cat_id: label for label, cat_id in enumerate(self.cat_ids)}
        self.cat_img_map = defaultdict(list)
        width, height = self.image_size or (self.crop[2] - self.crop[0], self.crop[3] - self.crop[1])
        data_list = []
        for number, (drive, frame_id) in enumerate(frames, 1):
            info = dict(img_id=number, width=width, height=height, instances=[], seg_map_path=None)
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
        size = (image['width'], image['height'])
        if self.crop is not None and size != (self.crop[2] - self.crop[0], self.crop[3] - self.crop[1]):
            raise SampleError(
                source, f'its size is {size}, but crop is {self.crop}: boxes refer to the cropped image'
            )
        usable = []
        for annotation in annotations:
            reason = self._box_fault(annotation, size)
            if reason is None:
                usable.append(annotation)
            elif self.on_error == 'raise':
                raise SampleError(f'{self.ann_file}, annotation {annotation.get("id")}', reason)
            else:
                self.left_out['bad boxes'] += 1
        info = super().parse_data_info(dict(raw_img_info=image, raw_ann_info=usable))
        # CocoDataset leaves out what it ignores, in order, and drops the keys that tracking and analyses need.
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

    def _box_fault(self, annotation: dict, size: tuple[int, int]) -> str | None:
        """What is wrong with an annotation's box; None if nothing."""
        box = annotation.get('bbox')
        try:
            x, y, w, h = (float(value) for value in box)
        except (TypeError, ValueError):
            return f'its bbox {box} is not [x, y, width, height]'
        if not all(math.isfinite(value) for value in (x, y, w, h)):
            return f'its bbox {box} is not finite'
        if w < 1 or h < 1 or annotation.get('area', w * h) <= 0:
            return f'its bbox {box} (area {annotation.get("area")}) is degenerate: under one pixel'
        if x >= size[0] or y >= size[1] or x + w <= 0 or y + h <= 0:
            return f'its bbox {box} lies outside the image of {size[0]} x {size[1]} pixels'
        out = max(-x, -y, x + w - size[0], y + h - size[1])
        if out > self.box_tolerance:
            return (
                f'its bbox {box} sticks out of the image of {size[0]} x {size[1]} pixels by {out:.1f} '
                '(boxes refer to the cropped image; box_tolerance admits more)'
            )
        if 'area' not in annotation:
            return 'it has no area, which mmdet and CocoMetric need'
        return None

    # ---- conditions, stores, recordings -------------------------------------------------------------------------

    def _below_root(self, path: str) -> str:
        if path.startswith('/') or '://' in path or not self.data_root:
            return path
        return join_path(self.data_root, path)

    def _add_conditions(self, data_list: list[dict]) -> None:
        """Fill time of day and motion from the published lists where the annotations do not say them."""
        name = (self.split_file or self.ann_file).rsplit('/', 1)[-1].split('.')[0]
        split = name.split('_')[0]
        for key, values in (('time_of_day', ('day', 'night')), ('motion', ('static', 'drive'))):
            unknown = [info for info in data_list if info[key] is None]
            for value in values if unknown else ():
                condition = dict(time_of_day=None, motion=None)
                condition[key] = value
                root = self.data_prefix['img']
                frames = find_condition_list(root, split, backend_args=self.backend_args, **condition)
                for info in unknown if frames else ():
                    if (info['drive'], info['frame_id']) in frames:
                        info[key] = value

    def _keep_condition(self, data_list: list[dict], key: str, value: str | None) -> list[dict]:
        if value is None:
            return data_list
        unknown = [info for info in data_list if info[key] is None]
        if unknown:
            raise SampleError(
                self.ann_file or self.split_file,
                f'{key}={value!r} is asked for, but neither the annotations nor a published split list say it of '
                f'{len(unknown)} frames, the first {unknown[0]["drive"]}/{unknown[0]["frame_id"]}',
            )
        return [info for info in data_list if info[key] == value]

    def _each(self, data_list: list[dict], what: str, add, *args) -> list[dict]:
        """Apply ``add`` to every frame; leave out those that fail, if so asked."""
        kept = []
        for info in data_list:
            try:
                add(info, *args)
                kept.append(info)
            except SampleError:
                if self.on_error == 'raise':
                    raise
                self.left_out[what] += 1
        return kept

    def _add_prepared_row(self, info: dict) -> None:
        info['prepared_row'] = self.store.row(f'{info["drive"]}/{info["frame_id"]}')

    def _add_audio_offset(self, info: dict, times: dict) -> None:
        path = join_path(self.data_prefix['img'], info['drive'], 'audio', 'timestamps.csv')
        if path not in times:
            times[path] = read_timestamps(path, self.backend_args)
        if info['frame_id'] not in times[path]:
            raise SampleError(path, f'no line for the frame {info["frame_id"]}')
        info['audio_offset'] = times[path][info['frame_id']]

    # ---- verification -------------------------------------------------------------------------------------------

    def filter_data(self) -> list[dict]:
        """CocoDataset's filter, then the verification if asked for, then one line in the log."""
        data_list = super().filter_data()
        if self.verify:
            faults = self._find_faults(data_list)
            if faults and self.on_error == 'raise':
                raise SampleError(
                    f'{len(faults)} of {len(data_list)} frames cannot be used',
                    '; '.join(list(faults.values())[:10]),
                )
            self.left_out['unreadable frames'] += len(faults)
            for fault in list(faults.values())[:10]:
                print_log(f'left out: {fault}', 'current', WARNING)
            data_list = [info for number, info in enumerate(data_list) if number not in faults]
        left_out = {what: number for what, number in self.left_out.items() if number}
        print_log(
            f'{self.ann_file or self.split_file}: {len(data_list)} frames'
            + (f'; left out: {", ".join(f"{n} {what}" for what, n in left_out.items())}' if left_out else ''),
            'current',
            WARNING if left_out else 20,
        )
        if not data_list:
            raise SampleError(self.ann_file or self.split_file, 'no frame is left after filtering')
        return data_list

    def _loaders(self) -> list:
        return [
            t
            for t in self.pipeline.transforms
            if isinstance(t, (LoadMultichannelAudio, LoadVisualModalities))
        ]

    def _find_faults(self, data_list: list[dict]) -> dict[int, str]:
        """Number of each frame that a loading transform cannot read, with the reason."""
        loaders = self._loaders()

        def fault(info: dict) -> str | None:
            try:
                results = self._complete(dict(info))
                for loader in loaders:
                    results = loader(results)
            except SampleError as error:
                return str(error)
            return None

        rank, world_size = get_dist_info()
        answer = [None]
        if rank == 0:
            with ThreadPoolExecutor() as pool:
                reasons = tqdm(
                    pool.map(fault, data_list), 'verifying', len(data_list), disable=None, leave=False
                )
                answer = [{number: reason for number, reason in enumerate(reasons) if reason is not None}]
        if world_size > 1:
            broadcast_object_list(answer)
        return answer[0]

    # ---- one frame ----------------------------------------------------------------------------------------------

    def get_data_info(self, idx: int) -> dict:
        """Frame ``idx`` with its files, before the pipeline; see the class."""
        return self._complete(super().get_data_info(idx))

    def _complete(self, info: dict) -> dict:
        """Add to a listed frame what follows from its name."""
        info['ori_shape'] = info['img_shape'] = (info['height'], info['width'])
        info['crop'] = self.crop
        info['microphone_positions'] = self._metainfo['microphone_positions']
        info['audio_layout'] = self.audio_layout
        info.setdefault('img_path', None)
        drive_path = join_path(self.data_prefix['img'], info['drive'])
        if self.store is not None:
            info['prepared'] = self.store.frame(info.pop('prepared_row'))
            info['modality_paths'] = {}
        else:
            self._add_paths(info, drive_path)
        if info['img_path'] is None:
            folder, stem = MODALITY_FILES['rgb']
            stem = join_path(drive_path, folder, stem.format(info['frame_id']))
            info['img_path'] = (
                f'{stem}.{self._extension(stem, IMAGE_EXTENSIONS, info["drive"], "rgb") or "jpg"}'
            )
        return info

    def _add_paths(self, info: dict, drive_path: str) -> None:
        modalities = self.modalities
        if modalities is None:
            loaders = [t for t in self._loaders() if isinstance(t, LoadVisualModalities)]
            modalities = dict.fromkeys(name for loader in loaders for name in loader.modalities)
        info['modality_paths'] = {}
        for name in modalities:
            if name not in self.modality_files:
                raise ValueError(f'unknown modality {name!r}: give its files in modality_files')
            folder, stem = self.modality_files[name]
            if name == 'rgb' and info['img_path'] is not None:
                info['modality_paths'][name] = info['img_path']
                continue
            stem = join_path(drive_path, folder, stem.format(info['frame_id']))
            info['modality_paths'][name] = self._file(stem, IMAGE_EXTENSIONS, info['drive'], name)
        if not any(isinstance(t, LoadMultichannelAudio) for t in self._loaders()):
            return
        extensions = AUDIO_EXTENSIONS if self.audio_ext is None else (self.audio_ext,)
        if self.audio_layout == 'drive':
            stem = join_path(drive_path, 'audio', 'drive')
            info['audio_path'] = self._file(stem, extensions, info['drive'], 'audio')
        else:
            stems = [
                join_path(drive_path, 'audio', f'audio_{k}_{info["frame_id"]}')
                for k in range(self.num_microphones)
            ]
            extension = self._file(stems[0], extensions, info['drive'], 'audio').rsplit('.', 1)[-1]
            info['audio_paths'] = [f'{stem}.{extension}' for stem in stems]

    def _file(self, stem: str, extensions: Sequence[str], drive: str, kind: str) -> str:
        extension = self._extension(stem, extensions, drive, kind)
        if extension is None:
            raise SampleError(f'{stem}.*', f'no such {kind} file (looked for {", ".join(extensions)})')
        return f'{stem}.{extension}'

    def _extension(self, stem: str, extensions: Sequence[str], drive: str, kind: str) -> str | None:
        """Extension of a kind of file in a drive, looked up once a drive."""
        if len(extensions) == 1:
            return extensions[0]
        key = (drive, kind)
        if key not in self._extensions:
            found = [ext for ext in extensions if exists(f'{stem}.{ext}', backend_args=self.backend_args)]
            if not found:
                return None
            self._extensions[key] = found[0]
        return self._extensions[key]
