"""Tracking as a metric of the evaluation loop: the columns of MM-DistillNet's Table 3 and today's.

Shapes: m true boxes and n boxes of tracks of a frame.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from mmdet.registry import METRICS, MODELS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmav.utils.checks import check_choice
from mmav.utils.errors import SampleError

from ..coco import check_one_frame, coco_ground_truth, load_coco
from ..functional.tracking import COUNTS, combine_counts, sequence_counts
from .condition_rows import rows_by_condition

# column of the table and name in the returned metrics -> name in tracking_metrics
RATES = dict(MOTA='mota', IDF1='idf1', HOTA='hota', DetA='det_a', AssA='ass_a')
NUMBERS = dict(
    IDs='num_switches',
    Frag='num_fragmentations',
    FP='num_false_positives',
    FN='num_misses',
    frames='num_frames',
    objects='num_objects',
    tracks='num_tracks',
)
SINGLE_VEHICLE = (False, True, 'stretches', 'drives')


@METRICS.register_module()
class TrackingMetric(BaseMetric):
    """MOTA, IDF1, HOTA, ID switches, fragmentations and errors of tracks, overall and by condition.

    Frames are put in order by ``drive`` and ``timestamp``, whatever order and process they come from; each
    drive is one sequence. Returned and logged as a table: rates in percent ``tracking/MOTA``, ``IDF1``,
    ``HOTA``, ``DetA``, ``AssA``, the counts ``IDs``, ``Frag``, ``FP``, ``FN``, ``frames``, ``objects`` (true
    boxes), ``tracks`` (true tracks); by condition ``tracking/night/MOTA`` etc. See
    :func:`mmav.evaluation.tracking_metrics`.

    Args:
        ann_file: COCO file whose annotations have a ``track_id``. Without it, metainfo
            ``instances`` of the data samples is used (``bbox``, ``bbox_label``, ``track_id``): put it into
            the ``meta_keys`` of the packing transform. Defaults to None.
        tracker: Config of the tracker that makes tracks of the detections of each sequence,
            with ``reset()`` and ``step(bboxes, scores, labels)``. Defaults to
            :class:`mmav.models.trackers.IoUTracker` with the paper's settings.
        predicted_ids: Run no tracker: predictions bring ``instances_id`` (negative: no track).
            Defaults to False.
        iou_thr: Lowest IoU of a track's box with the object it follows. Defaults to 0.5.
        single_vehicle_only: Leave scenes with several vehicles out, as Table 3 does. True or
            'stretches': scenes are the stretches of a drive between frames with several true vehicles, each
            tracked by itself. 'drives': scenes are whole drives. Defaults to False.
        max_gap: Seconds between frames above which a drive is cut in two sequences. Defaults to None: never.
        conditions: Metainfo keys that give a row to each of their values. Tracks are made of
            whole drives first. Defaults to time of day, motion and condition.
        backend_args: File backend of ``ann_file``. Defaults to None.
        collect_device: ``'cpu'`` or ``'gpu'``; see ``BaseMetric``.
        prefix: Prefix of the names. Defaults to ``'tracking'``.

    Raises:
        ValueError: An argument out of its range; a frame that comes twice.
        KeyError: A frame without drive, time stamp, truth or (where needed) ids.
        SampleError: An annotation without ``track_id``.

    Example:
        >>> box, metric = [0, 0, 10, 10], TrackingMetric(predicted_ids=True)
        >>> found = dict(bboxes=torch.tensor([box]), scores=torch.ones(1), labels=torch.zeros(1))
        >>> true = [dict(bbox=box, bbox_label=0, track_id=1)]
        >>> for second in (0, 1):  # object 1 is followed by track 7, then by track 8
        ...     pred = dict(found, instances_id=torch.tensor([7 + second]))
        ...     sample = dict(img_id=second, drive='town', timestamp=second, instances=true)
        ...     metric.process({}, [dict(sample, pred_instances=pred)])
        >>> metric.evaluate(size=2)['tracking/MOTA']
        50.0
    """

    default_prefix = 'tracking'

    def __init__(
        self,
        ann_file: str | None = None,
        tracker: dict | None = None,
        predicted_ids: bool = False,
        iou_thr: float = 0.5,
        single_vehicle_only: bool | str = False,
        max_gap: float | None = None,
        conditions: Sequence[str] = ('time_of_day', 'motion', 'condition'),
        backend_args: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_choice('TrackingMetric', 'single_vehicle_only', single_vehicle_only, SINGLE_VEHICLE)
        if not 0 < iou_thr <= 1:
            raise ValueError(f'iou_thr must be in 0..1, got {iou_thr}')
        if predicted_ids and tracker is not None:
            raise ValueError('predicted_ids=True runs no tracker: leave one of them away')
        self.tracker = None if predicted_ids else MODELS.build(tracker or dict(type='IoUTracker'))
        self.iou_thr = iou_thr
        self.single_vehicle_only = 'stretches' if single_vehicle_only is True else single_vehicle_only
        self.max_gap = max_gap
        self.conditions = tuple(conditions)
        self._coco = None if ann_file is None else load_coco(ann_file, backend_args)
        self._paths: dict = {}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep one batch's boxes.

        Samples have ``pred_instances``, ``img_id``, ``drive`` and ``timestamp``; the last two may stand in
        the COCO file instead.
        """
        for sample in data_samples:
            pred = sample['pred_instances']
            names = ['bboxes', 'scores', 'labels']
            if self.tracker is None:
                if 'instances_id' not in pred:
                    raise KeyError('the predictions have no instances_id: leave predicted_ids=False')
                names.append('instances_id')
            self.results.append(
                dict(
                    {name: pred[name].cpu().numpy() for name in names},
                    img_id=sample['img_id'],
                    drive=self._of_image(sample, 'drive'),
                    place=_place(sample),
                    timestamp=self._of_image(sample, 'timestamp'),
                    truth=self._truth(sample),
                    conditions={key: sample.get(key) for key in self.conditions},
                )
            )

    def _of_image(self, sample: dict, key: str) -> str | float:
        value = sample.get(key)
        if value is None and self._coco is not None:
            value = self._coco.load_imgs([sample['img_id']])[0].get(key)
        if value is None:
            raise KeyError(f'frame {sample["img_id"]} has no {key}, without which frames have no order')
        return value

    def _truth(self, sample: dict) -> np.ndarray:
        """True boxes (m, 6) of a frame: x1, y1, x2, y2, label, id."""
        if self._coco is not None:
            check_one_frame(self._coco, self._paths, sample)
            cat_ids = self._coco.get_cat_ids(cat_names=list(self.dataset_meta['classes']))
            return coco_ground_truth(self._coco, sample['img_id'], cat_ids, ['track_id'])
        if 'instances' not in sample:
            raise KeyError(
                "TrackingMetric found no truth: give it an ann_file, or add 'instances' to the meta_keys of "
                'the packing transform'
            )
        boxes = []
        for instance in sample['instances']:
            if instance.get('track_id') is None:
                raise SampleError(f'an instance of frame {sample["img_id"]}', 'has no track_id')
            if not instance.get('ignore_flag', 0):
                boxes.append([*instance['bbox'], instance['bbox_label'], instance['track_id']])
        return np.asarray(boxes, dtype=float).reshape(-1, 6)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Track, compare and log the table."""
        scenes = list(self._scenes(results))
        tracked = [
            [(frame['truth'], tracks) for frame, tracks in zip(scene, self._tracks(scene))]
            for scene in scenes
        ]
        names = [scene[0]['drive'] for scene in scenes]
        whole = [sequence_counts(frames, self.iou_thr, name) for frames, name in zip(tracked, names)]

        places = [(number, place) for number, scene in enumerate(scenes) for place in range(len(scene))]
        rows = rows_by_condition([scenes[n][place]['conditions'] for n, place in places], self.conditions)
        table = {}
        for row, chosen in rows.items():
            parts = defaultdict(list)
            for number, place in (places[index] for index in chosen):
                parts[number].append(tracked[number][place])
            counts = [
                whole[number]
                if len(part) == len(tracked[number])
                else sequence_counts(part, self.iou_thr, names[number])
                for number, part in parts.items()
            ]
            table[row] = self._figures(counts)
        logger = MMLogger.get_current_instance()
        if not scenes:
            logger.warning('no scene is left to evaluate tracking on')
        logger.info('\n' + self._format(table))
        return {
            name if row == 'all' else f'{row}/{name}': value
            for row, figures in table.items()
            for name, value in figures.items()
        }

    def _scenes(self, results: list) -> Iterator[list[dict]]:
        """Sequences of frames in order of time."""
        drives = defaultdict(list)
        for frame in results:
            drives[frame['drive'], frame['place']].append(frame)
        for (drive, _), frames in sorted(drives.items()):
            frames.sort(key=lambda frame: (frame['timestamp'], str(frame['img_id'])))
            if len({frame['img_id'] for frame in frames}) < len(frames):
                raise ValueError(f'a frame of the drive {drive} comes twice')
            crowded = [len(frame['truth']) > 1 for frame in frames]
            if self.single_vehicle_only == 'drives' and any(crowded):
                continue
            scene: list[dict] = []
            for frame, several in zip(frames, crowded):
                left_out = several and bool(self.single_vehicle_only)
                late = scene and self.max_gap is not None
                if left_out or (late and frame['timestamp'] - scene[-1]['timestamp'] > self.max_gap):
                    if scene:
                        yield scene
                    scene = []
                if not left_out:
                    scene.append(frame)
            if scene:
                yield scene

    def _tracks(self, frames: list[dict]) -> Iterator[np.ndarray]:
        """Boxes of tracks (n, 6) of each frame of a scene."""
        if self.tracker is not None:
            self.tracker.reset()
        for frame in frames:
            boxes = [frame[name] for name in ('bboxes', 'scores', 'labels')]
            ids = frame['instances_id'] if self.tracker is None else self.tracker.step(*boxes)
            columns = [frame['bboxes'], frame['labels'][:, None], np.asarray(ids)[:, None]]
            yield np.concatenate(columns, axis=1, dtype=float)[np.asarray(ids) >= 0]

    @staticmethod
    def _figures(counts: list[dict]) -> dict[str, float]:
        if counts:
            values = combine_counts(counts)
        else:
            values = dict(dict.fromkeys(RATES.values(), float('nan')), **dict.fromkeys(COUNTS, 0))
        return {name: values[source] for name, source in {**RATES, **NUMBERS}.items()}

    @staticmethod
    def _format(table: dict[str, dict]) -> str:
        rows = [['percent', *RATES, *NUMBERS]]
        for name, figures in table.items():
            rates = ('-' if np.isnan(figures[key]) else f'{figures[key]:.2f}' for key in RATES)
            rows.append([name, *rates, *(str(figures[key]) for key in NUMBERS)])
        return AsciiTable(rows).table


def _place(sample: dict) -> str:
    """Folder that the drive of a frame lies in: two data sets may have drives of one name."""
    drive = sample.get('drive')
    path = str(sample.get('img_path') or '')
    return path.rpartition(f'{drive}/')[0] if drive else ''
