import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData

from mmav.evaluation import TrackingMetric, tracking_metrics
from mmav.evaluation.metrics.condition_rows import rows_by_condition
from mmav.models.trackers import IoUTracker
from mmav.utils.errors import SampleError

SIDE = 40.0


def box(x: float) -> list[float]:
    return [x, 0.0, x + SIDE, SIDE]


class Recorder:
    """Writes frames as data samples and as a COCO file."""

    def __init__(self) -> None:
        self.samples, self.images, self.annotations = [], [], []

    def add(
        self, drive: str, timestamp: float, truth: dict, detections: list, ids=None, **conditions
    ) -> None:
        """``truth``: track id to x; ``detections``: (x, score)."""
        img_id = len(self.images) + 1
        self.images.append(dict(id=img_id, width=500, height=100, file_name=f'{img_id}.jpg'))
        for track_id, x in truth.items():
            self.annotations.append(
                dict(
                    id=len(self.annotations) + 1,
                    image_id=img_id,
                    category_id=1,
                    bbox=[x, 0.0, SIDE, SIDE],
                    area=SIDE * SIDE,
                    iscrowd=0,
                    track_id=track_id,
                )
            )
        pred = InstanceData(
            bboxes=torch.tensor([box(x) for x, _ in detections]).reshape(-1, 4),
            scores=torch.tensor([score for _, score in detections]),
            labels=torch.zeros(len(detections), dtype=torch.long),
        )
        if ids is not None:
            pred.instances_id = torch.tensor(ids, dtype=torch.long)
        instances = [dict(bbox=box(x), bbox_label=0, track_id=track) for track, x in truth.items()]
        self.samples.append(
            dict(
                img_id=img_id,
                drive=drive,
                timestamp=timestamp,
                pred_instances=pred,
                instances=instances,
                **conditions,
            )
        )

    def write(self, path: Path) -> str:
        content = dict(
            images=self.images, annotations=self.annotations, categories=[dict(id=1, name='vehicle')]
        )
        path.write_text(json.dumps(content))
        return str(path)


@pytest.fixture
def record() -> Recorder:
    """Two drives; the first with a vehicle that is lost for a frame, the second with two vehicles."""
    recorder = Recorder()
    for t in range(6):
        seen = [(2.0 * t, 0.9)] if t != 3 else []
        recorder.add('day_drive', float(t), {4: 2.0 * t}, seen, time_of_day='day', motion='static')
    for t in range(4):
        truth = {4: 100.0 - t} if t != 1 else {4: 100.0 - t, 5: 300.0}
        seen = [(100.0 - t, 0.9 if t == 0 else 0.5), (300.0, 0.85)][: len(truth) + (t == 3)]
        recorder.add('night_drive', 10.0 + t, truth, seen, time_of_day='night', motion=None)
    return recorder


def evaluate(recorder: Recorder, samples=None, **options) -> dict:
    metric = METRICS.build(dict(type='mmdet.TrackingMetric', **options))
    metric.dataset_meta = dict(classes=('vehicle',))
    samples = recorder.samples if samples is None else samples
    for start in range(0, len(samples), 3):
        metric.process({}, samples[start : start + 3])
    return metric.evaluate(len(samples))


# of the first drive: a new track after the gap is a switch, and the gap a miss and a fragmentation; of the
# second: a vehicle that is seen for a frame, and a false alarm in the last one
DAY = dict(MOTA=100 * (1 - 2 / 6), IDs=1, Frag=1, FP=0, FN=1, frames=6, objects=6, tracks=1)
NIGHT = dict(MOTA=80, IDF1=1000 / 11, IDs=0, Frag=0, FP=1, FN=0, frames=4, objects=5, tracks=2)
ALL = dict(MOTA=100 * (1 - 3 / 11), IDs=1, Frag=1, FP=1, FN=1, frames=10, objects=11, tracks=3)


def check(metrics: dict, prefix: str, expected: dict) -> None:
    found = {name: metrics[f'tracking/{prefix}{name}'] for name in expected}
    assert found == pytest.approx(expected)


