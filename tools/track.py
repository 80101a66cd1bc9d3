"""Track vehicles by sound: from a drive, or a recording of a microphone array, to tracks and a video.

    python tools/track.py config.py checkpoint.pth --out-dir tracks                       all test drives
    python tools/track.py config.py checkpoint.pth --drives test_0003 --truth --out-dir tracks
    python tools/track.py config.py checkpoint.pth --recordings street.wav --stride 0.1 --out-dir tracks

writes ``<drive>.txt`` in the format of MOTChallenge and ``<drive>.mp4`` with boxes and ids over the camera
images. Boxes are in pixels of the cropped camera image.
"""

import argparse
import copy
import itertools
import operator
import statistics
from collections.abc import Iterator, Mapping
from functools import partial
from logging import WARNING
from pathlib import Path

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
import numpy as np
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.fileio import exists
from mmengine.logging import print_log
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from mmav.apis import AudioDetInferencer, collect_clips
from mmav.apis.command_line import add_model_arguments, build_inferencer
from mmav.datasets.transforms.load_visual_modalities import read_image
from mmav.evaluation import TrackingMetric
from mmav.media.video_writer import VideoWriter
from mmav.models.trackers import IoUTracker
from mmav.models.trackers.mot_challenge import mot_challenge_text
from mmav.structures.rig_comparison import check_same_rig, rig_of_metainfo
from mmav.utils.checks import check_distinct
from mmav.utils.command_line import ToolParser
from mmav.utils.config_parts import common_dataset, dataset_name, dataset_of, inner_datasets
from mmav.utils.errors import one_line_errors
from mmav.utils.fileio import AtomicLocalBackend, write_json
from mmav.utils.joined_datasets import build_joined, built_datasets
from mmav.visualization import crop_to_sample, draw_tracks

TRACKER_OPTIONS = ('init_score_thr', 'iou_thr', 'score_thr', 'patience')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add_model_arguments(parser, detector=True)
    parser.add_output('--out-dir', required=True, type=Path, help='folder of the tracks')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='test', help='default: test')
    parser.add_argument('--drives', nargs='+', help='drives of the split; default: all')
    parser.add_argument(
        '--recordings', nargs='+', help='instead of drives: sound files with a channel for each microphone'
    )
    parser.add_argument('--images', nargs='+', help='camera image below the boxes: one, or one a recording')
    parser.add_argument(
        '--stride', type=float, default=0.1, help='seconds between the frames of a recording; default: 0.1'
    )
    parser.add_argument('--truth', action='store_true', help="draw the annotations' boxes, print the metrics")
    parser.add_argument(
        '--single-vehicle-only', action='store_true', help='metrics without scenes of several vehicles'
    )
    parser.add_argument('--init-score-thr', type=float, help='score that starts a track; default: 0.8')
    parser.add_argument('--iou-thr', type=float, help='overlap that links boxes; default: 0.5')
    parser.add_argument('--score-thr', type=float, help='score that continues a track; default: 0.3')
    parser.add_argument('--patience', type=int, help='frames a track may miss; default: 0')
    parser.add_argument('--fps', type=float, help='of the videos; default: as the frames were taken')
    parser.add_argument('--no-video', action='store_true', help='text files alone')
    parser.add_argument('--workers', type=int, default=0, help='processes that load a drive; default: none')
    parser.add_argument('--force', action='store_true', help='overwrite files that exist')
    args = parser.parse_args()
    if args.recordings and (args.truth or args.drives):
        parser.error('--drives and --truth belong to a data set, not to --recordings')
    if args.images and not args.recordings:
        parser.error('--images goes with --recordings')
    if args.single_vehicle_only and not args.truth:
        parser.error('--single-vehicle-only goes with --truth')
    for name in ('stride', 'fps', 'batch_size'):
        if getattr(args, name) is not None and getattr(args, name) <= 0:
            parser.error(f'--{name.replace("_", "-")} must be positive')
    return args


