"""AVEMetric and CrossModalityMetric on tables worked by hand."""

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmengine.evaluator import Evaluator

from mmav.datasets import SampleError
from mmav.structures import SegmentDataSample


def event_sample(name: str, gt: list[int], pred: list[int], scores: list[float]) -> SegmentDataSample:
    """Two categories, 0 and 1; 2 is background."""
    sample = SegmentDataSample(metainfo=dict(video_id=name))
    sample.gt_segments = torch.eye(3)[gt]
    sample.pred_labels = torch.tensor(pred)
    sample.pred_scores = torch.tensor(scores)
    return sample


def run(metric: dict, batches: list[list], classes: tuple | None = None) -> dict[str, float]:
    evaluator = Evaluator(METRICS.build(metric))
    evaluator.dataset_meta = None if classes is None else dict(classes=classes)
    for batch in batches:
        evaluator.process(data_samples=batch)
    return evaluator.evaluate(sum(map(len, batches)))


def test_figures_of_events():
    batches = [
        # 3 of 4 right; its category is found, background (third) left out
        [event_sample('a', [0, 0, 2, 2], [0, 0, 0, 2], [0.3, 0.1, 0.6])],
        # 2 of 4: the two of background; another category
        [event_sample('b', [2, 1, 1, 2], [2, 0, 0, 2], [0.8, 0.2, 0.0])],
        # no event: background throughout, of which one second is taken for category 1
        [event_sample('c', [2, 2, 2, 2], [2, 2, 2, 1], [0.1, 0.2, 0.7])],
    ]
    metrics = run(dict(type='AVEMetric', classwise=True), batches, ('Cat', 'Dog'))
    expected = dict(
        acc=8 / 12,
        event_acc=2 / 4,
        background_acc=6 / 8,
        relevance_acc=10 / 12,
        category_acc=1 / 2,
        always_background=8 / 12,
    )
    expected |= {'class/Cat': 1, 'class/Dog': 0, 'class/Background': 6 / 8}
    assert metrics == pytest.approx({f'ave/{key}': 100 * value for key, value in expected.items()})
    assert next(iter(metrics)) == 'ave/acc'


def test_batches_and_absent_scores_change_nothing_else():
    samples = [event_sample('a', [0, 2], [0, 2], [1.0, 0, 0]), event_sample('b', [1, 2], [0, 0], [1.0, 0, 0])]
    for sample in samples:
        del sample.pred_scores
    metrics = run(dict(type='AVEMetric'), [samples])
    assert metrics['ave/acc'] == 50 and 'ave/category_acc' not in metrics
    assert metrics == run(dict(type='AVEMetric'), [[sample] for sample in samples])


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(pred_labels=None), 'video a: has no pred_labels'),
        (dict(pred_labels=torch.tensor([0, 3])), 'each segment must have one class of 3'),
        (dict(pred_labels=torch.tensor([0])), 'pred_labels must be 2 classes'),
        (dict(pred_labels=torch.tensor([0.5, 1])), 'pred_labels must be 2 classes'),
        (dict(gt_segments=torch.ones(2, 3)), 'each segment must have one class'),
    ],
)
def test_events_that_cannot_be_scored_name_their_video(change, message):
    sample = event_sample('a', [0, 2], [0, 2], [1.0, 0, 0]).to_dict() | change
    with pytest.raises(SampleError, match=message):
        METRICS.build(dict(type='AVEMetric')).process({}, [sample])


def test_another_number_of_classes_than_the_data_sets_is_refused():
    with pytest.raises(ValueError, match='3'):
        run(dict(type='AVEMetric'), [[event_sample('a', [0], [0], [1.0, 0, 0])]], ('Cat', 'Dog', 'Cow'))


def search_sample(name: str, onset: int, offset: int, pred: int, segments: int = 10) -> SegmentDataSample:
    sample = SegmentDataSample(metainfo=dict(video_id=name))
    truth = np.zeros((segments, 1), np.float32)
    truth[onset:offset] = 1
    sample.gt_segments = torch.from_numpy(truth)
    sample.pred_start = torch.tensor(pred)
    return sample


def test_figures_of_searches():
    batches = [
        [search_sample('a', 0, 2, 0), search_sample('b', 3, 5, 4)],
        [search_sample('c', 4, 9, 0), search_sample('d', 0, 1, 3, segments=4)],
    ]
    metrics = run(dict(type='CrossModalityMetric'), batches)
    chance = (1 / 9 + 1 / 9 + 1 / 6 + 1 / 4) / 4
    expected = dict(acc=1 / 4, within_1=2 / 4, chance=chance, first=2 / 4)
    expected = {f'cross_modality/{key}': 100 * value for key, value in expected.items()}
    assert metrics == pytest.approx(expected)
    assert next(iter(metrics)) == 'cross_modality/acc'
    assert 'a2v/acc' in run(dict(type='CrossModalityMetric', prefix='a2v'), batches)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(pred_start=None), 'video a: has no pred_start'),
        (dict(pred_start=torch.tensor(9)), '2 segments from 9 on do not fit into 10'),
        (dict(gt_segments=torch.zeros(10, 1)), 'one stretch of segments'),
        (dict(gt_segments=torch.tensor([[1.0], [0], [1]])), 'one stretch of segments'),
        (dict(gt_segments=torch.zeros(10, 29)), r'gt_segments must be \(segments, 1\)'),
    ],
)
def test_searches_that_cannot_be_scored_name_their_video(change, message):
    sample = search_sample('a', 0, 2, 0).to_dict() | change
    with pytest.raises(SampleError, match=message):
        METRICS.build(dict(type='CrossModalityMetric')).process({}, [sample])