def test_figures_and_conditions(record, tmp_path):
    metrics = evaluate(record, ann_file=record.write(tmp_path / 'a.json'))
    check(metrics, '', ALL)
    check(metrics, 'day/', DAY)
    check(metrics, 'static/', DAY)
    check(metrics, 'night/', NIGHT)
    assert not [name for name in metrics if 'None' in name]


def test_truth_from_the_samples_is_the_same(record, tmp_path):
    from_file = evaluate(record, ann_file=record.write(tmp_path / 'a.json'))
    assert evaluate(record) == from_file


def test_order_of_the_samples_does_not_matter(record):
    shuffled = list(record.samples)
    random.Random(0).shuffle(shuffled)
    assert evaluate(record, shuffled) == evaluate(record)


def test_agrees_with_tracker_and_function(record):
    tracker, sequences = IoUTracker(patience=1), []
    for drive in ('day_drive', 'night_drive'):
        tracker.reset()
        sequences.append([])
        for sample in (sample for sample in record.samples if sample['drive'] == drive):
            pred = sample['pred_instances']
            ids = tracker.step(pred.bboxes, pred.scores, pred.labels)
            columns = [pred.bboxes.numpy(), np.zeros((len(ids), 1)), ids[:, None]]
            truth = [[*each['bbox'], 0, each['track_id']] for each in sample['instances']]
            sequences[-1].append((np.array(truth), np.concatenate(columns, axis=1)[ids > 0]))
    expected = tracking_metrics(sequences)
    metrics = evaluate(record, tracker=dict(type='IoUTracker', patience=1))
    for name, source in (('MOTA', 'mota'), ('IDF1', 'idf1'), ('HOTA', 'hota'), ('IDs', 'num_switches')):
        assert metrics[f'tracking/{name}'] == expected[source]
    assert metrics['tracking/IDs'] == 0 and metrics['tracking/Frag'] == 1  # patience has bridged the gap


def test_ids_of_the_predictions():
    recorder = Recorder()
    for t in range(4):
        recorder.add('drive', float(t), {1: 10.0}, [(10.0, 0.1), (200.0, 0.9)], ids=[7, -1])
    metrics = evaluate(recorder, predicted_ids=True)
    check(metrics, '', dict(MOTA=100, IDF1=100, HOTA=100, FP=0))
    recorder.samples[0]['pred_instances'].pop('instances_id')
    with pytest.raises(KeyError, match='no instances_id'):
        evaluate(recorder, predicted_ids=True)


@pytest.mark.parametrize(
    ('option', 'frames', 'objects', 'false_positives'),
    # of the second drive the frame with two vehicles goes, or all four
    [(False, 10, 11, 1), (True, 9, 9, 1), ('stretches', 9, 9, 1), ('drives', 6, 6, 0)],
)
def test_scenes_with_several_vehicles_are_left_out(record, option, frames, objects, false_positives):
    metrics = evaluate(record, single_vehicle_only=option)
    check(metrics, '', dict(frames=frames, objects=objects, FP=false_positives))


def test_stretches_are_sequences_of_their_own():
    recorder = Recorder()
    for t in range(5):
        recorder.add('drive', float(t), {1: 0.0, 2: 200.0} if t == 2 else {1: 0.0}, [(0.0, 0.9)])
    # one track over the whole drive; with a scene left out two, and neither switch nor fragmentation
    check(evaluate(recorder), '', dict(MOTA=100 * 5 / 6, FN=1, tracks=2))
    cut = evaluate(recorder, single_vehicle_only=True)
    check(cut, '', dict(MOTA=100, IDs=0, Frag=0, FN=0, frames=4, tracks=2))


def test_long_gap_cuts_a_drive():
    recorder = Recorder()
    for t in (0.0, 0.1, 0.2, 5.0, 5.1):
        recorder.add('drive', t, {1: 0.0}, [(0.0, 0.9)])
    assert evaluate(recorder)['tracking/tracks'] == 1
    assert evaluate(recorder, max_gap=1.0)['tracking/tracks'] == 2