class DriveSource:
    """Frames of a data set's drives in order of time, with predictions."""

    def __init__(self, inferencer: AudioDetInferencer, args: argparse.Namespace, cfg: Config) -> None:
        self.inferencer, self.args = inferencer, args
        self.dataset = build_dataset(cfg, args.split)
        self.parts: dict[str, Dataset] = {}  # data set of each drive
        frames = []
        for part in built_datasets(self.dataset):
            check_rig(part, inferencer)
            infos = [part.get_data_info(index) for index in range(len(part))]
            for drive in {info['drive'] for info in infos}:
                if drive in self.parts:
                    names = f'{dataset_name(self.parts[drive])} and {dataset_name(part)}'
                    raise ValueError(f'the drive {drive} is in {names}: track one of them alone')
                self.parts[drive] = part
            frames += infos
        drives = sorted(self.parts)
        unknown = sorted(set(args.drives or ()) - set(drives))
        if unknown:
            raise ValueError(f'no drive {", ".join(unknown)} in {args.split}; there are {drives}')
        wanted = set(args.drives or drives)
        places = sorted(
            (info['drive'], info['timestamp'], index)
            for index, info in enumerate(frames)
            if info['drive'] in wanted
        )
        self.order = [index for _, _, index in places]
        self.rates = {}
        for drive in sorted(wanted):
            times = np.diff([time for name, time, _ in places if name == drive])
            self.rates[drive] = 1 / max(statistics.median(times), 1e-3) if len(times) else 1.0
        self.total = len(self.order)

    def __iter__(self) -> Iterator[tuple[str, DetDataSample]]:
        loader = DataLoader(
            Subset(self.dataset, self.order),
            batch_size=self.args.batch_size,
            num_workers=self.args.workers,
            collate_fn=pseudo_collate,
        )
        for batch in loader:
            for sample in self.inferencer.forward(batch):
                yield sample.drive, sample

    def camera_image(self, sample: DetDataSample) -> np.ndarray | None:
        """The camera image of a frame, if there is one."""
        backend_args = self.parts[sample.drive].backend_args
        if not exists(sample.img_path, backend_args=backend_args):
            return None
        return read_image(sample.img_path, backend_args)


class RecordingSource:
    """Windows of recordings in order of time, with predictions; arguments as of :class:`DriveSource`."""

    def __init__(self, inferencer: AudioDetInferencer, args: argparse.Namespace, cfg: Config) -> None:
        self.inferencer, self.args = inferencer, args
        self.clips = collect_clips(args.recordings, inferencer.num_channels)
        self.names = [Path(clip.name).stem for clip in self.clips]
        check_distinct((clip.sources[0], name) for clip, name in zip(self.clips, self.names))
        images = args.images or [None]
        if len(images) not in (1, len(self.clips)):
            raise ValueError(f'{len(images)} images for {len(self.clips)} recordings')
        images = images * len(self.clips) if len(images) == 1 else images
        self.images = [None if path is None else read_image(path) for path in images]
        self.rates = dict.fromkeys(self.names, 1 / args.stride)
        self.total = None

    def __iter__(self) -> Iterator[tuple[str, DetDataSample]]:
        for _, batch in self.inferencer.preprocess(self.clips, self.args.batch_size, stride=self.args.stride):
            for sample in self.inferencer.forward(batch):
                yield self.names[sample.input_index], sample

    def camera_image(self, sample: DetDataSample) -> np.ndarray | None:
        """The camera image that the user gave, if any."""
        return self.images[sample.input_index]


def check_rig(dataset: Dataset, inferencer: AudioDetInferencer) -> None:
    """ValueError unless rig and crop of the drives' metainfo are those that the detector hears with."""
    remedy = '--rig names the rig of the drives; --allow-other-rig makes a warning of it'
    warn = partial(print_log, logger='current', level=WARNING) if inferencer.allow_other_rig else None
    check_same_rig(rig_of_metainfo(dataset.metainfo), {'detector': inferencer.rig}, 'drives', remedy, warn)
    crop = getattr(dataset, 'crop', None)
    if crop != inferencer.crop:
        raise ValueError(f'crop: that of the drives is {crop}, that of the rig {inferencer.crop}')


def build_dataset(cfg: Config, split: str) -> Dataset:
    """The frames of a split as they are tested: with the test pipeline, nothing shuffled or left out."""
    tested = common_dataset(
        dataset_of(cfg), lambda dataset: dict(pipeline=dataset.get('pipeline')), 'test_dataloader.dataset'
    )
    configs = inner_datasets(dataset_of(cfg, split))
    for config in configs:
        config.update(pipeline=copy.deepcopy(tested.pipeline), test_mode=True)
    return build_joined(configs)


