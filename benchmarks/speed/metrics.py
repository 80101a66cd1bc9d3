"""Benchmark of the metrics on a whole test set.

n: detections of a frame; m: true boxes of a frame.
"""

import json
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import motmetrics
import numpy as np
from mmdet.registry import METRICS

from mmav.evaluation import center_distance, tracking_metrics

from .pairs import Comparison, pinned_threads, time_pairs
from .tracking import HEIGHT, WIDTH, as_samples, drive_frames, our_tracker


def plain_center_distance(dets: list[np.ndarray], gts: list[np.ndarray]) -> dict[str, float]:
    """CDx, CDy and miss rate with plain loops over frames, true boxes and detections."""
    offsets, total = [], 0
    for frame_dets, frame_gts in zip(dets, gts):
        free = [det for det in frame_dets.tolist() if det[4] >= 0.3]
        for x1, y1, x2, y2, label in frame_gts.tolist():
            total += 1
            best, least = None, float('inf')
            for det in free:
                dx, dy = (det[0] + det[2] - x1 - x2) / 2, (det[1] + det[3] - y1 - y2) / 2
                if det[5] == label and dx * dx + dy * dy < least:
                    best, least, offset = det, dx * dx + dy * dy, (abs(dx) / WIDTH, abs(dy) / HEIGHT)
            if best is not None:
                free.remove(best)
                offsets.append(offset)
    cd_x, cd_y = 100 * np.mean(offsets, axis=0)
    return dict(cd_x=cd_x, cd_y=cd_y, miss_rate=100 * (1 - len(offsets) / total))


def plain_motmetrics(sequences: list[list]) -> dict[str, float]:
    """motmetrics as its documentation uses it: an accumulator a sequence, a summary over all."""
    accumulators = []
    for frames in sequences:
        accumulator = motmetrics.MOTAccumulator(auto_id=True)
        for truth, tracks in frames:
            # as motmetrics.distances.iou_matrix, which calls what numpy 2 has no more
            corners = [np.concatenate([b[:, :2], b[:, 2:4] - b[:, :2]], axis=1) for b in (truth, tracks)]
            distances = 1 - motmetrics.distances.boxiou(corners[0][:, None], corners[1][None])
            distances[distances > 0.5] = np.nan
            accumulator.update(truth[:, 5], tracks[:, 5], distances)
        accumulators.append(accumulator)
    names = dict(
        mota='mota',
        idf1='idf1',
        num_switches='num_switches',
        num_fragmentations='num_fragmentations',
        num_false_positives='num_false_positives',
        num_misses='num_misses',
    )
    host = motmetrics.metrics.create()
    summary = host.compute_many(accumulators, metrics=list(names), generate_overall=True).loc['OVERALL']
    return {
        name: summary[source] * (100 if name in ('mota', 'idf1') else 1) for name, source in names.items()
    }


def _write_coco(frames: list[dict], path: Path) -> None:
    images, annotations = [], []
    for number, frame in enumerate(frames, 1):
        images.append(dict(id=number, file_name=f'{number}.jpg', width=WIDTH, height=HEIGHT))
        for x1, y1, x2, y2, _, identity in frame['truth'].tolist():
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=1,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    iscrowd=0,
                    track_id=int(identity),
                )
            )
    categories = [dict(id=1, name='vehicle')]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def _evaluation(samples: list[dict], ann_file: Path, **metric: object) -> Callable[[], dict]:
    """A metric's whole work on ready predictions, without reading the annotations."""
    with redirect_stdout(StringIO()):
        built = METRICS.build(dict(ann_file=str(ann_file), **metric))
    built.dataset_meta = dict(classes=('vehicle',))

    def run() -> dict:
        with redirect_stdout(StringIO()):
            for start in range(0, len(samples), 8):
                built.process({}, samples[start : start + 8])
            return built.evaluate(len(samples))

    return run


def metrics(frames: int = 20000, repeats: int = 1, threads: int = 1) -> list[Comparison]:
    """Time of the metrics on a test set, against the plain way.

    Args:
        frames: Of the test set.
        repeats: Pairs.
        threads: Of torch and numpy.

    Returns:
        Of ``TrackingMetric``, ``center_distance`` and ``MAVDMetric``.
    """
    content = drive_frames(frames)
    samples = [sample.to_dict() for sample in as_samples(content)]
    sequences: dict[str, list] = {}
    for frame, ids in zip(content, our_tracker(content)):
        ids = np.array(ids)[:, None]
        tracks = np.concatenate([frame['boxes'], 0 * ids, ids], axis=1, dtype=float)[ids[:, 0] > 0]
        sequences.setdefault(frame['drive'], []).append((frame['truth'], tracks))
    sequences = list(sequences.values())
    dets = [
        np.concatenate([f['boxes'], f['scores'][:, None], 0 * f['scores'][:, None]], axis=1, dtype=float)
        for f in content
    ]
    gts = [frame['truth'][:, :5] for frame in content]
    settings = dict(frames=frames, drives=len(sequences), threads=threads)
    results = []

    def compare(
        case: str, ours: Callable, label: str, reference: Callable, peer: str, same: Callable
    ) -> None:
        with pinned_threads(threads):
            same(ours(), reference())
            mine, theirs = time_pairs(ours, reference, repeats, warm_up=0)
        results.append(
            Comparison(
                'metrics',
                case,
                label,
                peer,
                'cost',
                ours_values=mine,
                reference_values=theirs,
                settings=settings,
                checked=same.__doc__,
            )
        )

    def same_values(mine: dict, theirs: dict) -> None:
        """every figure of the reference"""
        for name, value in theirs.items():
            np.testing.assert_allclose(mine[name], value, rtol=1e-9, err_msg=name)

    def same_precision(mine: dict, theirs: dict) -> None:
        """CocoMetric's figures"""
        same_values(
            {name.split('/')[1]: value for name, value in mine.items()},
            {name.split('/')[1]: value for name, value in theirs.items()},
        )

    def same_tracks(mine: dict, theirs: dict) -> None:
        """MOTA, IDF1, switches, fragmentations and errors"""
        columns = dict(MOTA='mota', IDF1='idf1', IDs='num_switches', Frag='num_fragmentations')
        columns.update(FP='num_false_positives', FN='num_misses')
        same_values({source: mine[f'tracking/{name}'] for name, source in columns.items()}, theirs)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'truth.json'
        _write_coco(content, path)
        compare(
            'tracks of ready boxes',
            lambda: tracking_metrics(sequences),
            'tracking_metrics, with HOTA',
            lambda: plain_motmetrics(sequences),
            'motmetrics alone, without HOTA',
            same_values,
        )
        compare(
            'TrackingMetric',
            _evaluation(samples, path, type='TrackingMetric'),
            'TrackingMetric: tracker, HOTA, rows by condition',
            lambda: plain_motmetrics(sequences),
            'motmetrics alone on ready tracks',
            same_tracks,
        )
        compare(
            'center distance',
            lambda: center_distance(dets, gts, (WIDTH, HEIGHT)),
            'center_distance',
            lambda: plain_center_distance(dets, gts),
            'plain loops',
            same_values,
        )
        compare(
            'MAVDMetric',
            _evaluation(samples, path, type='MAVDMetric', metric='bbox'),
            'MAVDMetric: CocoMetric, center distance, rows by condition',
            _evaluation(samples, path, type='CocoMetric', metric='bbox'),
            "mmdet's CocoMetric",
            same_precision,
        )
    return results