def test_condition_that_changes_within_a_drive():
    recorder = Recorder()
    for t in range(4):
        condition = 'day' if t < 2 else 'tunnel'
        recorder.add(
            'drive', float(t), {1: 2.0 * t}, [(2.0 * t, 0.9 if t == 0 else 0.4)], condition=condition
        )
    metrics = evaluate(recorder)
    for prefix, frames in (('', 4), ('day/', 2), ('tunnel/', 2)):  # a low score goes on in the tunnel
        check(metrics, prefix, dict(MOTA=100, frames=frames, objects=frames))


def test_drives_without_vehicles():
    recorder = Recorder()
    for t in range(3):
        recorder.add('empty', float(t), {}, [])
        recorder.add('alarm', float(t), {}, [(0.0, 0.9)])
    metrics = evaluate(recorder)
    check(metrics, '', dict(FP=3, FN=0, frames=6, objects=0))
    assert np.isnan(metrics['tracking/MOTA'])


def test_nothing_left(record, monkeypatch):
    messages = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', messages.append)
    record.samples = record.samples[7:8]
    metrics = evaluate(record, single_vehicle_only=True)
    assert metrics['tracking/frames'] == 0 and np.isnan(metrics['tracking/HOTA'])
    assert messages == ['no scene is left to evaluate tracking on']


def test_drive_and_time_may_stand_in_the_file(record, tmp_path):
    expected = evaluate(record)
    for image, sample in zip(record.images, record.samples):
        image.update(drive=sample.pop('drive'), timestamp=sample.pop('timestamp'))
    assert evaluate(record, ann_file=record.write(tmp_path / 'a.json')) == expected
    with pytest.raises(KeyError, match='frame 1 has no drive'):
        evaluate(record)


def test_truth_without_tracks_is_an_error(record, tmp_path):
    record.annotations[3].pop('track_id')
    with pytest.raises(SampleError, match='annotation 4 of image 4: has no track_id'):
        evaluate(record, ann_file=record.write(tmp_path / 'a.json'))
    record.samples[2]['instances'][0].pop('track_id')
    with pytest.raises(SampleError, match='frame 3: has no track_id'):
        evaluate(record)
    record.samples[0].pop('instances')
    with pytest.raises(KeyError, match='no truth'):
        evaluate(record)


def test_frame_that_comes_twice_is_an_error(record):
    with pytest.raises(ValueError, match='night_drive comes twice'):
        evaluate(record, [*record.samples, record.samples[-1]])


@pytest.mark.parametrize(
    'options',
    [
        dict(single_vehicle_only='some'),
        dict(iou_thr=0),
        dict(predicted_ids=True, tracker=dict(type='IoUTracker')),
    ],
)
def test_bad_options(options):
    with pytest.raises(ValueError):
        TrackingMetric(**options)


def gather(rank: int, folder: Path, samples: list) -> None:
    torch.distributed.init_process_group('gloo', f'file://{folder}/meeting', rank=rank, world_size=2)
    metric = TrackingMetric()
    metric.dataset_meta = dict(classes=('vehicle',))
    # as the sampler deals them out, padded with the first one
    metric.process({}, [*samples, samples[0]][rank::2])
    metrics = metric.evaluate(len(samples))
    torch.save(metrics, folder / f'{rank}.pth')
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_processes_evaluate_like_one(record, tmp_path):
    samples = record.samples[:-1]  # an odd number
    torch.multiprocessing.spawn(gather, (tmp_path, samples), nprocs=2)
    expected = evaluate(record, samples)
    for rank in (0, 1):
        found = torch.load(tmp_path / f'{rank}.pth', weights_only=False)
        assert found == pytest.approx(expected, nan_ok=True)


def test_rows_by_condition():
    conditions = [
        dict(time='day', weather='fog'),
        dict(time='night', weather='day'),
        dict(time=None, weather='day'),
    ]
    rows = rows_by_condition(conditions, ['time', 'weather'])
    assert rows == {'all': [0, 1, 2], 'day': [0], 'night': [1], 'weather=day': [1, 2], 'fog': [0]}
    assert list(rows) == ['all', 'day', 'night', 'weather=day', 'fog']