def build_metric(dataset: Dataset, args: argparse.Namespace) -> TrackingMetric:
    """Compares tracks with the annotations of a data set; ValueError if there are none."""
    if not dataset.ann_file:
        raise ValueError(f'--truth needs annotations, the {args.split} set of the config has none')
    metric = TrackingMetric(
        dataset.ann_file,
        predicted_ids=True,
        single_vehicle_only=args.single_vehicle_only,
        backend_args=dataset.backend_args,
    )
    metric.dataset_meta = dataset.metainfo
    return metric


def canvas(image: np.ndarray | None, sample: DetDataSample) -> np.ndarray:
    """What is drawn on: the camera image, cropped to what boxes refer to, or black."""
    height, width = sample.ori_shape[:2]
    if image is None:
        return np.zeros((height, width, 3), np.uint8)
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    return image if image.shape[:2] == (height, width) else crop_to_sample(image, sample)


def track_all(
    source: DriveSource | RecordingSource,
    tracker: IoUTracker,
    args: argparse.Namespace,
    metrics: Mapping[str, TrackingMetric] | None = None,
) -> dict:
    """Track every sequence, write its files and feed its metric; numbers of frames and tracks of each."""
    summary = {}
    progress = tqdm(source, desc='Tracking', unit=' frames', total=source.total)
    for name, frames in itertools.groupby(progress, key=operator.itemgetter(0)):
        tracker.reset()
        rows = []
        stem = args.out_dir / file_stem(name)
        with VideoWriter(stem.with_name(f'{stem.name}.mp4'), args.fps or source.rates[name]) as video:
            for _, sample in frames:
                tracked = tracker.track(data_sample=sample)
                rows.append([tracked[key].numpy() for key in ('instances_id', 'bboxes', 'scores')])
                truth = None
                if metrics is not None:
                    metric = metrics[name]
                    sample.pred_instances = tracked
                    metric.process({}, [sample.to_dict()])
                    truth = metric.results[-1]['truth'][:, :4]
                if not args.no_video:
                    image = canvas(source.camera_image(sample), sample)
                    video.write(draw_tracks(image, rows[-1][1], rows[-1][0], truth))
        AtomicLocalBackend().put_text(mot_challenge_text(rows), stem.with_name(f'{stem.name}.txt'))
        number = len({identity for ids, *_ in rows for identity in ids.tolist()})
        summary[name] = dict(frames=len(rows), tracks=number)
    return summary


def file_stem(name: str) -> str:
    """Name of a sequence's files; drives may lie in folders."""
    return name.replace('/', '_')


@one_line_errors()
def main() -> None:
    """Track, write and print."""
    args = parse_args()
    inferencer = build_inferencer(AudioDetInferencer, args, show_progress=False)
    cfg = inferencer.cfg
    if not args.recordings and not inferencer.takes_features:  # a file of export_onnx.py
        raise ValueError(f'{args.config} names no drives: give --recordings')
    given = {name: getattr(args, name) for name in TRACKER_OPTIONS if getattr(args, name) is not None}
    tracker = MODELS.build({'_scope_': 'mmdet', **cfg.get('tracker', dict(type='IoUTracker')), **given})
    source = (RecordingSource if args.recordings else DriveSource)(inferencer, args, cfg)
    check_distinct((name, file_stem(name)) for name in source.rates)
    targets = [
        args.out_dir / f'{file_stem(name)}.{suffix}'
        for name in source.rates
        for suffix in (('txt',) if args.no_video else ('txt', 'mp4'))
    ]
    targets += [args.out_dir / 'metrics.json'] if args.truth else []
    present = [str(path) for path in targets if path.exists()]
    if present and not args.force:
        raise ValueError(f'{", ".join(present)} exist; --force overwrites them')

    metrics = None
    if args.truth:
        of_parts = {id(part): build_metric(part, args) for part in built_datasets(source.dataset)}
        metrics = {drive: of_parts[id(part)] for drive, part in source.parts.items()}
    for name, numbers in track_all(source, tracker, args, metrics).items():
        print(f'{name}: {numbers["tracks"]} tracks in {numbers["frames"]} frames')
    if metrics is not None:
        metric, *others = of_parts.values()
        metric.results += [frame for other in others for frame in other.results]
        write_json(args.out_dir / 'metrics.json', metric.evaluate(len(metric.results)), indent=1)


if __name__ == '__main__':
    main()
