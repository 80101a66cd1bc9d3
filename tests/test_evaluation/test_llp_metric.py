from types import SimpleNamespace

import numpy as np
import pytest
import torch
from golden import GOLDEN
from mmdet.registry import METRICS

from mmav.datasets import SampleError
from mmav.evaluation import LLPMetric
from mmav.structures import SegmentDataSample

NAMES = ('audio', 'visual', 'audio_visual', 'type_av', 'event_av')


def sample(video='a', segments=4, **fields) -> dict:
    """A data sample as a dict; of two classes; fields of cells (segment, class)."""
    made = SegmentDataSample(metainfo=dict(video_id=video, num_segments=segments))
    for name in ('pred_audio', 'pred_visual', 'gt_audio', 'gt_visual'):
        cells = torch.zeros(segments, 2)
        for segment, label in fields.get(name, ()):
            cells[segment, label] = 1
        made.set_field(cells, name)
    return made.to_dict()


def evaluate(samples, classes=('Cat', 'Dog'), **options) -> dict:
    metric = LLPMetric(**options)
    metric.dataset_meta = dict(classes=classes)
    for item in samples:
        metric.process({}, [item])
    return metric.evaluate(len(samples))


def test_the_published_figures_through_the_metric():
    stored = np.load(GOLDEN / 'llp_metric.npz')
    samples = []
    for index in range(60):
        item = dict(video_id=str(index))
        for name in ('pred_audio', 'pred_visual', 'gt_audio', 'gt_visual'):
            item[name] = torch.from_numpy(stored[name][index].T).float()
        # probabilities on either side of the threshold
        item['pred_audio'] = torch.where(item['pred_audio'] > 0, 0.5, 0.49)
        samples.append(item)
    with_registry = METRICS.build(dict(type='LLPMetric'))
    assert isinstance(with_registry, LLPMetric)
    scores = evaluate(samples)
    assert list(scores) == [f'llp/{level}_{name}' for level in ('segment', 'event') for name in NAMES]
    for level in ('segment', 'event'):
        np.testing.assert_allclose(
            [scores[f'llp/{level}_{name}'] for name in NAMES], stored[level], rtol=1e-9
        )


def test_videos_of_any_length_are_scored_together():
    short = sample('a', 2, pred_audio=[(1, 0)], gt_audio=[(1, 0)])
    long = sample('b', 6, pred_audio=[(0, 0), (5, 0)], gt_audio=[(0, 0)])
    scores = evaluate([short, long])
    assert scores['llp/segment_audio'] == pytest.approx((100 + 100 * 2 / 3) / 2)
    assert scores['llp/segment_visual'] == 100


def test_scores_of_each_class_pool_its_videos():
    first = sample('a', pred_audio=[(0, 0), (1, 0)], gt_audio=[(0, 0)], gt_visual=[(3, 1)])
    second = sample('b', gt_audio=[(2, 0), (3, 0)])
    scores = evaluate([first, second], classwise=True)
    assert scores['llp/class/Cat/segment_audio'] == pytest.approx(100 * 2 / (2 + 1 + 2))
    # 'xx--' and 'x---' overlap by half: a match; the event of the second video is missed
    assert scores['llp/class/Cat/event_audio'] == pytest.approx(100 * 2 / 3)
    assert scores['llp/class/Dog/segment_visual'] == 0
    assert not {'llp/class/Cat/segment_visual', 'llp/class/Dog/event_audio'} & set(scores)
    assert len([key for key in evaluate([first, second]) if 'class' in key]) == 0


def test_the_threshold_is_inclusive_and_can_be_set():
    item = sample(gt_audio=[(0, 0)])
    item['pred_audio'][0, 0] = 0.25
    assert evaluate([item])['llp/segment_audio'] == 0
    assert evaluate([item], threshold=0.25)['llp/segment_audio'] == 100


def test_the_log_has_a_table_of_the_classes(monkeypatch):
    lines = []
    logger = SimpleNamespace(info=lambda text: lines.extend(text.splitlines()))
    monkeypatch.setattr('mmav.evaluation.metrics.llp_metric.MMLogger.get_current_instance', lambda: logger)
    evaluate([sample(pred_audio=[(0, 0)], gt_audio=[(0, 0)])], classwise=True)
    (row,) = [line for line in lines if line.startswith('| Cat')]
    assert [cell.strip() for cell in row.strip('|').split('|')] == [
        *('Cat', '100.0', '-', '-', '100.0', '-', '-', '1', '0')
    ]


def _without(name):
    item = sample('v7')
    del item[name]
    return item


@pytest.mark.parametrize(
    'item, message',
    [
        (_without('pred_audio'), 'video v7: has no pred_audio: the model'),
        (_without('gt_visual'), 'video v7: has no gt_visual: the data set'),
        (dict(sample('v7'), gt_audio=torch.zeros(3, 2)), 'video v7: .* of one shape'),
        (dict(sample('v7'), pred_visual=torch.full((4, 2), torch.nan)), 'video v7: pred_visual .* NaN'),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(item, message):
    with pytest.raises(SampleError, match=message):
        LLPMetric().process({}, [item])


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match='threshold'):
        LLPMetric(threshold=0)
    with pytest.raises(ValueError, match='2 classes, the data set has 3'):
        evaluate([sample()], classes=('a', 'b', 'c'), classwise=True)
