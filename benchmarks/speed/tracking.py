"""Benchmark of the tracker, and the frames that it and the metrics are measured on.

n: detections of a frame; m: true boxes of a frame.
"""

from collections.abc import Callable

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment

from mmav.models.trackers import IoUTracker

from .pairs import Comparison, pinned_threads, time_pairs

WIDTH, HEIGHT = 1520, 650
FRAMES_PER_DRIVE = 200
CONDITIONS = ('day', 'dusk', 'night', 'fog')


def drive_frames(
    num_frames: int, vehicles: tuple[int, int] = (2, 4), alarms: int = 2, seed: int = 0
) -> list[dict]:
    """Frames like those of a detector on MAVD: vehicles that drive by, one in ten missed, false alarms.

    Args:
        num_frames: Of all drives together.
        vehicles: Fewest and most of a drive.
        alarms: Most false alarms of a frame.
        seed: Of everything.

    Returns:
        In order of time: ``drive``, ``timestamp``, ``condition``; ``truth`` (m, 6) as x1, y1, x2,
        y2, label, id; ``boxes`` (n, 4) and ``scores`` (n,), both float32.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for start in range(0, num_frames, FRAMES_PER_DRIVE):
        count = rng.integers(vehicles[0], vehicles[1] + 1)
        place = rng.uniform((0, 250), (WIDTH - 200, 450), (count, 2))
        speed, size = rng.uniform(-6, 6, (count, 2)) * (1, 0.1), rng.uniform(60, 180, (count, 2))
        number = start // FRAMES_PER_DRIVE
        for t in range(min(FRAMES_PER_DRIVE, num_frames - start)):
            corner = (place + t * speed) % (WIDTH - 180, HEIGHT - 180)
            truth = np.concatenate([corner, corner + size], axis=1)
            found = truth[rng.random(count) < 0.9]
            found = found + rng.normal(0, 4, found.shape)
            wrong = rng.uniform((0, 0), (WIDTH - 100, HEIGHT - 100), (rng.integers(0, alarms + 1), 2))
            wrong = np.concatenate([wrong, wrong + rng.uniform(40, 100, wrong.shape)], axis=1)
            scores = np.concatenate([rng.uniform(0.4, 1, len(found)), rng.uniform(0.05, 0.7, len(wrong))])
            frames.append(
                dict(
                    drive=f'drive_{number:04d}',
                    timestamp=float(t),
                    condition=CONDITIONS[number % len(CONDITIONS)],
                    truth=np.concatenate([truth, np.zeros((count, 1)), np.arange(count)[:, None]], axis=1),
                    boxes=np.concatenate([found, wrong]).astype(np.float32),
                    scores=scores.astype(np.float32),
                )
            )
    return frames


def plain_tracker(frames: list[dict]) -> list[list[int]]:
    """The paper's rule written out with plain loops; ids of each frame's boxes, -1 for none."""
    results, active, last, drive = [], {}, 0, None
    for frame in frames:
        if frame['drive'] != drive:
            active, last, drive = {}, 0, frame['drive']
        boxes, scores = frame['boxes'].tolist(), frame['scores']
        names, ids = list(active), [-1] * len(boxes)
        table = np.zeros((len(names), len(boxes)))
        for row, name in enumerate(names):
            a = active[name]
            for column, b in enumerate(boxes):
                if scores[column] < 0.3:
                    continue
                width = min(a[2], b[2]) - max(a[0], b[0])
                height = min(a[3], b[3]) - max(a[1], b[1])
                both = max(width, 0) * max(height, 0)
                union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
                table[row, column] = both / union if both > 0.5 * union else 0
        following = {}
        for row, column in zip(*linear_sum_assignment(table, maximize=True)):
            if table[row, column] > 0:
                ids[column] = names[row]
                following[names[row]] = boxes[column]
        for column, score in enumerate(scores):
            if ids[column] < 0 and score > 0.8:
                last += 1
                ids[column] = last
                following[last] = boxes[column]
        active = following
        results.append(ids)
    return results


def our_tracker(frames: list[dict]) -> list[list[int]]:
    """The same by :class:`IoUTracker`."""
    tracker, results, drive = IoUTracker(), [], None
    for frame in frames:
        if frame['drive'] != drive:
            tracker.reset()
            drive = frame['drive']
        results.append(tracker.step(frame['boxes'], frame['scores']).tolist())
    return results


def as_samples(frames: list[dict]) -> list[DetDataSample]:
    """Frames as a detector returns them."""
    samples = []
    for number, frame in enumerate(frames):
        sample = DetDataSample(
            metainfo=dict(
                frame_id=number % FRAMES_PER_DRIVE,
                img_id=number + 1,
                drive=frame['drive'],
                timestamp=frame['timestamp'],
                condition=frame['condition'],
                ori_shape=(HEIGHT, WIDTH),
            )
        )
        sample.pred_instances = InstanceData(
            bboxes=torch.from_numpy(frame['boxes']),
            scores=torch.from_numpy(frame['scores']),
            labels=torch.zeros(len(frame['scores']), dtype=torch.long),
        )
        samples.append(sample)
    return samples


def tracker(frames: int = 2000, repeats: int = 7, threads: int = 1) -> list[Comparison]:
    """Frames per second of the tracker, against plain loops and against mmdet's SORT.

    Args:
        frames: In each measurement; a quarter of them with a crowd.
        repeats: Pairs.
        threads: Of torch and numpy.

    Returns:
        With few vehicles, with many, and through the interface of mmdet's tracking models.
    """
    few = drive_frames(frames)
    crowd = drive_frames(max(frames // 4, 1), vehicles=(20, 30), alarms=60)
    for content in (few, crowd):
        assert our_tracker(content) == plain_tracker(content), 'the trackers differ'
    samples = as_samples(few)
    sort = MODELS.build(
        dict(
            type='SORTTracker',
            motion=dict(type='KalmanFilter', center_only=False),
            reid=None,
            match_iou_thr=0.5,
            num_tentatives=1,
            num_frames_retain=1,
        )
    )
    ours = IoUTracker()
    loops = 'the same rule in plain loops, with the same scipy assignment'
    results = []

    def compare(case: str, content: list, label: str, function: Callable, peer: str, other: Callable) -> None:
        with pinned_threads(threads):
            mine, theirs = time_pairs(function, other, repeats)
        speeds = [len(content) / np.median(values) for values in (mine, theirs)]
        boxes = np.mean([len(frame['boxes']) for frame in content])
        results.append(
            Comparison(
                'tracker',
                case,
                label,
                peer,
                'gain',
                ours_values=mine,
                reference_values=theirs,
                settings=dict(frames=len(content), boxes=f'{boxes:.1f}', threads=threads),
                checked='ids of all boxes' if peer is loops else '',
                notes=[f'frames a second: {speeds[0]:.0f} and {speeds[1]:.0f}'],
            )
        )

    for case, content in (('few vehicles', few), ('a crowd', crowd)):
        compare(
            case,
            content,
            'IoUTracker.step',
            lambda content=content: our_tracker(content),
            loops,
            lambda content=content: plain_tracker(content),
        )
    compare(
        "few vehicles, through mmdet's interface",
        few,
        'IoUTracker.track',
        lambda: [ours.track(data_sample=sample) for sample in samples],
        "mmdet's SORTTracker.track without ReID: another rule, with a motion model",
        lambda: [sort.track(model=None, img=None, data_sample=sample) for sample in samples],
    )
    return results
